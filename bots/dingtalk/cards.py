"""What our two cards show: from what is known of an answer or a job to the values of their templates.

Values are strings; booleans are ``true`` and ``false``; each is at most a kilobyte (DingTalk's limit), but for the
streamed text. Functions that end in ``_opening`` give every value but the streamed one; all others give what changes,
to be merged by key, and never the streamed one, which only frames may change.

``answer``: a card that streams ``content``
| variable | type | what |
|---|---|---|
| status | text | what is being done; shown until there is some of the answer |
| content | markdown | the answer, in frames |
| sources | markdown | the documents cited, numbered as in the answer |
| notice | text | a line under the answer: a refusal, a hand-over, … |
| rated | text | thanks for a rating, in words; empty until then |
| show_stop | boolean | until the card has ended |
| show_feedback | boolean | helpful, not_helpful; once the card has ended |
| show_reasons | boolean | the reasons, after not_helpful |
| show_regenerate, show_ask_person | boolean | once the card has ended |
| label_… | text | of each button, in the asker's language; label_reasons is the line above the reasons |

| action | parameters |
|---|---|
| stop, helpful, not_helpful, regenerate, ask_person | – |
| reason | reason: one of :data:`app.chat.history.REASONS` |

``job``: a card that does not stream
| variable | type | what |
|---|---|---|
| title | text | the kind of job |
| status | text | how it stands |
| percent | number | 0–100 |
| stage | text | a bar and what is being done; empty when nothing is |
| pictures | markdown | images by media id or link, as many as a kilobyte holds |
| text | markdown | what was written, or why it failed |
| page | markdown | a link to the job on the web |
| review | text | who decided what, or what is asked for |
| show_review | boolean | approve, reject |
| show_reasons | boolean | the reasons, after reject; a reason without a label is not shown |
| show_regenerate | boolean | |
| show_cancel | boolean | until it has ended |
| label_… | text | as above |

| action | parameters |
|---|---|
| approve, reject, regenerate, cancel_job | – |
| reject_reason | reason: one of :data:`REJECTIONS` |

Every button also has its action as the parameter ``action``, for where a callback has no ids.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, TypeAlias

from app.chat.history import REASONS
from app.console.texts import word as console_word
from bots.dingtalk.markdown import dialect, split_bytes
from bots.wording import say, word
from knowledge.language import Language
from knowledge.models import Passage

VariableType: TypeAlias = Literal["text", "markdown", "number", "boolean"]
AnswerState: TypeAlias = Literal["done", "refused", "failed", "stopped"]
Rating: TypeAlias = Literal["up", "down"]

VALUE_BYTES = 1000  # of a value; DingTalk allows 1 KB
REJECTIONS = ("unlike", "background", "flaws", "text", "other")
_BAR = 10  # signs


@dataclass(frozen=True, slots=True)
class CardTemplate:
    """``actions`` are ids of buttons and the parameters that each sends; ``streaming_key`` is what frames change."""

    name: Literal["answer", "job"]
    variables: Mapping[str, VariableType]
    actions: Mapping[str, tuple[str, ...]]
    streaming_key: str | None = None


_ANSWER_LABELS = ("stop", "helpful", "not_helpful", "regenerate", "ask_person")
_JOB_LABELS = {"approve": "approve", "reject": "reject", "regenerate": "redo", "cancel_job": "cancel_job"}
_ANSWER_REASONS = tuple(f"label_reason_{reason}" for reason in REASONS)
_JOB_REASONS = tuple(f"label_reason_{reason}" for reason in REJECTIONS)
_FLAGS_OF_ANSWER = ("show_stop", "show_feedback", "show_reasons", "show_regenerate", "show_ask_person")
_FLAGS_OF_JOB = ("show_review", "show_reasons", "show_regenerate", "show_cancel")

ANSWER = CardTemplate(
    "answer",
    {
        "status": "text",
        "content": "markdown",
        "sources": "markdown",
        "notice": "text",
        "rated": "text",
        **dict.fromkeys(_FLAGS_OF_ANSWER, "boolean"),
        **dict.fromkeys((f"label_{name}" for name in _ANSWER_LABELS), "text"),
        **dict.fromkeys(("label_reasons", *_ANSWER_REASONS), "text"),
    },
    {"stop": (), "helpful": (), "not_helpful": (), "reason": ("reason",), "regenerate": (), "ask_person": ()},
    streaming_key="content",
)
JOB = CardTemplate(
    "job",
    {
        "title": "text",
        "status": "text",
        "percent": "number",
        "stage": "text",
        "pictures": "markdown",
        "text": "markdown",
        "page": "markdown",
        "review": "text",
        **dict.fromkeys(_FLAGS_OF_JOB, "boolean"),
        **dict.fromkeys((f"label_{name}" for name in _JOB_LABELS), "text"),
        **dict.fromkeys(_JOB_REASONS, "text"),
    },
    {"approve": (), "reject": (), "reject_reason": ("reason",), "regenerate": (), "cancel_job": ()},
)
TEMPLATES: Mapping[str, CardTemplate] = {"answer": ANSWER, "job": JOB}


def answer_opening(language: Language, *, whole: bool = False) -> dict[str, str]:
    """``whole``: the answer comes in one frame and nothing is changed afterwards, so its buttons are set now."""
    return {
        "status": say("status.retrieving", language),
        "sources": "",
        "notice": "",
        "rated": "",
        **_flags(_FLAGS_OF_ANSWER, stop=not whole, feedback=whole, regenerate=whole, ask_person=whole),
        **{f"label_{name}": say(f"button.{name}", language) for name in _ANSWER_LABELS},
        "label_reasons": say("feedback.ask", language),
        **{f"label_reason_{reason}": say(f"reason.{reason}", language) for reason in REASONS},
    }


def answer_closing(
    language: Language, state: AnswerState, cited: Sequence[tuple[int, Passage]], *, notice: str = ""
) -> dict[str, str]:
    """Once the last frame is there. ``cited`` are passages with their numbers in the answer."""
    answered = state in ("done", "refused")
    lines = {"refused": "answer.refused", "stopped": "answer.stopped"}
    line = notice or (say(lines[state], language) if state in lines else "")
    flags = _flags(_FLAGS_OF_ANSWER, feedback=answered, regenerate=state != "refused", ask_person=True)
    return {"status": "", "sources": sources_markdown(cited, language), "notice": _fitted(line), **flags}


def answer_asking(language: Language) -> dict[str, str]:
    """After not_helpful: why?"""
    return {"rated": say("feedback.down", language), "show_feedback": "false", "show_reasons": "true"}


def answer_rated(language: Language, rating: Rating, reason: str | None = None) -> dict[str, str]:
    """After helpful, or after a reason."""
    line = say(f"feedback.{rating}", language)
    if reason in REASONS:
        line = say("feedback.down_because", language, reason=say(f"reason.{reason}", language))
    return {"rated": line, "show_feedback": "false", "show_reasons": "false"}


def answer_handed_over(language: Language, number: int, *, announced: bool) -> dict[str, str]:
    """After ask_person; ``announced``: there is a group of operators that is shown it."""
    key = "handoff.opened" if announced else "handoff.noted"
    return {"notice": say(key, language, number=number), "show_ask_person": "false"}


def sources_markdown(cited: Sequence[tuple[int, Passage]], language: Language) -> str:
    """A line a passage: its number, the document, where in it. As many whole lines as fit, and how many more."""
    if not cited:
        return ""
    shown = [f"**{say('sources.title', language)}**", ""]
    lines = list(dict.fromkeys(f"- [{number}] {_place(passage, language)}" for number, passage in cited))
    for count, line in enumerate(lines):
        more = f"- {say('sources.more', language, count=len(lines) - count)}"
        room = VALUE_BYTES - (_bytes(more) + 1 if count + 1 < len(lines) else 0)
        if _bytes("\n".join([*shown, line])) > room:
            return "\n".join([*shown, more])
        shown.append(line)
    return "\n".join(shown)


def job_opening(language: Language, *, title: str, status: str, waiting: bool = False) -> dict[str, str]:
    """``waiting`` for an approval of its price: nothing runs yet. ``status`` is the state in words."""
    return {
        **dict.fromkeys(("stage", "pictures", "text", "page"), ""),
        "title": _fitted(title),
        "status": _fitted(status),
        "percent": "0",
        "review": say("job.waiting", language) if waiting else "",
        **_flags(_FLAGS_OF_JOB, cancel=True),
        **{f"label_{name}": say(f"button.{key}", language) for name, key in _JOB_LABELS.items()},
        **{f"label_reason_{reason}": say(f"rejection.{reason}", language) for reason in REJECTIONS},
    }


def job_progress(language: Language, percent: int, stage: str) -> dict[str, str]:
    """Under way. Says nothing of the state, so that one that comes late takes nothing back."""
    percent = min(max(percent, 0), 100)
    full = percent * _BAR // 100
    bar = "▰" * full + "▱" * (_BAR - full)
    return {"percent": str(percent), "stage": f"{bar} {percent}% {console_word(language, 'stage', stage)}"}


def job_ended(
    language: Language,
    state: Literal["succeeded", "failed", "cancelled"],
    *,
    title: str,
    status: str,
    text: str = "",
    pictures: Sequence[str] = (),
    page: str | None = None,
) -> dict[str, str]:
    """``pictures`` are media ids or links, ``page`` is the job's address; without pictures it is a job of text."""
    done = state == "succeeded"
    return {
        "title": _fitted(title),
        "status": _fitted(status),
        "percent": "100" if done else "0",
        "stage": "",
        "text": _first_part(text),
        "pictures": _images(pictures),
        "page": f"[{say('job.page', language)}]({page})" if page and _bytes(page) < VALUE_BYTES - 200 else "",
        "review": say("job.review_ask", language) if done else "",
        **_flags(_FLAGS_OF_JOB, review=done, regenerate=True),
        **({} if pictures else _text_reasons(language)),
    }


