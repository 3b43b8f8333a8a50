"""What was in an archive: files set down under numbers, each with the name that the archive gave it."""

from dataclasses import dataclass

from knowledge.errors import RefusalReason

_MOST_NAMED = 10


@dataclass(frozen=True, slots=True)
class Member:
    """``file`` lies in the folder it was unpacked to; ``name`` is a clean relative path with ``/``."""

    file: str
    name: str


@dataclass(frozen=True, slots=True)
class LeftOut:
    """A member that is not taken in, and the typed reason."""

    name: str
    reason: RefusalReason


@dataclass(frozen=True, slots=True)
class Unpacked:
    """Members in the archive's order. Files of operating systems (``__MACOSX``, ``Thumbs.db``) are in neither list."""

    members: tuple[Member, ...]
    left_out: tuple[LeftOut, ...] = ()

    @property
    def note(self) -> str:
        """A sentence for the archive's own row."""
        taken = f"{_files(len(self.members))} taken out of this archive and can be found under their own names"
        if not self.members:
            taken = "Nothing could be taken out of this archive"
        if not self.left_out:
            return f"{taken}."
        named = ", ".join(f"{left.name} ({left.reason})" for left in self.left_out[:_MOST_NAMED])
        more = " …" if len(self.left_out) > _MOST_NAMED else ""
        return f"{taken}; {_files(len(self.left_out))} left out: {named}{more}."


def folder_of(archive: str) -> str:
    """What the names of an archive's documents begin with. An archive that is not called one gets the ending, or it
    would stand for a folder of the same name that was uploaded file by file."""
    return f"{archive}/" if archive.lower().endswith(".zip") else f"{archive}.zip/"


def _files(count: int) -> str:
    return "1 file was" if count == 1 else f"{count} files were"
