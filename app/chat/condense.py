"""A follow-up and its conversation → a question that can be searched by itself."""

import re
from collections.abc import Sequence
from contextlib import aclosing

from app.chat.history import PastTurn
from app.llm.ports import ChatModel, TextDelta
from app.llm.prompts import PromptTemplate
from knowledge.errors import CopilotError

SHORT = 8  # a Chinese follow-up of up to this many characters rarely names what it is about
LONGEST = 500
_POINTS_BACK = re.compile(
    r"它|这个|那个|这些|那些|这款|那款|这样|上面|刚才|前面|该(?:商品|产品|费用|规则)|呢[?？]?$|^那|^还有|"
    r"\b(?:it|its|they|them|their|this|that|these|those|same|above)\b|^(?:and|what about|how about)\b",
    re.IGNORECASE,
)


def points_back(question: str) -> bool:
    """Whether a question seems to need the turns before it."""
    return len(question) <= SHORT or refers(question)


def refers(question: str) -> bool:
    """Whether it says so: it, these, 那个, 呢."""
    return bool(_POINTS_BACK.search(question))


def history_of(past: Sequence[PastTurn]) -> str:
    """The last turns as the prompt shows them, with what sums up those before."""
    recent = [*(turn for turn in past[:-3] if turn.summary), *past[-3:]]
    return "\n".join(f"问：{turn.question}\n答：{turn.answer[:300]}" for turn in recent)


async def condense(
    question: str, past: Sequence[PastTurn], *, model: ChatModel | None, template: PromptTemplate
) -> str:
    """The question to search with. Without a model, or when it fails, the last question is put before this one."""
    if not past or not points_back(question):
        return question
    joined = question if past[-1].summary else f"{past[-1].question} {question}"
    if model is None:
        return joined
    messages = template.render(history=history_of(past), question=question)
    try:
        async with aclosing(model.stream(messages, temperature=0.0, max_tokens=200)) as deltas:
            text = "".join([delta.text async for delta in deltas if isinstance(delta, TextDelta)]).strip()
    except CopilotError:
        return joined
    return text if 0 < len(text) <= LONGEST else joined
