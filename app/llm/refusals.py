"""What endpoints say when they refuse → our errors, with a sentence that says what to do.

Statuses come first; words decide where vendors disagree about them: DashScope reports unpaid bills with 400 and
Gemini a wrong key, OpenAI an empty account with 429, DeepSeek with 402.
"""

import math
import re
import time
from collections.abc import Mapping
from email.utils import parsedate_to_datetime

from app.llm.ports import (
    ModelBadRequest,
    ModelError,
    ModelOutOfCredit,
    ModelRateLimited,
    ModelRefusedKey,
    ModelTimeout,
    ModelUnavailable,
)

_NO_CREDIT = re.compile(r"insufficient[ _](quota|balance|credit)|exceeded your current quota|arrear|overdue|余额|欠费")
_BAD_KEY = re.compile(
    r"(invalid|incorrect|wrong)[ _]?(api|access)?[ _-]?key|key not valid|invalid_api_key|unauthorized"
)
_TOO_LONG = re.compile(
    r"context[ _]?(length|window|size)|maximum context|(prompt|input)( \w+)? (is )?too long"
    r"|too many (input )?tokens|range of input length|max(imum)?[ _](input|prompt)|超长|过长"
)
_WITHHELD = re.compile(
    r"content[ _]?(filter|policy|management)|content_?exists_?risk|content exists risk|data_?inspection|safety system"
    r"|inappropriate content|敏感|不安全|违规"
)
_LIMITED = re.compile(r"rate[ _-]?limit|too many requests|throttl|\b429\b|限流|限速")
_NOT_FOUND = re.compile(r"model[ _]not[ _]found|model .*does not exist|\b404\b")

_TIMEOUT_SENTENCES = {
    "connect": "The model's endpoint could not be reached in time. Check COPILOT_MODEL_BASE_URL and the network.",
    "first_token": "The model did not begin to answer in time. Please try again.",
    "between_tokens": "The model stopped answering half-way. Please ask again.",
}


def too_slow(phase: str) -> ModelTimeout:
    """``phase`` as in :class:`app.llm.ports.ModelTimeout`."""
    return ModelTimeout(_TIMEOUT_SENTENCES[phase], phase=phase)


def unreachable() -> ModelUnavailable:
    """No connection, or one that broke."""
    return ModelUnavailable(
        "The model's endpoint cannot be reached. Check COPILOT_MODEL_BASE_URL, and whether the model is running."
    )


def failing() -> ModelUnavailable:
    """It answers, but not with an answer."""
    return ModelUnavailable("The model is not available right now. Please try again in a moment.")


def unusable_key() -> ModelRefusedKey:
    """A key with characters that no key has, as they come along when one copies too much."""
    return ModelRefusedKey("COPILOT_MODEL_API_KEY has characters that no key has. Copy it again.")


def not_a_model() -> ModelBadRequest:
    """Something answered, and it was no chat endpoint."""
    return ModelBadRequest(
        "There is no chat model at this address. Check COPILOT_MODEL_BASE_URL (it usually ends in /v1).",
        code="model_not_found",
    )


def withheld() -> ModelBadRequest:
    """The endpoint's filter objects to the question or to the answer; any other endpoint is spared it."""
    return ModelBadRequest(
        "The model's endpoint withheld the answer: its filter objects. Say it differently.", code="model_withheld"
    )


def of_status(status: int, headers: Mapping[str, str], words: str) -> ModelError:
    """A refused request: HTTP status, response headers, and everything that was said."""
    if status == 402:
        return _no_credit()
    if status in {401, 403}:
        return _refused_key()
    if status == 404:
        return _not_found()
    if (special := _by_words(words.lower())) and not isinstance(special, ModelRateLimited):
        return special
    error: ModelError
    if status == 429:
        error = _limited()
    elif status in {408, 409, 425} or status >= 500:
        error = failing()
    else:
        return ModelBadRequest("The model's endpoint refused the request.", status=status)
    error.retry_after_s = _retry_after(headers)
    return error


def in_stream(words: str) -> ModelError:
    """An error object in the middle of a stream that had begun with 200."""
    return _by_words(words.lower()) or failing()


def _by_words(words: str) -> ModelError | None:
    if _NO_CREDIT.search(words):
        return _no_credit()
    if _TOO_LONG.search(words):
        return ModelBadRequest("There is too much text for this model. Ask about less.", code="model_prompt_too_long")
    if _WITHHELD.search(words):
        return withheld()
    if _BAD_KEY.search(words):
        return _refused_key()
    if _LIMITED.search(words):
        return _limited()
    return _not_found() if _NOT_FOUND.search(words) else None


def _no_credit() -> ModelOutOfCredit:
    return ModelOutOfCredit("The account of the model's endpoint has no credit left. Top it up, or use another key.")


def _refused_key() -> ModelRefusedKey:
    return ModelRefusedKey("The model's endpoint refused the key. Check COPILOT_MODEL_API_KEY.")


def _not_found() -> ModelBadRequest:
    return ModelBadRequest(
        "The endpoint does not know this model. Check COPILOT_MODEL_NAME and COPILOT_MODEL_BASE_URL.",
        code="model_not_found",
    )


def _limited() -> ModelRateLimited:
    return ModelRateLimited("The model's endpoint asks to slow down. Please try again in a moment.")


def _retry_after(headers: Mapping[str, str]) -> float | None:
    """Seconds; infinite when the endpoint says that trying again is useless; ``None`` when it says nothing."""
    if headers.get("x-should-retry") == "false":
        return math.inf
    for name, unit in (("retry-after-ms", 0.001), ("retry-after", 1.0)):
        value = headers.get(name, "")
        if re.fullmatch(r"\d+(\.\d+)?", value):
            return float(value) * unit
    try:
        return max(0.0, parsedate_to_datetime(headers.get("retry-after", "")).timestamp() - time.time())
    except (ValueError, OverflowError):
        return None
