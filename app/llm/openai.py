"""Any OpenAI-compatible endpoint as a :class:`app.llm.ports.ChatModel`.

The SDK does authentication and the vendor's errors over :mod:`app.llm.transport`; the stream is read as bytes by
:mod:`app.llm.wire`.
"""

import asyncio
import logging
import random
from collections.abc import AsyncGenerator, AsyncIterator, Generator, Iterator, Sequence
from contextlib import aclosing, asynccontextmanager, contextmanager, suppress
from typing import Any, NoReturn, TypeVar, cast

import aiohttp
import httpx2
import openai

from app.llm import refusals
from app.llm.dialect import Dialect
from app.llm.patience import Patience
from app.llm.ports import (
    Attempted,
    Delta,
    Message,
    ModelBadRequest,
    ModelError,
    ModelInterrupted,
    ModelOutOfCredit,
    ModelRateLimited,
    ModelUnavailable,
    ToolSpec,
)
from app.llm.transport import AiohttpTransport
from app.llm.wire import BrokenStream, ChatStreamReader, ErrorInStream, as_event

T = TypeVar("T")

FIRST_BACK_OFF_S = 0.5
LONGEST_BACK_OFF_S = 4.0
LONGEST_RETRY_AFTER_S = 10.0  # a person is waiting: beyond this a clear sentence is better than silence
# Between two reads: what the model says meanwhile goes its way as one piece, for 0.1 ms of the processor.
# Where more than a hundred answers are written at once the pieces become longer, so that they take a third of a core at
# most; and in a process that wakes late, which has more to do than it gets done: all streams go on.
GATHER_S = 0.03
MANY_STREAMS = 100
GATHER_A_STREAM_S = 0.00055  # for each one more
LONGEST_GATHER_S = 0.25
TIMES_LATE = 4
DRAIN_S = 0.1  # for the end of the body after [DONE], so that the connection can be used again

log = logging.getLogger(__name__)


