"""Vectors that come along, of texts that everybody's first start embeds: the sample documents.

A file of them is two arrays: ``keys`` (n, 16) bytes, blake2b of each text, and ``vectors`` (n, dimensions) float16 of
length 1 (rounding costs less than 1e-6 of a cosine). ``make samples`` writes it.
"""

import hashlib
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from knowledge.ports import Embedder, Vector

SAMPLES = Path(__file__).parent / "samples.npz"


class KnownVectors:
    """Read at the first text; a file that is not there knows nothing."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._rows: dict[bytes, Vector] | None = None

    def of(self, text: str) -> Vector | None:
        """float32 of length 1, or None for a text that is not among them."""
        if self._rows is None:
            self._rows = _read(self._path)
        return self._rows.get(_key(text))


def write(path: Path, texts: Sequence[str], embedder: Embedder) -> int:
    """Embed each text once and keep it in the file; → how many."""
    once = list(dict.fromkeys(texts))
    keys = np.array([np.frombuffer(_key(text), np.uint8) for text in once])
    np.savez(path, keys=keys, vectors=embedder.embed_passages(once).astype(np.float16))
    return len(once)


def _read(path: Path) -> dict[bytes, Vector]:
    if not path.exists():
        return {}
    with np.load(path) as kept:
        vectors = kept["vectors"].astype(np.float32)
        vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
        return {key.tobytes(): vector for key, vector in zip(kept["keys"], vectors, strict=True)}


def _key(text: str) -> bytes:
    return hashlib.blake2b(text.encode(errors="surrogatepass"), digest_size=16).digest()
