"""The sentences tools say by themselves, and the names of kinds and states."""

from pathlib import Path

from knowledge.language import Language, Texts

_TEXTS = Texts(Path(__file__).parent / "texts.json")
say = _TEXTS.say


def kind_word(kind: str, language: Language) -> str:
    """A kind of job in words; a new one by its bare name."""
    return _TEXTS.word(f"kind.{kind}", language) or kind


def state_word(state: str, language: Language) -> str:
    """A job's state in words."""
    return _TEXTS.word(f"state.{state}", language) or state
