"""Reranking by a cross-encoder of sentence-transformers, in this process, on the CPU or on CUDA.

Only the CPU was run so far: no GPU was at hand.
"""

import asyncio
import json
import math
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from knowledge.errors import Unavailable
from knowledge.torch_models import Device, Precision, folder_of, identity, loading, place, require_extra

MARK = "config.json"
CHARACTERS = 2_000  # of a passage: more is beyond the window of 512 tokens of most, and padding for the others


class CrossEncoderReranker:
    """``model`` is a folder or a hub id (``name@revision``). One question at a time, in one event loop.

    Others wait. Once somebody gave up waiting for the model, they are told to do without it (``rerank_busy``) until it
    has ended: what is too slow for its time limit holds up nothing but itself.
    """

    def __init__(self, model: str, *, device: Device = "auto", precision: Precision = "auto", batch: int = 16) -> None:
        """Raises InvalidInput ``gpu_extra_missing``, ``model_folder_unusable``, ``model_not_fetched``,
        ``cuda_missing``."""
        require_extra("COPILOT_RERANKER")
        placed = place(device, precision)
        folder = folder_of(model, mark=MARK)
        with loading(model):
            _require_head(folder)
            self._model = _loaded(str(folder), placed.device, placed.dtype)
        self.model_id = identity(model, folder, placed.precision)
        self._batch = batch
        self._turn = asyncio.Lock()
        self._running = threading.Lock()

    async def scores(self, question: str, texts: Sequence[str]) -> list[float]:
        async with self._turn:
            return await asyncio.to_thread(self._scores, question, texts)

    async def close(self) -> None:
        """Nothing to close."""

    def _scores(self, question: str, texts: Sequence[str]) -> list[float]:
        import torch

        if not self._running.acquire(blocking=False):
            raise Unavailable("The reranker is still busy with another question.", code="rerank_busy")
        try:
            pairs = [(_sound(question), _sound(text[:CHARACTERS])) for text in texts]
            found = self._model.predict(pairs, batch_size=self._batch, show_progress_bar=False)
        except torch.OutOfMemoryError as full:
            raise Unavailable("The reranker has no memory left on its device.", code="rerank_unavailable") from full
        finally:
            self._running.release()
        if found.ndim != 1 or not all(map(math.isfinite, found)):
            raise Unavailable(
                "The reranker gave no score. Its model must have one output.", code="rerank_answer_invalid"
            )
        return [float(score) for score in found]


def _sound(text: str) -> str:
    """A lone surrogate is no text."""
    return text.encode("utf-8", "replace").decode()


def _require_head(folder: Path) -> None:
    """Raises ValueError for a model that would be given a head of random weights."""
    kinds = json.loads((folder / MARK).read_text(encoding="utf-8")).get("architectures") or [""]
    if not str(kinds[0]).endswith(("ForSequenceClassification", "ForCausalLM")):
        raise ValueError(f"{kinds[0] or 'it'} is no cross-encoder")


def _loaded(folder: str, device: str, dtype: Any) -> Any:
    from sentence_transformers import CrossEncoder

    return CrossEncoder(
        folder, device=device, model_kwargs={"dtype": dtype, "use_safetensors": True}, local_files_only=True
    )
