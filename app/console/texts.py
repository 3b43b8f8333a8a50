"""The sentences of the console, in Chinese and English, from ``texts.json``, and which language a visitor reads."""

import json
from functools import lru_cache
from pathlib import Path
from typing import Literal, Protocol, TypeAlias

from starlette.requests import HTTPConnection

from knowledge.errors import CopilotError

Language: TypeAlias = Literal["zh", "en"]
LANGUAGE_COOKIE = "copilot_lang"

_PATH = Path(__file__).parent / "texts.json"


class Translate(Protocol):
    """A key → its sentence, with the values filled in."""

    def __call__(self, key: str, **values: str | int | float) -> str: ...


def say(language: Language, key: str, **values: str | int | float) -> str:
    """A sentence. Raises KeyError for a key that is not there.

    An English entry may be a pair, [for one, for any other number], chosen by ``n``.
    """
    text = catalog()[key][language]
    if isinstance(text, list):
        text = text[0] if values.get("n") == 1 else text[1]
    return text.format(**values)


def has(key: str) -> bool:
    """Whether the catalog knows a key: codes of errors and stages are made elsewhere."""
    return key in catalog()


def word(language: Language, prefix: str, name: str) -> str:
    """What the catalog calls a kind, a field, a stage…; what it does not know is shown under its own name."""
    key = f"{prefix}.{name}"
    return say(language, key) if has(key) else name.replace("_", " ")


def sentence_of(language: Language, error: CopilotError) -> str:
    """An error for a person: by its code, else the English sentence that it carries."""
    for key in (f"error.{error.error_code}", f"reason.{error.error_code}"):
        if has(key):
            return say(language, key, **error.params)
    return error.message


def for_scripts(language: Language) -> dict[str, str]:
    """What the pages' scripts say, unfilled: everything under ``js.``, stages, and errors and reasons by code."""
    return _under(language, "js.", "error.", "reason.", "stage.")


def for_jobs(language: Language) -> dict[str, str]:
    """The words about jobs, unfilled."""
    return _under(language, "kind.", "state.", "stage.", "error.", "reason.", "note.")


def language_of(request: HTTPConnection) -> Language:
    """What was chosen, else what the browser prefers; Chinese for one that says neither."""
    match request.cookies.get(LANGUAGE_COOKIE):
        case "zh":
            return "zh"
        case "en":
            return "en"
    ranked = sorted(map(_preference, request.headers.get("accept-language", "").split(",")), reverse=True)
    known = [name for weight, name in ranked if weight > 0 and name in ("zh", "en")]
    return "en" if known[:1] == ["en"] else "zh"


@lru_cache(maxsize=1)
def catalog() -> dict[str, dict[Language, str | list[str]]]:
    """Everything, by key and language."""
    found: dict[str, dict[Language, str | list[str]]] = json.loads(_PATH.read_text(encoding="utf-8"))
    return found


def _under(language: Language, *prefixes: str) -> dict[str, str]:
    return {key: str(entry[language]) for key, entry in catalog().items() if key.startswith(prefixes)}


def _preference(entry: str) -> tuple[float, str]:
    """``zh-CN;q=0.9`` → (0.9, "zh"); what cannot be read weighs nothing."""
    tag, _, weight = entry.strip().partition(";q=")
    try:
        return float(weight or 1), tag.partition("-")[0].lower()
    except ValueError:
        return 0.0, ""