def job_elsewhere(language: Language) -> dict[str, str]:
    """Its end is told in a message, because the card could not be ended when that was the time."""
    return {"status": say("job.elsewhere", language), "stage": "", "show_cancel": "false"}


def job_asking(language: Language) -> dict[str, str]:
    """After reject: why?"""
    return {"review": say("job.reject_ask", language), "show_review": "false", "show_reasons": "true"}


def job_reviewed(line: str) -> dict[str, str]:
    """After a decision; ``line`` says whose. A job that was approved or rejected can still be made again."""
    return {"review": _fitted(line), "show_review": "false", "show_reasons": "false"}


def job_redone(line: str) -> dict[str, str]:
    """After regenerate: nothing more is asked of this one."""
    return {**job_reviewed(line), "show_regenerate": "false"}


def rejection(reason: str, language: Language, *, textual: bool = False) -> str:
    """A reason of reject_reason in words; what is not known stays as it is."""
    own = word(f"rejection.text_job.{reason}", language) if textual else None
    return own or word(f"rejection.{reason}", language) or reason


def _text_reasons(language: Language) -> dict[str, str]:
    """Other words for the same reasons; a background is none of a text's."""
    return {f"label_reason_{reason}": word(f"rejection.text_job.{reason}", language) or "" for reason in REJECTIONS}


