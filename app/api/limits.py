"""Bodies that are too large are stopped while they come in, before anything of them is kept."""

from collections.abc import Mapping

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from app.errors import refusal, status_of
from knowledge.errors import DocumentRefused

FORM_BYTES = 1 << 20  # what a multipart form may have around its file


class BodyLimit:
    """ASGI middleware: answers 413 ``too_large`` to a body of more than ``max_bytes`` and a form's worth.

    ``larger`` has the paths that take more: of those that read their body only once they know who sends it.
    """

    def __init__(self, app: ASGIApp, max_bytes: int, larger: Mapping[str, int] | None = None) -> None:
        self._app = app
        self._max_bytes = max_bytes
        self._larger = larger or {}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        limit = self._larger.get(scope["path"], self._max_bytes) + FORM_BYTES
        headers = dict(scope["headers"])
        announced = headers.get(b"content-length", b"")
        if announced.isdigit() and b"transfer-encoding" not in headers:  # the server hands on no more than that
            if int(announced) > limit:
                await self._refuse(scope, receive, send)
            else:
                await self._app(scope, receive, send)
            return
        seen = 0
        refused = False

        async def counted() -> Message:
            nonlocal seen
            message = await receive()
            seen += len(message.get("body", b""))
            # a body that announced nothing: what is over the limit is not handed on
            return {"type": "http.disconnect"} if seen > limit else message

        async def answered(message: Message) -> None:
            nonlocal refused
            if seen <= limit:
                await send(message)
            elif not refused:
                refused = True
                await self._refuse(scope, receive, send)

        await self._app(scope, counted, answered)

    async def _refuse(self, scope: Scope, receive: Receive, send: Send) -> None:
        megabytes = self._larger.get(scope["path"], self._max_bytes) >> 20
        error = DocumentRefused("too_large", f"The file is larger than {megabytes} MB. Split it, or raise the limit.")
        await refusal(scope["path"], status_of(error), error.error_code, error.message)(scope, receive, send)
