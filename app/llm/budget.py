"""How much evidence and history a prompt has room for."""

from collections.abc import Sequence
from dataclasses import dataclass

from app.llm.ports import Message
from app.llm.tokens import TokenCounter


@dataclass(frozen=True, slots=True)
class Room:
    """So many of the passages, from the first, and so many of these whole; so many earlier turns, from the newest."""

    passages: int
    whole: int
    turns: int


class TokenBudget:
    """``context`` is what prompt and answer may have together, in tokens as ``counter`` counts them for ``model``."""

    def __init__(self, context: int, counter: TokenCounter, model: str) -> None:
        self._context = context
        self._counter = counter
        self._model = model

    def fit(
        self,
        fixed: Sequence[Message],
        passages: Sequence[str],
        shorter: Sequence[str],
        turns: Sequence[Sequence[Message]],
        *,
        answer: int,
    ) -> Room:
        """Passages are shortened from the last, then left out, all but the first, then turns from the oldest.

        ``shorter`` are the same passages without what they can do without.
        ``fixed`` is the prompt without both, ``answer`` the tokens kept free. Blocking: half a second at first use.
        """
        left = self._context - answer - self._tokens(fixed)
        texts, short = self._counts(passages), self._counts(shorter)
        past = [self._tokens(turn) for turn in turns]
        whole = len(texts)
        while whole and sum(texts) + sum(past) > left:
            whole -= 1
            texts[whole] = short[whole]
        while len(texts) > 1 and sum(texts) + sum(past) > left:
            texts.pop()
        while past and sum(texts) + sum(past) > left:
            past.pop(0)
        return Room(len(texts), min(whole, len(texts)), len(past))

    def _counts(self, texts: Sequence[str]) -> list[int]:
        return [self._counter.count(text, self._model).tokens for text in texts]

    def _tokens(self, messages: Sequence[Message]) -> int:
        return self._counter.count_messages(messages, self._model).tokens
