"""Embeddings from any sentence-transformers model, in this process, on the CPU or on CUDA.

A text longer than the model's window is cut by the model. Only the CPU was run so far: no GPU was at hand.
"""

import threading
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from knowledge.embeddings.remembered import RememberedQuestions
from knowledge.errors import Unavailable
from knowledge.model_ids import variant
from knowledge.ports import Vector
from knowledge.torch_models import Device, Precision, folder_of, identity, loading, place, require_extra

# Characters of the texts of one run, each counted as long as the longest: padding is work, too. On the CPU more texts
# at once gain nothing; a GPU wants work.
_CHARACTERS = {"cpu": 8_192, "cuda": 262_144}


class SentenceTransformersEmbedder:
    """``model`` is a folder or a hub id (``name@revision``). Thread-safe: texts are run one batch at a time.

    A question and a passage begin with the model's own prompts (config_sentence_transformers.json), unless
    ``query_prompt`` and ``passage_prompt`` say otherwise; "" is none. ``threads`` is of the CPU.
    """

    def __init__(
        self,
        model: str,
        *,
        device: Device = "auto",
        precision: Precision = "auto",
        query_prompt: str | None = None,
        passage_prompt: str | None = None,
        dimensions: int | None = None,
        threads: int | None = None,
    ) -> None:
        """Raises InvalidInput ``gpu_extra_missing``, ``model_folder_unusable``, ``model_not_fetched``,
        ``cuda_missing``."""
        require_extra("COPILOT_EMBEDDER")
        placed = place(device, precision)
        folder = folder_of(model)
        with loading(model):
            self._model = _loaded(str(folder), placed.device, placed.dtype, dimensions, threads)
            self.dimensions = int(self._model.get_embedding_dimension())
        self.model_id = identity(model, folder, placed.precision) + variant(query_prompt, passage_prompt, dimensions)
        self._prompts = {"query": query_prompt, "passage": passage_prompt}
        self._characters = _CHARACTERS[placed.device]
        self._lock = threading.Lock()
        self._questions = RememberedQuestions()

    def embed_passages(self, texts: Sequence[str]) -> Vector:
        """Raises Unavailable ``embedder_unavailable``: the device has no memory left."""
        found = np.zeros((len(texts), self.dimensions), np.float32)
        for rows in _batches(texts, self._characters):
            found[rows] = self._run(self._model.encode_document, [texts[row] for row in rows], "passage")
        return found

    def embed_query(self, text: str) -> Vector:
        """Raises as ``embed_passages``."""
        return self._questions.vector(text, lambda asked: self._run(self._model.encode_query, [asked], "query")[0])

    def _run(self, encode: Any, texts: Sequence[str], kind: str) -> Vector:
        import torch

        sound = [text.encode("utf-8", "replace").decode() for text in texts]  # a lone surrogate is no text
        options = {"prompt": self._prompts[kind], "batch_size": len(sound)}
        try:
            with self._lock:  # tokenizers are not for several threads
                vectors = encode(sound, convert_to_tensor=True, show_progress_bar=False, **options).float().cpu()
        except torch.OutOfMemoryError as full:
            raise Unavailable(
                "The embedding model has no memory left on its device. Try again, or set COPILOT_EMBEDDING_DEVICE=cpu.",
                code="embedder_unavailable",
            ) from full
        rows: Vector = vectors.numpy()
        lengths = np.linalg.norm(rows, axis=1, keepdims=True)
        if not (np.isfinite(lengths).all() and (lengths > 0).all()):
            raise Unavailable(
                "The embedding model gave a vector without a direction. Set COPILOT_EMBEDDING_PRECISION=fp32.",
                code="embedder_answer_invalid",
            )
        unit: Vector = rows / lengths
        return unit


def _loaded(folder: str, device: str, dtype: Any, dimensions: int | None, threads: int | None) -> Any:
    import torch
    from sentence_transformers import SentenceTransformer

    if threads:
        torch.set_num_threads(threads)
    settings = {"dtype": dtype, "use_safetensors": True}
    return SentenceTransformer(
        folder, device=device, model_kwargs=settings, truncate_dim=dimensions, local_files_only=True
    )


def _batches(texts: Sequence[str], characters: int) -> Iterator[list[int]]:
    """Places of texts of like length together, the shortest first."""
    batch: list[int] = []
    for row in sorted(range(len(texts)), key=lambda row: len(texts[row])):
        if batch and max(1, len(texts[row])) * (len(batch) + 1) > characters:
            yield batch
            batch = []
        batch.append(row)
    if batch:
        yield batch
