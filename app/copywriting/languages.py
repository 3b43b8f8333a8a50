"""Languages that copy is written in and translated into."""

from typing import Literal, TypeAlias

Language: TypeAlias = Literal[
    "zh",
    "zh-Hant",
    "en",
    "ja",
    "ko",
    "es",
    "fr",
    "de",
    "it",
    "pt",
    "ru",
    "ar",
    "th",
    "vi",
    "id",
    "ms",
    "tr",
    "pl",
    "nl",
]

NAMES: dict[str, str] = {
    "zh": "简体中文", "zh-Hant": "繁體中文", "en": "English", "ja": "日本語", "ko": "한국어", "es": "español",
    "fr": "français", "de": "Deutsch", "it": "italiano", "pt": "português", "ru": "русский", "ar": "العربية",
    "th": "ไทย", "vi": "Tiếng Việt", "id": "Bahasa Indonesia", "ms": "Bahasa Melayu", "tr": "Türkçe",
    "pl": "polski", "nl": "Nederlands",
}  # fmt: skip
"""Each language by its own name, as a prompt asks for it."""

DECIMAL_COMMAS = frozenset({"es", "fr", "de", "it", "pt", "ru", "vi", "id", "tr", "pl", "nl"})
"""Those that write 1,5 for one and a half."""

_DENSE = frozenset({"zh", "zh-Hant", "ja", "ko", "th"})


def tokens_per_character(language: str) -> float:
    """An upper bound for a JSON reply in that language; measured in :mod:`app.llm.tokens`: 0.85 a Han character, and
    0.35 a character of English, 0.6 of Spanish or German."""
    if language in _DENSE:
        return 1.2
    return 0.5 if language == "en" else 0.8
