"""What is taken out of a ZIP of documents, under which names, and what is not."""

import io
import zipfile
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from ingest.loaders import unpack
from ingest.loaders.members import MOST_MEMBERS
from ingest.unpacked import LeftOut, Unpacked
from knowledge.errors import DocumentRefused
from tests.ingest.loaders.made import workbook

MAX_BYTES = 1 << 20


def zipped(members: Sequence[tuple[str, bytes]]) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members:
            archive.writestr(name, content)
    return buffer.getvalue()


def unmarked(names: Sequence[str], encoding: str) -> bytes:
    """Names in an encoding, without the mark for UTF-8: zipfile writes none, so they are set afterwards."""
    data = zipped([(name.encode(encoding).hex(), b"text") for name in names])
    for name in names:
        raw = name.encode(encoding)
        data = data.replace(raw.hex().encode(), raw.ljust(2 * len(raw), b"_"))
    return data


def taken(tmp_path: Path, data: bytes) -> Unpacked:
    file = tmp_path / "a.zip"
    file.write_bytes(data)
    return unpack(file, name="a.zip", folder=tmp_path, max_bytes=MAX_BYTES)


def names(tmp_path: Path, data: bytes) -> list[str]:
    return [member.name for member in taken(tmp_path, data).members]


def test_members_are_files_under_the_archives_name(tmp_path: Path) -> None:
    found = taken(tmp_path, zipped([("规则/退货.md", "七天".encode()), ("价格.xlsx", workbook({"S": [["a"]]}))]))
    assert [member.name for member in found.members] == ["a.zip/规则/退货.md", "a.zip/价格.xlsx"]
    assert (tmp_path / found.members[0].file).read_text() == "七天"
    assert found.note == "2 files were taken out of this archive and can be found under their own names."


@pytest.mark.parametrize(
    "name", ["../../etc/passwd.md", "/etc/passwd.md", "..\\..\\etc\\passwd.md", "./etc//passwd.md"]
)
def test_a_name_cannot_leave_the_archive(tmp_path: Path, name: str) -> None:
    assert names(tmp_path, zipped([(name, b"x")])) == ["a.zip/etc/passwd.md"]


@pytest.mark.parametrize(
    ("encoding", "given"),
    [
        ("gbk", ["商品资料/价格表.txt", "退换货规则.txt"]),
        ("gbk", ["价.txt"]),
        ("cp437", ["Größe und Maße.txt", "café.txt"]),
        ("big5", ["產品說明/價格表.txt"]),
        ("utf-8", ["价格表.txt"]),
    ],
)
def test_names_of_any_machine_are_read(tmp_path: Path, encoding: str, given: list[str]) -> None:
    found = names(tmp_path, unmarked(given, encoding))
    assert [name.removeprefix("a.zip/").rstrip("_") for name in found] == given


def test_files_of_operating_systems_are_passed_over_in_silence(tmp_path: Path) -> None:
    members = ["__MACOSX/._a.md", ".DS_Store", "x/Thumbs.db", "desktop.ini", "~$a.docx", "a.md", "folder/"]
    found = taken(tmp_path, zipped([(name, b"x" if not name.endswith("/") else b"") for name in members]))
    assert [member.name for member in found.members] == ["a.zip/a.md"]
    assert found.left_out == ()


def test_archives_inside_are_unpacked_once_and_no_deeper(tmp_path: Path) -> None:
    deep = zipped([("deepest.md", b"x")])
    inner = zipped([("b.md", b"x"), ("deep.zip", deep)])
    found = taken(tmp_path, zipped([("inner.zip", inner), ("a.md", b"x")]))
    assert [member.name for member in found.members] == ["a.zip/inner.zip/b.md", "a.zip/a.md"]
    assert found.left_out == (LeftOut("a.zip/inner.zip/deep.zip", "unsupported"),)


def test_what_cannot_be_taken_is_named_with_its_reason(tmp_path: Path) -> None:
    data = bytearray(
        zipped([("good.md", b"x"), ("empty.md", b""), ("big.md", bytes(MAX_BYTES + 1)), ("locked.md", b"y")])
    )
    at = data.rindex(b"PK\x01\x02", 0, data.rindex(b"locked.md"))
    data[at + 8] |= 1  # the flag of an encrypted member
    found = taken(tmp_path, bytes(data))
    assert [(left.name, left.reason) for left in found.left_out] == [
        ("a.zip/empty.md", "empty"),
        ("a.zip/big.md", "too_large"),
        ("a.zip/locked.md", "encrypted"),
    ]
    assert "1 file was taken out" in found.note
    assert "3 files were left out: a.zip/empty.md (empty)" in found.note


def test_two_members_of_one_name_are_two_documents(tmp_path: Path) -> None:
    with pytest.warns(UserWarning, match="Duplicate"):
        data = zipped([("a.md", b"1"), ("a.md", b"2")])
    assert names(tmp_path, data) == ["a.zip/a.md", "a.zip/a (2).md"]


@pytest.mark.parametrize(
    ("made", "reason"),
    [
        (lambda: zipped([]), "empty"),
        (lambda: zipped([(".DS_Store", b"x")]), "empty"),
        (lambda: zipped([(f"{n}.md", b"") for n in range(MOST_MEMBERS + 1)]), "too_large"),
        (lambda: zipped([("a.bin", bytes(70 << 20))]), "too_large"),
        (lambda: zipped([("a.md", b"x")])[:30] + bytes(40), "corrupt"),
    ],
    ids=["no members", "only system files", "too many", "a bomb", "damaged"],
)
def test_archives_of_no_use_are_refused(tmp_path: Path, made: Callable[[], bytes], reason: str) -> None:
    with pytest.raises(DocumentRefused) as caught:
        taken(tmp_path, made())
    assert caught.value.reason == reason
