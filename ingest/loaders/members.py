"""A ZIP of documents → its files, under names that cannot leave their folder and in numbers that cannot flood it."""

import zipfile
import zlib
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from ingest import sniff
from ingest.encoding import decode
from ingest.loaders.archive import MAX_UNPACKED, Archive
from ingest.loaders.source import Progress, parsing, silent, too_large
from ingest.sources import clean_name
from ingest.unpacked import LeftOut, Member, Unpacked, folder_of
from knowledge.errors import DocumentRefused, InvalidInput, RefusalReason

MOST_MEMBERS = 2_000
MOST_LEVELS = 2  # an archive, and archives in it
_UTF8_NAME = 0x800  # bit 11 of a member's flags: its name is UTF-8
_ENCRYPTED = 0x1
_SYSTEM_FOLDERS = frozenset(("__macosx", ".git", ".svn", "@eadir"))
_SYSTEM_FILES = frozenset((".ds_store", "thumbs.db", "desktop.ini", ".localized"))


def unpack(path: Path, *, name: str, folder: Path, max_bytes: int, progress: Progress = silent) -> Unpacked:
    """Members of up to ``max_bytes`` each; archives inside are unpacked, too, and those inside them left out.

    Raises DocumentRefused: ``too_large`` for more than :data:`MOST_MEMBERS` or what unpacks to more than a document
    may, ``corrupt``, and a typed reason where nothing can be taken out.
    """
    found = _Found(folder, max_bytes, progress)
    with parsing("ZIP"):
        found.take(path.read_bytes(), above=folder_of(name), level=1)
    unpacked = Unpacked(tuple(found.members), tuple(found.left_out))
    if not unpacked.members:
        reasons = Counter(left.reason for left in unpacked.left_out).most_common(1)
        reason: RefusalReason = reasons[0][0] if reasons else "empty"
        raise DocumentRefused(reason, unpacked.note)
    return unpacked


@dataclass(slots=True)
class _Found:
    folder: Path
    max_bytes: int
    progress: Progress
    members: list[Member] = field(default_factory=list)
    left_out: list[LeftOut] = field(default_factory=list)
    names: set[str] = field(default_factory=set)
    unpacked: int = 0

    def take(self, data: bytes, *, above: str, level: int) -> None:
        archive = Archive(data)
        members = [member for member in archive.members if not member.is_dir()]
        names = _names(members)
        self._require_room(len(members), sum(member.file_size for member in members))
        for done, (member, name) in enumerate(zip(members, names, strict=True)):
            if level == 1:
                self.progress(done, len(members))
            if not _is_system(name):
                self._take_member(archive, member, above, name, level)

    def _take_member(self, archive: Archive, member: zipfile.ZipInfo, above: str, name: str, level: int) -> None:
        try:
            name = self._unique(clean_name(above + clean_name(name)))
        except InvalidInput:  # no name, or too long a one
            self.left_out.append(LeftOut(name[:100], "unsupported"))
            return
        reason = self._why_not(member)
        if reason is None:
            reason = self._keep(archive, member, name, level)
        if reason is not None:
            self.left_out.append(LeftOut(name, reason))

    def _why_not(self, member: zipfile.ZipInfo) -> RefusalReason | None:
        if member.flag_bits & _ENCRYPTED:
            return "encrypted"
        if member.file_size > self.max_bytes:
            return "too_large"
        return "empty" if member.file_size == 0 else None

    def _keep(self, archive: Archive, member: zipfile.ZipInfo, name: str, level: int) -> RefusalReason | None:
        """Set one member down, or unpack it; → why it was left out."""
        try:
            data = archive.member(member)
        except (zipfile.BadZipFile, zlib.error, EOFError, OSError, RuntimeError, ValueError, LookupError):
            return "corrupt"
        if data.startswith(b"PK\x03\x04") and sniff.sniff(data, name) == sniff.ZIP:
            if level >= MOST_LEVELS:
                return "unsupported"
            try:
                self.take(data, above=f"{name}/", level=level + 1)
            except zipfile.BadZipFile:
                return "corrupt"
            return None
        file = f"{len(self.members):04d}"
        (self.folder / file).write_bytes(data)
        self.members.append(Member(file, name))
        return None

    def _require_room(self, members: int, size: int) -> None:
        self.unpacked += size
        if len(self.members) + len(self.left_out) + members > MOST_MEMBERS:
            raise too_large(f"This archive holds more than {MOST_MEMBERS:,} files.")
        if self.unpacked > MAX_UNPACKED:
            raise too_large(f"This archive unpacks to more than {MAX_UNPACKED >> 20} MB.")

    def _unique(self, name: str) -> str:
        """Two members may have one name: the later is numbered."""
        stem, dot, ending = name.rpartition(".")
        unique, count = name, 1
        while unique in self.names:
            count += 1
            unique = f"{stem} ({count}).{ending}" if dot and "/" not in ending else f"{name} ({count})"
        self.names.add(unique)
        return unique


def _names(members: Sequence[zipfile.ZipInfo]) -> list[str]:
    """Names as they were given. What is not marked as UTF-8 is in the encoding of the machine that packed it, one for
    the whole archive: told from all names together, for one alone may be two characters long."""
    raw = [b"" if member.flag_bits & _UTF8_NAME else member.filename.encode("cp437") for member in members]
    unmarked = b"\n".join(name for name in raw if not name.isascii())
    encoding = decode(unmarked).encoding if unmarked else "cp437"
    if encoding in ("cp1252", "utf-16-le", "utf-16-be"):  # what nobody packs with; Western ones use DOS's
        encoding = "cp437"
    return [
        member.filename if member.flag_bits & _UTF8_NAME else name.decode(encoding, errors="replace")
        for member, name in zip(members, raw, strict=True)
    ]


def _is_system(name: str) -> bool:
    *folders, file = name.lower().replace("\\", "/").split("/")
    return file in _SYSTEM_FILES or file.startswith(("._", "~$")) or not _SYSTEM_FOLDERS.isdisjoint(folders)
