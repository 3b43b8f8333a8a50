"""Copy jobs: a prompt from the request, a reply that is checked, one repair round, a result that says what is doubtful.

The round is spent on whatever is wrong: JSON that does not fit, sources that do not exist, figures that the facts do
not say, banned words, lengths. A reply that still cannot be used fails the job as ``copy_invalid``; one that can be
used but is doubtful is delivered with its flags, to be reviewed.
"""

import asyncio
import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, Generic, TypeVar

from app.copywriting.briefs import Brief, Kind
from app.copywriting.drafts import Draft
from app.copywriting.kinds.attributes import Attributes
from app.copywriting.kinds.description import Description
from app.copywriting.kinds.rewrite import Rewrite
from app.copywriting.kinds.selling_points import SellingPoints
from app.copywriting.kinds.titles import Titles
from app.copywriting.kinds.translation import Translation
from app.copywriting.languages import tokens_per_character
from app.copywriting.replies import ReplyInvalid
from app.copywriting.results import Label, artifact, result_json
from app.copywriting.writing import Stage, Writer, Written
from app.jobs.ports import Handler, JobFailed, JobRequest, Outcome, Quantities, Queue, Work
from app.llm.calls import MemoryCalls
from app.llm.logged import CallBook
from app.llm.ports import ChatModel, Message
from app.llm.prompts import PromptTemplate, load
from app.llm.tokens import TokenCounter
from knowledge.errors import InvalidInput

PROMPTS = Path(__file__).parent / "prompts"
KINDS: tuple[Kind[Any], ...] = (Titles(), SellingPoints(), Description(), Attributes(), Translation(), Rewrite())

_LEAST_TOKENS = 256
_TOKENS_PER_SECOND = 40  # of a usual endpoint, for the first estimate of time; later the ledger knows better
_USUAL_SHARE = 0.4  # of the upper bound
_REPAIR_PROMPT_TOKENS = 400  # the problems, told to the model

Request = TypeVar("Request", bound=JobRequest)


@dataclass(frozen=True, slots=True)
class WriterSettings:
    """``reasoning_tokens`` are allowed on top of a reply, for models that think first. ``producer`` is who answers
    for the content in its label; ``visible_label`` adds a sentence to files."""

    producer: str = "merchant-copilot"
    visible_label: bool = False
    reasoning_tokens: int = 0


def copy_handlers(
    model: ChatModel | None,
    *,
    settings: WriterSettings | None = None,
    calls: CallBook | None = None,
) -> list[Handler[Any]]:
    """A handler for each kind. Without a model they refuse every request, and say how to set one."""
    settings, calls = settings or WriterSettings(), calls or CallBook(MemoryCalls(), TokenCounter())
    return [CopyHandler(kind, model, settings=settings, calls=calls) for kind in KINDS]


class CopyInvalid(JobFailed):
    """Neither reply of the model could be used. ``params["problem"]`` is what the model was told, in Chinese."""

    code = "copy_invalid"


@dataclass(frozen=True, slots=True)
class _Attempt:
    """A reply and what became of it: a draft, or problems only. Problems are for the model, and may go with a draft."""

    written: Written
    draft: Draft | None
    problems: tuple[str, ...]


