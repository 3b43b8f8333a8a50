"""The sentences the bot says, and the words of its cards."""

from collections.abc import Mapping
from pathlib import Path

from app.console.job_views import explained
from knowledge.language import Language, Texts

_TEXTS = Texts(Path(__file__).parent / "texts.json")
word = _TEXTS.word

# Codes that need the same from whoever reads them. ``setup`` names the code: an administrator can look it up.
_GROUPS: Mapping[str, tuple[str, ...]] = {
    "busy": ("model_rate_limited", "embedder_busy"),
    "slow": ("model_timeout", "embedder_timeout"),
    "setup": (
        "model_key_invalid", "model_out_of_credit", "model_not_found", "model_missing", "embedder_key_refused",
        "embedder_model_not_found",
    ),
    "channel_setup": ("permission_missing", "template_unusable", "credentials_refused", "address_not_allowed"),
    "too_long": ("model_prompt_too_long", "question_too_long"),
    "withheld": ("model_bad_request", "model_withheld", "embedder_refused", "copy_withheld"),
    "interrupted": ("model_interrupted", "interrupted"),
    "unavailable": (
        "unavailable", "model_unavailable", "embedder_unavailable", "vectors_unavailable", "queue_unavailable",
        "files_unavailable", "redis_unavailable", "service_unavailable", "channel_unavailable",
    ),
    "not_allowed": ("forbidden", "scope_missing"),
}  # fmt: skip
_GROUP_OF = {code: group for group, codes in _GROUPS.items() for code in codes}


def say(key: str, language: Language, *, default: str | None = None, **values: str | int) -> str:
    """A sentence with its values; that of ``default`` where there is none. Raises KeyError where there is neither."""
    if default is not None and _TEXTS.word(key, language) is None:
        key = default
    return _TEXTS.say(key, language, **values)


def failure(code: str, message: str, language: Language, *, params: Mapping[str, str | int] | None = None) -> str:
    """Why something was not done, and what to do about it: by its code, or as the console says it.

    What has no Chinese sentence, and what only developers can do something about, is said in general.
    """
    key = f"failed.{_GROUP_OF.get(code, code)}"
    if word(key, language) is not None:
        return say(key, language, code=code)
    told = explained(language, code, "", params or {}) or (message if language == "en" else "")
    return told or say("failed.internal", language)
