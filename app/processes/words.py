"""What ``copilot up`` says, in Chinese and English: ``messages.json``, chosen by the terminal's own language."""

import json
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Literal, TypeAlias

from pydantic import TypeAdapter
from pydantic_settings import BaseSettings, SettingsConfigDict

from knowledge.errors import CopilotError

Language: TypeAlias = Literal["en", "zh"]
Param: TypeAlias = str | int
Catalog: TypeAlias = Mapping[str, Mapping[Language, str]]

CATALOG = Path(__file__).with_name("messages.json")


class StartFailure(CopilotError):
    """Something that keeps us from starting or going on; ``error_code`` names its sentence in the catalog."""

    code = "start_failed"

    def __init__(self, code: str, **params: Param) -> None:
        super().__init__(say(code, "en", **params), code=code, **params)

    def sentence(self, language: Language) -> str:
        return say(self.error_code, language, **self.params)


class TerminalLanguage(BaseSettings):
    """The variables by which POSIX chooses the language of messages, strongest first."""

    model_config = SettingsConfigDict(extra="ignore", frozen=True)

    lc_all: str = ""
    lc_messages: str = ""
    lang: str = ""

    @property
    def language(self) -> Language:
        chosen = self.lc_all or self.lc_messages or self.lang
        return "zh" if chosen.lower().startswith("zh") else "en"


def preferred_language() -> Language:
    """``zh`` where the terminal is set to any Chinese, else ``en``."""
    return TerminalLanguage().language


def say(code: str, language: Language, /, **params: Param) -> str:
    """The sentence of ``code``. Raises KeyError if there is none or a parameter is missing."""
    return load_catalog(CATALOG)[code][language].format(**params)


@cache
def load_catalog(path: Path) -> Catalog:
    """``{code: {"en": sentence, "zh": sentence}}``; sentences are ``str.format`` templates."""
    return TypeAdapter(dict[str, dict[Language, str]]).validate_python(json.loads(path.read_text(encoding="utf-8")))
