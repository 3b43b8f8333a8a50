"""Opening what is a ZIP inside (DOCX, PPTX, XLSX, ODT …) without being blown up by it."""

import io
import posixpath
import zipfile
from typing import IO

from lxml import etree  # type: ignore[import-untyped]

from ingest.loaders.source import too_large

MAX_UNPACKED = 1 << 30  # bytes of all members together
MAX_MARKUP = 96 << 20  # bytes of one XML part that is held as a tree; a tree takes about eight times as much
# Deflate reaches 1,032:1 at most. Formatted empty rows of real workbooks reach about 200:1.
MAX_RATIO = 300
_RATIO_MATTERS = 64 << 20  # below this a high ratio does no harm


class Archive:
    """A ZIP held in memory whose promises about sizes were checked. zipfile never reads past a promised size."""

    def __init__(self, data: bytes) -> None:
        self._zip = zipfile.ZipFile(io.BytesIO(data))
        self.members = self._zip.infolist()
        self.names = frozenset(info.filename for info in self._zip.infolist())
        self._by_lower = {name.lower(): name for name in self.names}
        unpacked = sum(info.file_size for info in self._zip.infolist())
        if unpacked > MAX_UNPACKED or (unpacked > _RATIO_MATTERS and unpacked > MAX_RATIO * len(data)):
            raise too_large(f"This file unpacks to {unpacked >> 20} MB, more than a document may.")

    def has(self, name: str) -> bool:
        return name.lower() in self._by_lower

    def open(self, name: str) -> IO[bytes]:
        """Stream a member; some writers get the case of names wrong. Raises KeyError if it is not there."""
        return self._zip.open(self._by_lower[name.lower()])

    def read(self, name: str) -> bytes:
        actual = self._by_lower[name.lower()]
        if self._zip.getinfo(actual).file_size > MAX_MARKUP:
            raise too_large(f"A part of this file unpacks to more than {MAX_MARKUP >> 20} MB.")
        return self._zip.read(actual)

    def member(self, member: zipfile.ZipInfo) -> bytes:
        """One of :attr:`members`, whatever its name: two may have the same."""
        return self._zip.read(member)

    def tree(self, name: str) -> tuple[etree._Element, bool]:
        """The XML of a member, and whether it had to be repaired. Raises etree.XMLSyntaxError if it can't be."""
        data = self.read(name)
        try:
            return etree.fromstring(data, _parser(recover=False)), False
        except etree.XMLSyntaxError:
            root = etree.fromstring(data, _parser(recover=True))
            if root is None:
                raise
            return root, True

    def relations(self, part: str) -> dict[str, tuple[str, str]]:
        """Relation id → (kind, target path) of a part of an OOXML package. Kind is the type's last word."""
        folder, name = posixpath.split(part)
        path = posixpath.join(folder, "_rels", f"{name}.rels")
        if not self.has(path):
            return {}
        found = {}
        for relation in self.tree(path)[0].iterchildren("{*}Relationship"):
            if relation.get("TargetMode") == "External":
                continue
            target = posixpath.normpath(posixpath.join("/", folder, relation.get("Target", ""))).lstrip("/")
            found[relation.get("Id", "")] = (relation.get("Type", "").rpartition("/")[2], target)
        return found


def _parser(*, recover: bool) -> etree.XMLParser:
    """No entities are expanded and nothing is fetched: a document is data."""
    return etree.XMLParser(recover=recover, resolve_entities=False, no_network=True, huge_tree=False)


def related(relations: dict[str, tuple[str, str]], kind: str) -> list[str]:
    """Targets of all relations of one kind, in order."""
    return [target for found, target in relations.values() if found == kind]
