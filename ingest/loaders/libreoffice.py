"""Office 97–2003 by way of LibreOffice, for files that our own readers cannot read."""

import subprocess
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory

from ingest import sniff
from ingest.loaders.source import Source

# A first start of LibreOffice takes 3 to 8 s. A parser's own process is stopped after 30 s of silence, and LibreOffice
# with it, which is several processes and outlives the first of them; this limit is for who reads files without one.
SECONDS = 60
_MODERN = {
    sniff.DOC: ("doc", "docx", sniff.DOCX),
    sniff.XLS: ("xls", "xlsx", sniff.XLSX),
    sniff.PPT: ("ppt", "pptx", sniff.PPTX),
}


def converted(source: Source, soffice: Path) -> Source | None:
    """The same document in its modern format; None if LibreOffice does not know it, or not in time.

    Every conversion has a profile of its own: two at a time would share one, and the second would give up.
    """
    if source.media_type not in _MODERN:
        return None
    old, new, media_type = _MODERN[source.media_type]
    with TemporaryDirectory(prefix="soffice-") as place:
        folder = Path(place)
        original, made = folder / f"document.{old}", folder / "made" / f"document.{new}"
        original.write_bytes(source.data)
        command = [
            str(soffice),
            f"-env:UserInstallation={(folder / 'profile').as_uri()}",
            *("--headless", "--norestore", "--nologo", "--convert-to", new, "--outdir", str(made.parent)),
            str(original),
        ]
        try:
            subprocess.run(  # noqa: S603 - the program that the operator installed
                command,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                timeout=SECONDS,
                check=True,
            )
            data = made.read_bytes()
        except (OSError, subprocess.SubprocessError):
            return None
    found = sniff.sniff(data, made.name)
    return replace(source, data=data, media_type=found) if found == media_type else None
