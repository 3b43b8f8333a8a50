"""Office 97–2003 that our own readers cannot read, by way of LibreOffice: a stand-in and the real one."""

import shutil
import sys
from pathlib import Path

import pytest

from ingest import sniff
from ingest.loaders.registry import load_bytes
from knowledge.errors import DocumentRefused
from tests.ingest.loaders.made import fixture, loaded, outline, workbook

STAND_IN = """#!{python}
import pathlib, shutil, sys
target = pathlib.Path(sys.argv[sys.argv.index("--outdir") + 1])
kind = sys.argv[sys.argv.index("--convert-to") + 1]
assert any(part.startswith("-env:UserInstallation=file://") for part in sys.argv) and "--headless" in sys.argv
assert pathlib.Path(sys.argv[-1]).read_bytes().startswith(b"\\xd0\\xcf\\x11\\xe0")
target.mkdir()
shutil.copyfile({made!r}, target / f"document.{{kind}}")
"""


def soffice(tmp_path: Path, made: bytes) -> Path:
    """A program that takes every document for ``made``."""
    (tmp_path / "made").write_bytes(made)
    program = tmp_path / "soffice"
    program.write_text(STAND_IN.format(python=sys.executable, made=str(tmp_path / "made")))
    program.chmod(0o755)
    return program


def broken_xls() -> bytes:
    """Still a workbook by its container; our reader refuses what is in it."""
    data = fixture("prices.xls")
    at = data.index(b"\x09\x08\x10\x00\x00\x06\x05\x00")  # the first record
    return data[:at] + bytes(8) + data[at + 8 :]


def test_what_we_refuse_is_converted(tmp_path: Path) -> None:
    with pytest.raises(DocumentRefused) as alone:
        loaded(broken_xls(), "a.xls")
    assert alone.value.reason == "corrupt"
    program = soffice(tmp_path, workbook({"S": [["商品", "价格"], ["耳机", "299"]]}))
    found = load_bytes(broken_xls(), name="a.xls", soffice=program)
    assert found.media_type == sniff.XLS
    assert outline(found.blocks) == ["# S", "[商品 | 价格] 1"]


def test_what_we_can_read_is_not_converted(tmp_path: Path) -> None:
    program = soffice(tmp_path, workbook({"S": [["不该", "出现"], ["x", "y"]]}))
    assert load_bytes(fixture("prices.xls"), name="a.xls", soffice=program) == loaded(fixture("prices.xls"), "a.xls")


@pytest.mark.parametrize("made", [b"", b"no workbook", b"PK\x03\x04 cut off"])
def test_what_libreoffice_cannot_read_either_keeps_its_reason(tmp_path: Path, made: bytes) -> None:
    with pytest.raises(DocumentRefused) as caught:
        load_bytes(broken_xls(), name="a.xls", soffice=soffice(tmp_path, made))
    assert caught.value.reason == "corrupt"


def test_a_program_that_is_not_there_is_no_harm(tmp_path: Path) -> None:
    with pytest.raises(DocumentRefused):
        load_bytes(broken_xls(), name="a.xls", soffice=tmp_path / "gone")


@pytest.mark.skipif(shutil.which("soffice") is None, reason="LibreOffice is not installed")
def test_the_real_one_converts() -> None:
    from ingest.loaders.libreoffice import converted
    from ingest.loaders.source import Source

    program = Path(str(shutil.which("soffice")))
    modern = converted(Source(fixture("policy.doc"), "policy.doc", sniff.DOC), program)
    assert modern is not None
    assert "无理由退货" in "\n".join(outline(loaded(modern.data, "a.docx").blocks))