class OpenAIChatModel:
    """``base_url`` ends where ``/chat/completions`` begins, usually in ``/v1``; ``api_key`` may be empty.

    Timeouts are in seconds. ``first_token_timeout`` runs from the call to the first text or reasoning, retries
    included; ``between_tokens_timeout`` from one to the next. Comments that keep the connection alive extend neither.
    Rate limits, failures of the server and of the connection are retried ``max_retries`` times as long as nothing
    was yielded and the wait fits into ``first_token_timeout``; timeouts are not retried.

    Raises :class:`app.llm.ports.ModelRefusedKey` for a key that no HTTP header can carry. Belongs to one event loop;
    :meth:`aclose` before it ends.
    """

    def __init__(
        self,
        base_url: str,
        api_key: str,
        model: str,
        *,
        connect_timeout: float = 10.0,
        first_token_timeout: float = 60.0,
        between_tokens_timeout: float = 30.0,
        max_retries: int = 2,
    ) -> None:
        self._model = model
        self._key = api_key.strip()
        if not (self._key.isascii() and self._key.isprintable()):
            raise refusals.unusable_key()
        self._first_token_timeout = first_token_timeout
        self._between_tokens_timeout = between_tokens_timeout
        self._max_retries = max_retries
        self._dialect = Dialect()
        self._streams = 0  # that are read now
        timeout = httpx2.Timeout(None, connect=connect_timeout, pool=connect_timeout)
        self._client = openai.AsyncOpenAI(
            base_url=base_url,
            api_key=self._key or "none",  # local servers need none, the SDK insists on one
            timeout=timeout,
            max_retries=0,  # ours know whether something was read already, and how long a person waits
            http_client=openai.DefaultAsyncHttpxClient(
                transport=AiohttpTransport(base_url, connect_timeout=connect_timeout), timeout=timeout
            ),
        )
        # The SDK reads these from OPENAI_* and would send them to any endpoint; our settings do not have them.
        self._client.organization = self._client.project = None

    @property
    def name(self) -> str:
        return self._model

    async def aclose(self) -> None:
        """Close idle connections."""
        await self._client.close()

    async def stream(
        self,
        messages: Sequence[Message],
        *,
        temperature: float,
        max_tokens: int | None,
        tools: Sequence[ToolSpec] = (),
    ) -> AsyncGenerator[Delta, None]:
        """See :class:`app.llm.ports.ChatModel`."""
        with Patience(self._first_token_timeout, self._between_tokens_timeout) as patience:
            async with aclosing(self._tries(messages, temperature, max_tokens, tools, patience)) as deltas:
                async for delta in deltas:
                    yield delta

    async def _tries(
        self,
        messages: Sequence[Message],
        temperature: float,
        max_tokens: int | None,
        tools: Sequence[ToolSpec],
        patience: Patience,
    ) -> AsyncGenerator[Delta, None]:
        turns = [_turn(message) for message in messages]
        offered = [_tool(tool) for tool in tools] or None
        retries = 0
        while True:
            request = self._dialect.request(
                messages=turns, temperature=temperature, max_tokens=max_tokens, tools=offered
            )
            begun = False
            try:
                async with aclosing(self._attempt(request, patience)) as deltas:
                    async for delta in deltas:
                        begun = True
                        yield delta
            except ModelError as exc:
                if not begun and isinstance(exc, ModelBadRequest) and self._dialect.learn(exc, request):
                    continue
                seconds = _back_off(exc, retries)
                if begun or retries == self._max_retries or seconds is None or seconds > patience.left():
                    self._give_up(exc, begun=begun)
                log.info("model %s: %s, trying again in %.1f s", self._model, exc.error_code, seconds)
                yield Attempted(exc.error_code)
                await asyncio.sleep(seconds)
                retries += 1
            else:
                return

    async def _attempt(self, request: dict[str, Any], patience: Patience) -> AsyncGenerator[Delta, None]:
        """One request. The clock and the connection are handled here, the protocol is the reader's."""
        reader = ChatStreamReader()
        late_s = 0.0
        try:
            with _model_errors(self._key), self._counted():
                async with self._response(request, patience) as response, aclosing(_events(response)) as chunks:
                    while not reader.done and (data := await patience.wait(anext(chunks, None))) is not None:
                        deltas = reader.feed(data)
                        for delta in deltas:
                            yield delta
                        # After the yields: what our own reader takes is not the model's time.
                        patience.extend(heard=bool(deltas) or reader.calling, finished=reader.finished)
                        reader.calling = False
                        if deltas and not reader.done:
                            late_s = await _sleep(self._gather_s(late_s))
                    await _drain(chunks)
        except ModelError:
            if not (reader.finished or reader.done):
                raise
        with _model_errors(self._key):
            last = reader.close()
        for delta in last:
            yield delta

    @contextmanager
    def _counted(self) -> Generator[None]:
        self._streams += 1
        try:
            yield
        finally:
            self._streams -= 1

    def _gather_s(self, late_s: float) -> float:
        crowded = GATHER_S + GATHER_A_STREAM_S * max(0, self._streams - MANY_STREAMS)
        return min(max(crowded, TIMES_LATE * late_s), LONGEST_GATHER_S)

    @asynccontextmanager
    async def _response(self, request: dict[str, Any], patience: Patience) -> AsyncGenerator[httpx2.Response, None]:
        # As it is: through chat.completions the SDK looks at every argument, which is 0.3 of a request's 1.3 ms.
        asking = self._client.post(
            "/chat/completions",
            cast_to=httpx2.Response,
            body={"model": self._model, "stream": True, **request},
            options={"headers": {"Accept-Encoding": "identity"}},  # compression makes proxies wait for more
            stream=True,
            stream_cls=openai.AsyncStream[Any],
        )
        response = cast(httpx2.Response, await patience.wait(asking))
        try:
            self._dialect.accepted()
            yield response
        finally:
            await response.aclose()

    def _give_up(self, exc: ModelError, *, begun: bool) -> NoReturn:
        """Log once, here. After the first delta an outage is an interruption: nobody else can take over."""
        if begun and isinstance(exc, ModelUnavailable | ModelRateLimited | ModelOutOfCredit):
            said = exc.detail
            exc = ModelInterrupted("The model stopped in the middle of its answer. Please ask again.")
            exc.detail = said
        log.warning("model %s: %s", self._model, exc.error_code)
        log.debug("model %s said: %s", self._model, exc.detail)
        raise exc from None