def _flags(names: Sequence[str], **shown: bool) -> dict[str, str]:
    return {name: "true" if shown.get(name.removeprefix("show_")) else "false" for name in names}


def _place(passage: Passage, language: Language) -> str:
    place = passage.place
    parts = [passage.document, place.heading.rpartition(" > ")[2], place.sheet or ""]
    if place.page is not None:
        parts.append(say("sources.page", language, page=place.page))
    if place.row is not None:
        parts.append(say("sources.row", language, row=place.row))
    return " · ".join(" ".join(part.split()).replace("[", "［").replace("]", "］")[:80] for part in parts if part)


def _images(pictures: Sequence[str]) -> str:
    shown = ""
    for picture in pictures:
        longer = f"{shown}\n\n![]({picture})".lstrip()
        if _bytes(longer) > VALUE_BYTES:
            break
        shown = longer
    return shown


def _first_part(text: str) -> str:
    parts = split_bytes(dialect(text), VALUE_BYTES - 4, size=_bytes)
    return "" if not parts else parts[0] if len(parts) == 1 else f"{parts[0]}\n…"


def _fitted(text: str) -> str:
    parts = split_bytes(text, VALUE_BYTES - 3, size=_bytes)
    return "" if not parts else parts[0] if len(parts) == 1 else f"{parts[0]}…"


def _bytes(text: str) -> int:
    return len(text.encode())
