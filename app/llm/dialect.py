"""Which optional fields an endpoint takes: every one is OpenAI-compatible, and hardly two take the same."""

from typing import Any

from app.llm.ports import ModelBadRequest


class Dialect:
    """Begins with what most endpoints take and learns from refusals; kept as long as the model is.

    ``max_tokens`` is called ``max_completion_tokens`` by OpenAI's reasoning models, which also take no
    ``temperature``; older servers do not know ``stream_options``.
    """

    def __init__(self) -> None:
        self._dropped: set[str] = set()
        self._renamed: dict[str, str] = {}
        self._suspect: str | None = None
        self._options_work = False

    def request(self, **fields: Any) -> dict[str, Any]:
        """The fields of a request as this endpoint takes them; those that are ``None`` are left out."""
        fields["stream_options"] = {"include_usage": True}
        kept = {name: value for name, value in fields.items() if value is not None and name not in self._dropped}
        return {self._renamed.get(name, name): value for name, value in kept.items()}

    def accepted(self) -> None:
        """The endpoint took a request as it was."""
        self._suspect = None
        self._options_work = "stream_options" not in self._dropped

    def learn(self, refusal: ModelBadRequest, request: dict[str, Any]) -> bool:
        """Draw the conclusion from a refused request. ``True`` if the next one will differ from it."""
        words = refusal.detail
        if "max_completion_tokens" in words and "max_tokens" in request:
            self._renamed["max_tokens"] = "max_completion_tokens"
            return True
        if "temperature" in words and "temperature" in request:
            self._dropped.add("temperature")
            return True
        if "stream_options" in request and ("stream_options" in words or "include_usage" in words):
            self._dropped.add("stream_options")
            return True
        return refusal.error_code == "model_bad_request" and self._guess(request)

    def _guess(self, request: dict[str, Any]) -> bool:
        """Some servers reject a field they do not know without naming it: try once without the one they know least."""
        if self._suspect is not None:
            self._dropped.discard(self._suspect)  # it was not that
            self._suspect = None
            return False
        if self._options_work or "stream_options" not in request:
            return False
        self._suspect = "stream_options"
        self._dropped.add(self._suspect)
        return True
