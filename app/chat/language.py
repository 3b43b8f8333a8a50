"""The sentences the chat itself says."""

from pathlib import Path

from knowledge.language import Texts

say = Texts(Path(__file__).parent / "texts.json").say
