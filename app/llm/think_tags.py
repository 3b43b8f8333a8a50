"""Tells reasoning in tags at the beginning of an answer from the answer, also when a tag is cut in two."""

from dataclasses import dataclass
from typing import Literal, TypeAlias

State: TypeAlias = Literal["start", "reasoning", "after", "answer"]


@dataclass(frozen=True, slots=True)
class Split:
    """What a piece of text turned out to hold; either may be empty. The reasoning comes first."""

    reasoning: str = ""
    answer: str = ""


class TagSplitter:
    """Feed it the answer piece by piece; it holds back only what may still become a tag.

    Only a tag before any other text counts: in the middle of an answer ``<think>`` is a word like any other.
    White space around the tags belongs to neither side.
    """

    def __init__(self, opening: str = "<think>", closing: str = "</think>") -> None:
        self._opening = opening
        self._closing = closing
        self._state: State = "start"
        self._held = ""
        self._reasoned = False

    def feed(self, text: str) -> Split:
        """The reasoning and the answer that are certain by now."""
        if self._state == "answer":
            return Split(answer=text)
        self._held += text
        return self._take()

    def close(self) -> Split:
        """What was held back, now that nothing follows."""
        held, self._held = self._held, ""
        if self._state == "reasoning":
            return Split(reasoning=held.rstrip())
        return Split(answer=held if self._state == "start" else held.lstrip())

    def _take(self) -> Split:
        reasoning = ""
        if self._state == "start":
            self._begin()
        if self._state == "reasoning":
            reasoning = self._reason()
        if self._state == "after" and (rest := self._held.lstrip()):
            self._state, self._held = "answer", rest
        if self._state == "answer":
            held, self._held = self._held, ""
            return Split(reasoning, held)
        return Split(reasoning)

    def _begin(self) -> None:
        text = self._held.lstrip()
        if text.startswith(self._opening):
            self._state, self._held = "reasoning", text[len(self._opening) :]
        elif not self._opening.startswith(text):
            self._state = "answer"

    def _reason(self) -> str:
        before, found, after = self._held.partition(self._closing)
        if found:
            self._state, self._held = "after", after
            return self._trimmed(before.rstrip())
        keep = _may_begin(self._held, self._closing)
        spaces = len(self._held[: len(self._held) - keep]) - len(self._held[: len(self._held) - keep].rstrip())
        certain = len(self._held) - keep - spaces
        said, self._held = self._held[:certain], self._held[certain:]
        return self._trimmed(said)

    def _trimmed(self, said: str) -> str:
        said = said if self._reasoned else said.lstrip()
        self._reasoned = self._reasoned or bool(said)
        return said


def _may_begin(text: str, tag: str) -> int:
    """How many characters at the end of ``text`` could be the beginning of ``tag``."""
    return next((size for size in range(min(len(text), len(tag) - 1), 0, -1) if text.endswith(tag[:size])), 0)
