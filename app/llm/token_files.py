"""Brings the vocabularies that tokens are counted with: ``python -m app.llm.token_files FOLDER``.

They are data files inside two wheels of the package index, taken out without installing the packages:
llama-index-core (MIT) carries tiktoken's own cache with cl100k_base and o200k_base, dashscope (Apache-2.0) carries
Qwen's. The wheels are pinned by hash, the files checked by the sums in :mod:`app.llm.tokens`.
"""

import hashlib
import logging
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from app.llm.tokens import VOCABULARIES, Vocabulary

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Wheel:
    """Where vocabularies are found: ``members`` maps a vocabulary's name to its path in the wheel."""

    requirement: str
    sha256: str
    members: Mapping[str, str]


_TIKTOKEN_CACHE = "llama_index/core/_static/tiktoken_cache"
WHEELS = (
    Wheel(
        "llama-index-core==0.14.25",
        "caa7d9c5ac9b13dc33400cf8d5e92e689b6d1e4497eb9bfa50d6f52ca2eb22a1",
        {name: f"{_TIKTOKEN_CACHE}/{VOCABULARIES[name].file}" for name in ("o200k_base", "cl100k_base")},
    ),
    Wheel(
        "dashscope==2.0.2",
        "0602d1800f7433bdb7953560986eaf5146454ed3988636c0a91963ba24e74258",
        {"qwen": "dashscope/resources/qwen.tiktoken"},
    ),
)


def fetch(
    folder: Path,
    download: Callable[[Wheel, Path], Path] | None = None,
    *,
    wheels: Sequence[Wheel] = WHEELS,
    vocabularies: Mapping[str, Vocabulary] = VOCABULARIES,
) -> list[str]:
    """Put what is missing in ``folder``; → the names of the files that were.

    Raises ValueError for a file with another sum, subprocess.CalledProcessError when the index does not answer.
    """
    folder.mkdir(parents=True, exist_ok=True)
    fetched = []
    for wheel in wheels:
        members = [(vocabularies[name], path) for name, path in wheel.members.items()]
        missing = [(vocabulary, path) for vocabulary, path in members if not _is_there(folder, vocabulary)]
        if not missing:
            continue
        with tempfile.TemporaryDirectory() as scratch:
            archive = (download or download_wheel)(wheel, Path(scratch))
            with zipfile.ZipFile(archive) as opened:
                for vocabulary, path in missing:
                    _keep(folder, vocabulary, opened.read(path))
                    fetched.append(vocabulary.file)
    return fetched


def download_wheel(wheel: Wheel, folder: Path) -> Path:
    """The wheel by pip, which checks its hash; installs nothing."""
    wanted = folder / "wanted.txt"
    wanted.write_text(f"{wheel.requirement} --hash=sha256:{wheel.sha256}\n")
    command = [sys.executable, "-m", "pip", "download", "--quiet", "--disable-pip-version-check", "--no-deps"]
    command += ["--only-binary=:all:", "--require-hashes", "--dest", str(folder), "-r", str(wanted)]
    subprocess.run(command, check=True)  # noqa: S603 (our own words)
    return next(folder.glob("*.whl"))


def _is_there(folder: Path, vocabulary: Vocabulary) -> bool:
    path = folder / vocabulary.file
    return path.is_file() and hashlib.sha256(path.read_bytes()).hexdigest() == vocabulary.sha256


def _keep(folder: Path, vocabulary: Vocabulary, data: bytes) -> None:
    if hashlib.sha256(data).hexdigest() != vocabulary.sha256:
        raise ValueError(f"{vocabulary.file} is not the file that was expected.")
    part = folder / f"{vocabulary.file}.part"
    part.write_bytes(data)
    part.replace(folder / vocabulary.file)


def main(arguments: Sequence[str]) -> int:
    """Returns the exit status."""
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    if len(arguments) != 1:
        sys.stderr.write("usage: python -m app.llm.token_files FOLDER\n")
        return 2
    fetched = fetch(Path(arguments[0]).expanduser())
    log.info("%d vocabularies brought", len(fetched))
    return 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