class CopyHandler(Generic[Request]):
    """:class:`app.jobs.ports.Handler` for one kind."""

    queue: ClassVar[Queue] = "text"

    def __init__(
        self,
        kind: Kind[Request],
        model: ChatModel | None,
        *,
        settings: WriterSettings,
        calls: CallBook,
    ) -> None:
        self._kind = kind
        self._model = model
        self._settings = settings
        self._calls = calls
        self._template: PromptTemplate = load(kind.name, folder=PROMPTS)

    @property
    def kind(self) -> str:
        return self._kind.name

    @property
    def request(self) -> type[JobRequest]:
        return self._kind.request

    def estimate(self, request: Request) -> Quantities:
        """An upper bound with the repair round. Raises InvalidInput ``model_missing``, or what the kind refuses."""
        model = self._needed_model()
        brief = self._kind.brief(request)
        prompt = self._calls.counter.count_messages(self._template.render((), **brief.values), model.name).tokens
        reply = self._longest_reply(brief)
        return Quantities(
            prompt_tokens=2 * prompt + reply + _REPAIR_PROMPT_TOKENS,
            completion_tokens=2 * reply,
            seconds=round(1 + _USUAL_SHARE * reply / _TOKENS_PER_SECOND, 1),
            model=model.name,
        )

    async def run(self, request: Request, work: Work) -> Outcome:
        """Raises CopyInvalid ``copy_invalid``, JobFailed ``copy_withheld``, and what :meth:`Writer.write` raises."""
        brief = self._kind.brief(request)
        messages = self._template.render((), **brief.values)
        attempts = [await self._attempt(brief, messages, work, Stage("writing", 5, 60, brief.longest))]
        if problems := attempts[0].problems:
            again = [*messages, Message("assistant", attempts[0].written.text), Message("user", _told(problems))]
            attempts.append(await self._attempt(brief, again, work, Stage("repairing", 60, 95, brief.longest)))
        work.report(95, "checking")
        draft, model = _best(attempts)
        label = Label(self._settings.producer, model, work.job_id, self._settings.visible_label)
        result = result_json(
            self.kind,
            brief,
            draft,
            label,
            repaired=len(attempts) > 1,
            prompt_version=self._template.version,
            usage=_usage(attempts),
        )
        return Outcome(result, (artifact(self.kind, brief, draft, label),), _used(attempts))

    async def _attempt(self, brief: Brief, messages: Sequence[Message], work: Work, stage: Stage) -> _Attempt:
        calls = self._calls.of(work.tenant, job_id=work.job_id)
        model = calls.through(self._needed_model(), self._template)
        written = await Writer(model, self._calls.counter).write(
            messages,
            work,
            stage,
            temperature=self._kind.temperature,
            max_tokens=self._longest_reply(brief),
        )
        if written.reason == "content_filter":
            raise JobFailed("The model's endpoint withheld the answer: its filter objects.", code="copy_withheld")
        try:
            draft = await asyncio.to_thread(brief.read, written.text)  # 10–300 ms of searching
        except ReplyInvalid as invalid:
            cut = ("输出太长被截断了，请写短一些。",) if written.reason == "length" else ()
            return _Attempt(written, None, (*cut, *invalid.problems))
        return _Attempt(written, draft, _problems(draft, brief))

    def _longest_reply(self, brief: Brief) -> int:
        tokens = math.ceil(brief.longest * tokens_per_character(brief.language))
        return max(_LEAST_TOKENS, tokens) + self._settings.reasoning_tokens

    def _needed_model(self) -> ChatModel:
        if self._model is None:
            raise InvalidInput(
                "Copy is written by a language model, and none is set: put the address of an OpenAI-compatible "
                "endpoint in COPILOT_MODEL_BASE_URL, its model in COPILOT_MODEL_NAME and its key in "
                "COPILOT_MODEL_API_KEY, then start again.",
                code="model_missing",
            )
        return self._model


def _best(attempts: Sequence[_Attempt]) -> tuple[Draft, str]:
    """The draft with fewer flags, the later of equals, and whose it is. Raises CopyInvalid when there is none."""
    drafts = [(attempt.draft, attempt.written.model) for attempt in attempts if attempt.draft is not None]
    if not drafts:
        problem = attempts[-1].problems[0]
        raise CopyInvalid("The model's answer could not be used, and its second one neither.", problem=problem)
    return min(reversed(drafts), key=lambda one: len(one[0].all_flags))


def _problems(draft: Draft, brief: Brief) -> tuple[str, ...]:
    """The flags that a model can mend, in its words."""
    told = [("", one) for one in draft.flags]
    for number, variant in enumerate(draft.variants, 1):
        told += [(f"第 {number} 条：", one) for one in variant.flags]
    return tuple(
        f"{where}{one.message['zh']}{one.suggestion['zh']}" for where, one in told if one.rule not in brief.unrepaired
    )


def _told(problems: Sequence[str]) -> str:
    text = (PROMPTS / "repair.txt").read_text(encoding="utf-8")
    return text.format(problems="\n".join(f"- {problem}" for problem in problems[:20]))


def _usage(attempts: Sequence[_Attempt]) -> dict[str, Any]:
    return {
        "prompt_tokens": sum(one.written.prompt_tokens for one in attempts),
        "completion_tokens": sum(one.written.completion_tokens for one in attempts),
        "counted_by": " + ".join(sorted({one.written.counted_by for one in attempts})),
    }


def _used(attempts: Sequence[_Attempt]) -> Quantities:
    """Priced as the last model, where two have answered."""
    usage, model = _usage(attempts), attempts[-1].written.model
    return Quantities(prompt_tokens=usage["prompt_tokens"], completion_tokens=usage["completion_tokens"], model=model)
