"""How much evidence and history a prompt has room for."""

from collections.abc import Sequence
from dataclasses import dataclass

from app.llm.ports import Message
from app.llm.tokens import TokenCounter


@dataclass(frozen=True, slots=True)
class Room:
    """So many of the passages, from the first; so many of the earlier turns, from the newest."""

    passages: int
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
        turns: Sequence[Sequence[Message]],
        *,
        answer: int,
    ) -> Room:
        """Passages are left out from the last, all but the first, then turns from the oldest.

        ``fixed`` is the prompt without both, ``answer`` the tokens kept free. Blocking: half a second at first use.
        """
        left = self._context - answer - self._tokens(fixed)
        texts = [self._counter.count(text, self._model).tokens for text in passages]
        past = [self._tokens(turn) for turn in turns]
        while len(texts) > 1 and sum(texts) + sum(past) > left:
            texts.pop()
        while past and sum(texts) + sum(past) > left:
            past.pop(0)
        return Room(len(texts), len(past))

    def _tokens(self, messages: Sequence[Message]) -> int:
        return self._counter.count_messages(messages, self._model).tokens