async def _sleep(seconds: float) -> float:
    """→ by how many seconds it woke late."""
    due = asyncio.get_running_loop().time() + seconds
    await asyncio.sleep(seconds)
    return asyncio.get_running_loop().time() - due


def _turn(message: Message) -> dict[str, Any]:
    turn: dict[str, Any] = {"role": message.role, "content": message.content}
    if message.calls:
        turn["tool_calls"] = [
            {"id": call.id, "type": "function", "function": {"name": call.name, "arguments": call.arguments}}
            for call in message.calls
        ]
    if message.call_id is not None:
        turn["tool_call_id"] = message.call_id
    return turn


def _tool(tool: ToolSpec) -> dict[str, Any]:
    function = {"name": tool.name, "description": tool.description, "parameters": dict(tool.parameters)}
    return {"type": "function", "function": function}


def _back_off(exc: ModelError, retries: int) -> float | None:
    """Seconds to wait before the next try; ``None`` when there is no use in one."""
    if not isinstance(exc, ModelUnavailable | ModelRateLimited):
        return None
    if exc.retry_after_s is not None:
        return exc.retry_after_s if exc.retry_after_s <= LONGEST_RETRY_AFTER_S else None
    jitter = random.uniform(0.75, 1.0)  # noqa: S311 (spreads retries, keeps no secret)
    return min(FIRST_BACK_OFF_S * 2.0**retries, LONGEST_BACK_OFF_S) * jitter


async def _events(response: httpx2.Response) -> AsyncGenerator[bytes, None]:
    """The body as it arrives; a whole completion is made to look like a stream of one event."""
    media_type = response.headers.get("content-type", "")
    if media_type.startswith("text/html"):
        raise refusals.not_a_model()
    if media_type.startswith("application/json"):
        yield as_event(await response.aread())
        return
    if "content-encoding" in response.headers or not isinstance(response.stream, httpx2.AsyncByteStream):
        body: AsyncIterator[bytes] = response.aiter_bytes()
    else:
        body = aiter(response.stream)  # what decodes nothing is two generators that every piece goes through
    async for chunk in body:
        yield chunk


async def _drain(chunks: AsyncGenerator[bytes, None]) -> None:
    """Read to the end of the body, if it comes soon, so that the connection can be used again."""
    with suppress(TimeoutError):
        async with asyncio.timeout(DRAIN_S):
            async for _ in chunks:
                pass


@contextmanager
def _model_errors(key: str) -> Generator[None]:
    """What the SDK and the stream raise → our errors.

    The originals are dropped on purpose: some servers repeat the key in what they say, and tracebacks reach logs.
    """
    try:
        yield
    except openai.APIStatusError as exc:
        error = refusals.of_status(exc.status_code, exc.response.headers, exc.message)
        raise _with_detail(error, exc.message, key) from None
    except ErrorInStream as exc:
        said = f"{exc.code} {exc.message}"
        raise _with_detail(refusals.in_stream(said), said, key) from None
    except BrokenStream as exc:
        raise _with_detail(refusals.failing(), str(exc), key) from None
    except (openai.OpenAIError, httpx2.HTTPError, aiohttp.ClientError, OSError) as exc:
        causes = list(_causes(exc))
        late = any(isinstance(cause, TimeoutError) for cause in causes)
        error = refusals.too_slow("connect") if late else refusals.unreachable()
        raise _with_detail(error, " < ".join(map(repr, causes)), key) from None


def _causes(exc: BaseException | None) -> Iterator[BaseException]:
    while exc is not None:
        yield exc
        exc = exc.__cause__


def _with_detail(error: ModelError, said: str, key: str) -> ModelError:
    error.detail = (said.replace(key, "…") if len(key) > 3 else said)[:500]
    return error
