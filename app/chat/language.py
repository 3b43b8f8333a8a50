"""Which of our two languages a text is in, and the sentences the chat itself says."""

import json
import re
from functools import lru_cache
from pathlib import Path
from typing import Literal, TypeAlias

Language: TypeAlias = Literal["zh", "en"]

_HAN = re.compile(r"[㐀-鿿]")
_LATIN = re.compile(r"[A-Za-z]{2,}")


def language_of(text: str) -> Language:
    """Chinese as soon as Chinese characters are not outnumbered by Latin words."""
    han = len(_HAN.findall(text))
    return "zh" if han and han >= len(_LATIN.findall(text)) else "en"


def say(key: str, language: Language, **values: str | int) -> str:
    """A sentence of ours, from ``texts.json``. Raises KeyError for one that is not there."""
    return _texts()[key][language].format(**values)


@lru_cache(maxsize=1)
def _texts() -> dict[str, dict[str, str]]:
    texts: dict[str, dict[str, str]] = json.loads((Path(__file__).parent / "texts.json").read_text(encoding="utf-8"))
    return texts
