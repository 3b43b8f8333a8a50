"""The chat at work: commands, and a model that may call tools.

A model is offered tools only when the message looks like a piece of work, so that questions cost no more than before.
It has a few rounds; what only the person knows is asked for by us, in our words, and never guessed.
"""

import re
from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from dataclasses import dataclass, field

from app.chat.history import PastTurn
from app.jobs.models import Job
from app.llm.ports import ChatModel, Delta, Message, TextDelta, ToolCall
from app.llm.prompts import PromptTemplate
from app.tools.commands import Commands
from app.tools.registry import Asks, Caller, Did, Registry, told_json
from app.tools.wording import say
from knowledge.database import now

ROUNDS = 4

# Words with which people ask for work. A question that happens to hold one costs the tools' tokens, nothing else.
_WORK = re.compile(
    r"做|生成|制作|画|设计|写|起(?:个|一)?名|改写|润色|翻译|译成|抠图|换(?:个|成)?背景|白底|透明底|场景图|主图|放大|裁剪|高清"
    r"|标题|文案|卖点|描述|任务|取消|进度|重做|重新"
    r"|\b(?:make|create|generate|design|draw|write|rewrite|translate|remove|replace|crop|upscale|enlarge|resize|edit"
    r"|cancel|job|status|redo|copy|title|background|picture|image|photo)\b",
    re.IGNORECASE,
)


@dataclass(frozen=True, slots=True)
class Worker:
    """What the chat needs to work: tools, commands, the prompt of a model at work."""

    registry: Registry
    commands: Commands
    template: PromptTemplate

    def looks_like_work(self, text: str, *, pictures: int) -> bool:
        """Whether the model is offered tools for this message."""
        return bool(self.registry.tools) and (pictures > 0 or _WORK.search(text) is not None)


@dataclass(slots=True)
class Effort:
    """What a turn at work is made from; ``jobs`` grows while it goes on."""

    question: str
    caller: Caller
    past: Sequence[PastTurn] = ()
    evidence: str = ""
    jobs: list[Job] = field(default_factory=list)


async def work(
    worker: Worker, model: ChatModel, effort: Effort, *, temperature: float, max_tokens: int
) -> AsyncGenerator[Delta | Job, None]:
    """The model's text as it comes, and every job it started. Ends when the model has said what it has to say."""
    messages = _messages(worker.template, effort)
    for turn in range(ROUNDS + 1):
        offered = worker.registry.specs if turn < ROUNDS else []
        said: list[str] = []
        calls: list[ToolCall] = []
        stream = model.stream(messages, temperature=temperature, max_tokens=max_tokens, tools=offered)
        async with aclosing(stream) as deltas:
            async for delta in deltas:
                if isinstance(delta, ToolCall):
                    calls.append(delta)
                    continue
                if isinstance(delta, TextDelta):
                    said.append(delta.text)
                yield delta
        if not calls:
            return
        if not offered:  # a model that calls what it is not offered
            yield TextDelta(say("too_many_rounds", effort.caller.language))
            return
        messages.append(Message("assistant", "".join(said), calls=tuple(calls)))
        async for done in _called(worker, calls, effort, messages):
            if isinstance(done, Asks):
                yield TextDelta(("\n\n" if said else "") + done.said)
                return
            yield done
        if said:
            yield TextDelta("\n\n")


async def _called(
    worker: Worker, calls: Sequence[ToolCall], effort: Effort, messages: list[Message]
) -> AsyncGenerator[Job | Asks, None]:
    """The tools' jobs, their answers added to the messages; ends with the first thing that has to be asked for."""
    for call in calls:
        outcome = await worker.registry.call(call, effort.caller)
        if isinstance(outcome, Asks):
            yield outcome
            return
        for job in outcome.jobs if isinstance(outcome, Did) else ():
            effort.jobs.append(job)
            yield job
        messages.append(Message("tool", told_json(outcome), call_id=call.id))


def _messages(template: PromptTemplate, effort: Effort) -> list[Message]:
    turns = [
        message
        for turn in effort.past
        for message in (Message("user", turn.question), Message("assistant", turn.answer))
    ]
    none = "无" if effort.caller.language == "zh" else "none"
    return template.render(
        turns,
        question=effort.question,
        evidence=effort.evidence or none,
        pictures="、".join(effort.caller.pictures[: effort.caller.own_pictures]) or none,
        today=now().astimezone().date().isoformat(),
    )
