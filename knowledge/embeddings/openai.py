"""Embeddings from any OpenAI-compatible endpoint (OpenAI, DashScope, vLLM, Ollama, text-embeddings-inference, …)."""

from collections.abc import Generator, Sequence
from contextlib import contextmanager

import numpy as np
import openai

from knowledge.embeddings.remembered import RememberedQuestions
from knowledge.errors import Unavailable
from knowledge.model_ids import slug, variant
from knowledge.ports import Vector

# At most, over scripts and tokenizers: a Chinese character is 3 bytes and 1 to 1.5 tokens, an English word 6 and 1.3.
BYTES_A_TOKEN = 2


class OpenAIEmbedder:
    """``base_url`` ends where ``/embeddings`` begins, usually in ``/v1``. Thread-safe.

    ``dimensions`` is sent only if it is set (not every model can shorten its vectors); otherwise the first question
    for it asks the endpoint. ``batch`` texts go in one request: DashScope takes 10, OpenAI 2,048. Of a text longer than
    ``max_tokens`` the beginning is embedded: an endpoint refuses it whole. ``timeout`` is in seconds and for one
    attempt; rate limits, failures of the server and of the connection are retried twice.

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
        max_tokens: int = 8000,
        query_prompt: str | None = None,
        passage_prompt: str | None = None,
    ) -> None:
        self._model = model
        self._asked_dimensions = dimensions
        self._batch = batch
        self._longest = max_tokens * BYTES_A_TOKEN
        self._prompts = (query_prompt or "", passage_prompt or "")
        self._learnt: int | None = dimensions
        self._questions = RememberedQuestions()
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
        """The model's name in the letters that a collection's name may have, and what else makes other vectors."""
        query, passage = self._prompts
        return slug(self._model) + variant(query or None, passage or None, self._asked_dimensions)

    @property
    def dimensions(self) -> int:
        return self._learnt or len(self.embed_query("dimensions"))

    def embed_passages(self, texts: Sequence[str]) -> Vector:
        if not texts:
            return np.zeros((0, self.dimensions), np.float32)
        prompted = [self._prompts[1] + text for text in texts]
        parts = [self._request(prompted[at : at + self._batch]) for at in range(0, len(texts), self._batch)]
        return np.concatenate(parts)

    def embed_query(self, text: str) -> Vector:
        return self._questions.vector(text, lambda asked: self._request([self._prompts[0] + asked])[0])

    def _request(self, texts: Sequence[str]) -> Vector:
        inputs = [self._sendable(text) for text in texts]
        with _embedding_errors(self._model):
            response = self._client.embeddings.create(
                model=self._model, input=inputs, dimensions=self._asked_dimensions or openai.omit
            )
            rows = [item.embedding for item in sorted(response.data, key=lambda item: item.index)]
        vectors = _unit_vectors(rows, len(texts), self._learnt)
        self._learnt = vectors.shape[1]  # an endpoint that changes its mind is refused: one collection, one length
        return vectors

    def _sendable(self, text: str) -> str:
        """An empty text is refused by most; a lone surrogate can't be sent."""
        return (text or " ").encode("utf-8", "replace")[: self._longest].decode(errors="ignore")


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
