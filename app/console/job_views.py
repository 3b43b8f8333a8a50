"""A job as the pages show it: its pictures and texts, its figures, and why it failed, in the visitor's language."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from app.console.copy_view import CopyFlag, CopyText, copy_texts, overall_flags
from app.console.kinds import icon_of
from app.console.pages import Visit
from app.console.texts import Language, Translate, has, say, word
from app.console.wording import money, money_range
from app.imaging.templates import templates
from app.jobs.models import Artifact, Job, JobState

# Parts of a result that have a place of their own on the page, or say nothing to a person.
_SHOWN_ELSEWHERE = {
    "aigc", "bytes", "facts", "flags", "format", "height", "kind", "notes", "prompt_version", "size", "text",
    "text_area", "timings_ms", "uploaded", "usage", "variants", "width",
}  # fmt: skip
_SIZES = {"source", "drawn_at"}  # width and height in pixels


@dataclass(frozen=True, slots=True)
class Shown:
    """A job with what it made. ``before`` is the artifact that it started from; ``by`` is who asked for it."""

    job: Job
    artifacts: tuple[Artifact, ...]
    texts: tuple[CopyText, ...]
    before: str | None
    by: str

    @property
    def icon(self) -> str:
        return icon_of(self.job.kind, self.job.queue)

    @property
    def pictures(self) -> tuple[Artifact, ...]:
        return tuple(made for made in self.artifacts if made.media_type.startswith("image/"))

    @property
    def files(self) -> tuple[Artifact, ...]:
        return tuple(made for made in self.artifacts if not made.media_type.startswith("image/"))

    @property
    def live(self) -> bool:
        return self.job.state in (JobState.QUEUED, JobState.RUNNING)

    @property
    def review(self) -> str:
        """Of what succeeded: pending, approved or rejected; empty for everything else."""
        return (self.job.review or "pending") if self.job.state is JobState.SUCCEEDED else ""

    @property
    def notes(self) -> list[Mapping[str, Any]]:
        """What a person should know about a result that was made all the same: code and English message."""
        found = (self.job.result or {}).get("notes")
        return [note for note in found if isinstance(note, Mapping)] if isinstance(found, list) else []

    @property
    def flagged(self) -> int:
        """How many things are doubtful about its texts."""
        return len(self.doubts) + sum(len(text.flags) for text in self.texts)

    @property
    def doubts(self) -> list[CopyFlag]:
        """About the texts as a whole."""
        return overall_flags(self.job)

    @property
    def seconds(self) -> float | None:
        started, finished = self.job.started_at, self.job.finished_at
        return None if started is None or finished is None else (finished - started).total_seconds()

    def price(self, t: Translate) -> str:
        """What it cost, or will cost; “price not set” where the price table does not know its model."""
        job, estimate = self.job, self.job.estimate or {}
        if estimate.get("priced") is False:
            return t("price.unset")
        if job.cost is not None:
            return money(job.cost["amount"], job.cost["currency"])
        if job.state.ended or "amount" not in estimate:
            return "—"
        low, high, currency = (estimate["amount"][part] for part in ("low", "high", "currency"))
        return t("price.about", amount=money_range(low, high, currency))

    def failure(self, language: Language) -> str:
        """Why it failed."""
        job = self.job
        return explained(language, job.error_code or "", job.error_message or "", job.error_params or {})

    def facts(self, language: Language, artifact: Artifact | None = None) -> list[tuple[str, str]]:
        """What is known about a result, in words, figures rounded; the file's own facts come first."""
        found: dict[str, str] = {}
        about = artifact.about if artifact else {}
        if about.get("width") and about.get("height"):
            found["dimensions"] = f"{about['width']} × {about['height']}"
        for part in (about, self.job.result or {}):
            for name, value in _flat(part, deep=self.job.queue != "text"):
                found.setdefault(name, _in_words(language, name, value))
        return [(word(language, "about", name), value) for name, value in found.items()]


async def shown(visit: Visit, jobs: Sequence[Job]) -> list[Shown]:
    """Jobs with their files and the names of who asked."""
    made = await visit.services.jobs.artifacts.of_jobs([job.id for job in jobs])
    names = {f"key:{key.id}": key.name for key in await visit.services.keys.list(visit.tenant)}
    return [
        Shown(job, tuple(made[job.id]), tuple(copy_texts(job)), _before(job), names.get(job.requester or "", ""))
        for job in jobs
    ]


async def shown_one(visit: Visit, job_id: str) -> Shown:
    """Raises NotFound ``job_not_found``."""
    job = await visit.services.jobs.ledger.get(visit.tenant, job_id)
    return (await shown(visit, [job]))[0]


def explained(language: Language, code: str, message: str, params: Mapping[str, Any]) -> str:
    """Why something went wrong: by its code, with the names of fields in words; else the English sentence."""
    values = {name: _worded(language, name, value) for name, value in params.items()}
    if code == "job_request_invalid" and not values.get("field"):
        code = "job_request_mixed"  # each field is right, but not with the others
    for key in (f"error.{code}", f"reason.{code}"):
        if has(key):
            try:
                return say(language, key, **values)
            except KeyError:  # written by another version, with other values
                continue
    return message


def _worded(language: Language, name: str, value: Any) -> Any:
    if name != "field":
        return value
    path = str(value)
    return say(language, f"field.{path}") if has(f"field.{path}") else word(language, "field", path.rpartition(".")[2])


def _before(job: Job) -> str | None:
    image = job.request.get("image")
    return image if isinstance(image, str) and image else None


def _flat(about: Mapping[str, Any], *, deep: bool, prefix: str = "") -> Iterator[tuple[str, Any]]:
    """Names with dots and what they say; without ``deep`` only what stands there by itself: texts have their place."""
    for name, value in about.items():
        if name in _SHOWN_ELSEWHERE or value in (None, "", [], ()):
            continue
        if name == "label" and isinstance(value, Mapping):
            yield name, [part for key, part in value.items() if key in ("producer", "model") and part]
        elif isinstance(value, Mapping):
            yield from _flat(value, deep=deep, prefix=f"{prefix}{name}.") if deep else ()
        elif deep or not isinstance(value, list | tuple):
            yield f"{prefix}{name}", value


def _in_words(language: Language, name: str, value: Any) -> str:
    if isinstance(value, bool):
        return say(language, "value.yes" if value else "value.no")
    if name in _SIZES and isinstance(value, list):
        return " × ".join(map(str, value))
    if name == "template" and value in templates():
        return templates()[value].title[language]
    for key in (f"value.{name}.{value}", f"option.{name}.{value}"):
        if has(key):
            return say(language, key)
    return _plain(value)


def _plain(value: Any) -> str:
    if isinstance(value, float):
        return f"{value:.3g}" if abs(value) < 1000 else f"{value:.0f}"
    if isinstance(value, list | tuple):
        return ", ".join(map(_plain, value))
    return " ".join(map(_plain, value.values())) if isinstance(value, Mapping) else str(value)
