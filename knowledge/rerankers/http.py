"""Reranking by an endpoint: ``POST …/rerank`` as Cohere, Jina, vLLM, SiliconFlow and others have it."""

import math
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from http import HTTPStatus
from typing import Any

import httpx

from knowledge.errors import Unavailable
from knowledge.model_ids import slug


class HttpReranker:
    """``url`` is the whole address, usually ending in ``/rerank``. Use it in one event loop.

    Sent is ``{model, query, documents, top_n}``, expected ``{"results": [{"index", "relevance_score"}]}`` in any order,
    also below ``output`` (DashScope). A text that the endpoint leaves out is worth less than all others.
    """

    def __init__(self, url: str, api_key: str, model: str, *, timeout: float = 10.0) -> None:
        self.model_id = slug(model)
        self._url = url
        self._model = model
        headers = {"Authorization": f"Bearer {api_key}"} if api_key else {}
        self._http = httpx.AsyncClient(headers=headers, timeout=timeout)

    async def scores(self, question: str, texts: Sequence[str]) -> list[float]:
        sendable = [text.encode("utf-8", "replace").decode() for text in (question, *texts)]
        body = {"model": self._model, "query": sendable[0], "documents": sendable[1:], "top_n": len(texts)}
        with _rerank_errors():
            answer = await self._http.post(self._url, json=body)
        _require_success(answer)
        return _scores(answer, len(texts))

    async def close(self) -> None:
        await self._http.aclose()


def _require_success(answer: httpx.Response) -> None:
    match answer.status_code:
        case HTTPStatus.UNAUTHORIZED | HTTPStatus.FORBIDDEN:
            raise Unavailable(
                "The rerank endpoint refused the key. Check COPILOT_RERANK_API_KEY.", code="rerank_key_refused"
            )
        case HTTPStatus.TOO_MANY_REQUESTS:
            raise Unavailable("The rerank endpoint is busy, or its quota is used up.", code="rerank_busy")
        case status if 400 <= status < 500:
            raise Unavailable(
                f"The rerank endpoint refused the request ({status}). Check COPILOT_RERANK_URL and "
                "COPILOT_RERANK_MODEL.",
                code="rerank_refused",
            )
        case status if not answer.is_success:
            raise Unavailable(f"The rerank endpoint fails ({status}).", code="rerank_unavailable")


def _scores(answer: httpx.Response, count: int) -> list[float]:
    """Raises Unavailable ``rerank_answer_invalid``: no list, an index twice or out of range, no number."""
    found: dict[int, float] = {}
    try:
        said: Any = answer.json()
        results = (said.get("output") or said)["results"]
        for result in results:
            found[int(result["index"])] = float(result["relevance_score"])
    except (ValueError, KeyError, TypeError, AttributeError) as exc:
        raise _invalid() from exc
    if len(found) != len(results) or not found.keys() <= set(range(count)) or not found:
        raise _invalid()
    if not all(map(math.isfinite, found.values())):
        raise _invalid()
    least = min(found.values())
    return [found.get(index, least - 1.0) for index in range(count)]


def _invalid() -> Unavailable:
    return Unavailable(
        "The rerank endpoint’s answer makes no sense. Check COPILOT_RERANK_URL and COPILOT_RERANK_MODEL.",
        code="rerank_answer_invalid",
    )


@contextmanager
def _rerank_errors() -> Generator[None]:
    try:
        yield
    except httpx.TimeoutException as exc:
        raise Unavailable("The rerank endpoint did not answer in time.", code="rerank_timeout") from exc
    except (httpx.HTTPError, httpx.InvalidURL) as exc:
        raise Unavailable("The rerank endpoint is not available right now.", code="rerank_unavailable") from exc
