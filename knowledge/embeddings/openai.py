"""Embeddings from any OpenAI-compatible endpoint (OpenAI, DashScope, vLLM, Ollama, text-embeddings-inference, …)."""

import re
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from functools import cached_property

import numpy as np
import openai

from knowledge.errors import Unavailable
from knowledge.ports import Vector


class OpenAIEmbedder:
    """``base_url`` ends where ``/embeddings`` begins, usually in ``/v1``. Thread-safe.

    ``dimensions`` is sent only if it is set (not every model can shorten its vectors); otherwise the first question
    for it asks the endpoint. ``batch`` texts go in one request: DashScope takes 10, OpenAI 2,048. ``timeout`` is in
    seconds and for one attempt; rate limits, failures of the server and of the connection are retried twice.

    Every method raises Unavailable: ``embedder_key_refused``, ``embedder_model_not_found``, ``embedder_busy`` (rate
    limit), ``embedder_timeout``, ``embedder_refused`` (the request), ``embedder_answer_invalid``,
    ``embedder_unavailable``.
    """

    def __init__(
        self,
        base_url: str,
        api_key: str,
        model: str,
        *,
        dimensions: int | None = None,
        timeout: float = 30.0,
        batch: int = 10,
        max_retries: int = 2,
    ) -> None:
        self._model = model
        self._asked_dimensions = dimensions
        self._batch = batch
        self._client = openai.OpenAI(
            base_url=base_url,
            api_key=api_key or "none",  # local servers need none, the SDK insists on one
            timeout=timeout,
            max_retries=max_retries,
        )

    def close(self) -> None:
        """Closes the connections."""
        self._client.close()

    @property
    def model_id(self) -> str:
        """The model's name in the letters that a collection's name may have."""
        name = f"{self._model}-{self._asked_dimensions}" if self._asked_dimensions else self._model
        return re.sub(r"[^a-z0-9.-]+", "-", name.lower()).strip("-.")

    @cached_property
    def dimensions(self) -> int:
        return self._asked_dimensions or len(self.embed_query("dimensions"))

    def embed_passages(self, texts: Sequence[str]) -> Vector:
        if not texts:
            return np.zeros((0, self.dimensions), np.float32)
        parts = [self._request(texts[at : at + self._batch]) for at in range(0, len(texts), self._batch)]
        return np.concatenate(parts)

    def embed_query(self, text: str) -> Vector:
        vector: Vector = self._request([text])[0]
        return vector

    def _request(self, texts: Sequence[str]) -> Vector:
        # An empty text is refused by most; a lone surrogate can't be sent.
        inputs = [(text or " ").encode("utf-8", "replace").decode() for text in texts]
        with _embedding_errors(self._model):
            response = self._client.embeddings.create(
                model=self._model, input=inputs, dimensions=self._asked_dimensions or openai.omit
            )
            rows = [item.embedding for item in sorted(response.data, key=lambda item: item.index)]
        return _unit_vectors(rows, len(texts), self._asked_dimensions)


def _unit_vectors(rows: Sequence[Sequence[float]], texts: int, dimensions: int | None) -> Vector:
    """What came back, checked and brought to length 1: not every server normalises."""
    try:
        vectors = np.array(rows, np.float32)
    except ValueError as exc:  # rows of different lengths, or something that is not a number
        raise _invalid("vectors of different lengths") from exc
    if vectors.ndim != 2 or len(vectors) != texts:
        raise _invalid(f"{len(rows)} vectors for {texts} texts")
    if dimensions and vectors.shape[1] != dimensions:
        raise _invalid(f"{vectors.shape[1]} dimensions instead of {dimensions}")
    lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
    if not (np.isfinite(lengths).all() and (lengths > 0).all()):
        raise _invalid("a vector without a direction")
    unit: Vector = vectors / lengths
    return unit


def _invalid(what: str) -> Unavailable:
    return Unavailable(
        f"The embedding endpoint answered with {what}. Check COPILOT_EMBEDDING_MODEL.", code="embedder_answer_invalid"
    )


@contextmanager
def _embedding_errors(model: str) -> Generator[None]:
    try:
        yield
    except (openai.AuthenticationError, openai.PermissionDeniedError) as exc:
        raise Unavailable(
            "The embedding endpoint refused the key. Check COPILOT_EMBEDDING_API_KEY.", code="embedder_key_refused"
        ) from exc
    except openai.NotFoundError as exc:
        raise Unavailable(
            f"The embedding endpoint does not know the model “{model}”. "
            "Check COPILOT_EMBEDDING_MODEL and COPILOT_EMBEDDING_BASE_URL.",
            code="embedder_model_not_found",
        ) from exc
    except openai.RateLimitError as exc:
        raise Unavailable(
            "The embedding endpoint is busy, or its quota is used up. Try again later.", code="embedder_busy"
        ) from exc
    except openai.APITimeoutError as exc:
        raise Unavailable("The embedding endpoint did not answer in time.", code="embedder_timeout") from exc
    except (openai.BadRequestError, openai.UnprocessableEntityError) as exc:
        raise Unavailable(
            f"The embedding endpoint refused the texts ({exc.message}).", code="embedder_refused"
        ) from exc
    except openai.OpenAIError as exc:
        raise Unavailable("The embedding endpoint is not available right now.", code="embedder_unavailable") from exc
    except (ValueError, TypeError, AttributeError) as exc:
        # The SDK does not check answers: what is no embedding fails in it or here, in one of these ways.
        raise _invalid("something that is no vector") from exc
