"""What came of a job, in the words of a chat."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from app.console.copy_view import CopyFlag, CopyText, copy_texts, overall_flags
from app.console.texts import has
from app.console.texts import say as say_of_console
from app.jobs.models import Job, JobState
from app.tools.job_tools import short
from app.tools.wording import kind_word, state_word
from bots import wording
from knowledge.language import Language, Texts

_TEXTS = Texts(Path(__file__).parent / "results.json")
say = _TEXTS.say


def headline(job: Job, language: Language) -> str:
    """What was asked for, and whether it was done."""
    key = {"succeeded": "done", "failed": "failed", "cancelled": "cancelled"}.get(job.state, "under_way")
    kind, state = kind_word(job.kind, language), state_word(job.state, language)
    return say(key, language, kind=kind, state=state, id=short(job))


def failure(job: Job, language: Language) -> str:
    """Why it failed and what to do about it, in a sentence."""
    return wording.failure(job.error_code or "", job.error_message or "", language, params=job.error_params)


def body(job: Job, language: Language) -> str:
    """What there is to read of an ended job, as Markdown: its texts with what is doubtful about them, what to know
    about its pictures, or why it failed. Empty for pictures that there is nothing to say about."""
    if job.state is JobState.FAILED:
        return failure(job, language)
    if job.state is not JobState.SUCCEEDED:
        return ""
    texts = copy_texts(job)
    parts = [_doubts(texts, overall_flags(job), language), *_listed(texts, language), *_notes(job, language)]
    return "\n\n".join(part for part in parts if part)


def message(job: Job, language: Language, *, link: str | None = None, hidden: int = 0) -> str:
    """The whole of it for a chat without cards; ``link`` leads to the job's page, ``hidden`` pictures are missing."""
    parts = [f"**{headline(job, language)}**", body(job, language)]
    if hidden:
        parts.append(say("hidden", language, count=hidden))
    if link and job.state is JobState.SUCCEEDED:
        parts.append(f"[{say('see', language)}]({link})")
    return "\n\n".join(part for part in parts if part)


def _listed(texts: Sequence[CopyText], language: Language) -> list[str]:
    """Alternatives are numbered; what has a name is led by it; one text alone stands as it is."""
    if len(texts) == 1 and not texts[0].name:
        return [_with_flags(texts[0].text, texts[0].flags, language)]
    named = any(text.name for text in texts)
    shown = []
    for number, text in enumerate(texts, 1):
        lead = f"- **{text.name}**：" if named and text.name else f"{number}. "
        shown.append(_with_flags(f"{lead}{_indented(text.text)}", text.flags, language, "    "))
    return ["\n".join(shown)] if not any("\n" in text.text for text in texts) else shown


def _with_flags(text: str, flags: Sequence[CopyFlag], language: Language, indent: str = "") -> str:
    return "\n".join([text, *(f"{indent}- {_flag(flag, language)}" for flag in flags)]) if flags else text


def _flag(flag: CopyFlag, language: Language) -> str:
    told = f"⚠️ {say('doubt', language)}：{flag.message[language]}"
    suggestion = flag.suggestion[language]
    return f"{told} {say('suggestion', language, text=suggestion)}" if suggestion else told


def _doubts(texts: Sequence[CopyText], overall: Sequence[CopyFlag], language: Language) -> str:
    count = len(overall) + sum(len(text.flags) for text in texts)
    lines = [f"⚠️ {say('doubts', language, count=count)}"] if count else []
    return "\n".join([*lines, *(f"- {_flag(flag, language)}" for flag in overall)])


def _notes(job: Job, language: Language) -> list[str]:
    """What a person should know about pictures that were made all the same."""
    found = (job.result or {}).get("notes")
    notes = [note for note in found if isinstance(note, Mapping)] if isinstance(found, list) else []
    return [f"- {_note(note, language)}" for note in notes]


def _note(note: Mapping[str, Any], language: Language) -> str:
    key = f"note.{note.get('code')}"
    return say_of_console(language, key) if has(key) else str(note.get("message") or note.get("code") or "")


def _indented(text: str) -> str:
    """A text of several lines inside a list's point."""
    return text.replace("\n", "\n    ")
