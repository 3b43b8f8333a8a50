"""Which of our two languages a text is in, and catalogs of the sentences we say ourselves."""

import json
import re
from functools import cached_property
from pathlib import Path
from typing import Literal, TypeAlias

Language: TypeAlias = Literal["zh", "en"]

_HAN = re.compile(r"[㐀-鿿]")
_LATIN = re.compile(r"[A-Za-z]{2,}")


def language_of(text: str) -> Language:
    """Chinese as soon as Chinese characters are not outnumbered by Latin words."""
    han = len(_HAN.findall(text))
    return "zh" if han and han >= len(_LATIN.findall(text)) else "en"


class Texts:
    """A file ``{"key": {"zh": "…", "en": "…"}}``, read when it is first needed."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def say(self, key: str, language: Language, **values: str | int) -> str:
        """A sentence with its values. Raises KeyError for one that is not there."""
        return self._texts[key][language].format(**values)

    def word(self, key: str, language: Language) -> str | None:
        """A name, or None where there is none."""
        return self._texts.get(key, {}).get(language)

    @cached_property
    def _texts(self) -> dict[str, dict[str, str]]:
        texts: dict[str, dict[str, str]] = json.loads(self._path.read_text(encoding="utf-8"))
        return texts
