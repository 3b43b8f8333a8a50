"""Prompt templates: versions, a draft and what is wrong with it, a draft beside the live version, going live."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

from fastapi import APIRouter, Form, Response

from app.chat.prompt_check import LONGEST, OPTIONAL, REQUIRED, Flaw, PromptRefused, flaws
from app.chat.prompt_diff import lines
from app.chat.prompt_versions import LONGEST_NOTE, PromptVersion
from app.console.guard import Administering, ConsoleRoute, Reading, Writing
from app.console.pages import Visit, page, path_of, see
from app.console.texts import language_of, say, sentence_of
from app.errors import status_of
from knowledge.errors import Conflict, CopilotError

NOTICES = ("saved", "published", "rolled_back", "discarded")

router = APIRouter(prefix="/prompts", route_class=ConsoleRoute, include_in_schema=False)


@dataclass(frozen=True, slots=True)
class ShownFlaw:
    """``excerpt`` is the line that it is about."""

    line: int
    sentence: str
    excerpt: str


@router.get("")
async def prompts(visit: Reading) -> Response:
    return page(visit, "prompts.html", prompts=await visit.services.prompts.all(visit.tenant))


@router.post("/examples/{turn_id}")
async def mark(visit: Writing, turn_id: str, on: str = Form("")) -> Response:
    """An answer becomes an example, or is one no more."""
    if on:
        await visit.services.examples.mark(visit.tenant, turn_id, by=_who(visit))
    else:
        await visit.services.examples.unmark(visit.tenant, turn_id)
    return see(f"{path_of('prompts', 'answer')}#examples")


@router.get("/{name}")
async def prompt(visit: Reading, name: str, v: int | None = None, to: int | None = None, notice: str = "") -> Response:
    """``v`` is the version shown: the newest draft, else the live one, when None. ``to`` is compared with it."""
    return await _prompt(visit, name, v, to=to, notice=notice)


@router.post("/{name}/drafts")
async def draft(visit: Writing, name: str, base: int = Form()) -> Response:
    made = await visit.services.prompts.draft(visit.tenant, name, by=_who(visit), base=base)
    return see(_address(name, made.number))


@router.post("/{name}/versions/{number}")
async def save(
    visit: Writing, name: str, number: int, text: str = Form(""), note: str = Form(""), was: str = Form("")
) -> Response:
    """What cannot be kept comes back as it was typed, with the reasons."""
    services = visit.services
    try:
        await services.prompts.save(visit.tenant, name, number, by=_who(visit), text=text, note=note, was=was or None)
    except (PromptRefused, Conflict) as error:
        return await _prompt(visit, name, number, typed=text, error=error)
    return see(_address(name, number, "saved"))


@router.post("/{name}/versions/{number}/discard")
async def discard(visit: Writing, name: str, number: int) -> Response:
    await visit.services.prompts.discard(visit.tenant, name, number)
    return see(f"{path_of('prompts', name)}?notice=discarded")


@router.post("/{name}/versions/{number}/publish")
async def publish(visit: Administering, name: str, number: int, was: str = Form("")) -> Response:
    await visit.services.prompts.publish(visit.tenant, name, number, by=_who(visit), was=was or None)
    return see(_address(name, number, "published"))


@router.post("/{name}/roll-back")
async def roll_back(visit: Administering, name: str, to: int = Form()) -> Response:
    await visit.services.prompts.roll_back(visit.tenant, name, to, by=_who(visit))
    return see(_address(name, to, "rolled_back"))


@router.post("/{name}/check")
async def check(visit: Reading, name: str, text: str = Form("")) -> Response:
    """What is wrong with the text as it stands in the editor."""
    visit.services.prompts.require(name)
    found = flaws(name, text.replace("\r\n", "\n"))
    return page(visit, "prompt_flaws.html", flaws=_shown(visit, found, text), checked=True)


@router.post("/{name}/preview")
async def preview(
    visit: Writing,
    name: str,
    question: str = Form(""),
    turn_id: str = Form(""),
    version: int | None = Form(None),
    text: str | None = Form(None),
) -> Response:
    """The text in the editor, or a version, beside the live one."""
    services = visit.services
    try:
        unsaved = None if text is None else text.replace("\r\n", "\n")
        template = await services.prompts.tried(visit.tenant, name, number=version, text=unsaved)
        compared = await services.previews.compare(
            visit.tenant, template, question=question, turn_id="" if question.strip() else turn_id
        )
    except CopilotError as error:
        sentence = sentence_of(language_of(visit.request), error)
        return page(visit, "prompt_preview.html", compared=None, problem=sentence)
    sentence_in = partial(sentence_of, language_of(visit.request))
    return page(visit, "prompt_preview.html", compared=compared, sentence_of=sentence_in, problem="")


async def _prompt(
    visit: Visit,
    name: str,
    number: int | None,
    *,
    to: int | None = None,
    notice: str = "",
    typed: str | None = None,
    error: CopilotError | None = None,
) -> Response:
    services = visit.services
    versions = await services.prompts.versions(visit.tenant, name)
    live = next(version for version in versions if version.live)
    shown = _chosen(versions, live) if number is None else await services.prompts.version(visit.tenant, name, number)
    other = None if to is None else await services.prompts.version(visit.tenant, name, to)
    takes_examples = "examples" in OPTIONAL[name]
    found = error.flaws if isinstance(error, PromptRefused) else ()
    return page(
        visit,
        "prompt.html",
        status=status_of(error) if error else 200,
        name=name,
        versions=versions,
        live=live,
        shown=shown,
        text=shown.text if typed is None else typed,
        other=other,
        diff=lines(other, shown) if other else [],
        required=REQUIRED[name],
        optional=OPTIONAL[name],
        longest=LONGEST,
        longest_note=LONGEST_NOTE,
        flaws=_shown(visit, found, typed or ""),
        problem=sentence_of(language_of(visit.request), error) if error and not found else "",
        notice=notice if notice in NOTICES else "",
        can_preview=services.previews.possible,
        recent=await services.previews.recent(visit.tenant),
        examples=await services.examples.all(visit.tenant) if takes_examples else [],
        candidates=await services.examples.candidates(visit.tenant) if takes_examples else [],
        takes_examples=takes_examples,
        here=_address(name, shown.number),
    )


def _chosen(versions: Sequence[PromptVersion], live: PromptVersion) -> PromptVersion:
    return next((version for version in versions if version.draft), live)


def _shown(visit: Visit, found: Sequence[Flaw], text: str) -> list[ShownFlaw]:
    language, written = language_of(visit.request), text.splitlines()
    return [
        ShownFlaw(
            flaw.line,
            say(language, f"error.{flaw.code}", line=flaw.line, name=flaw.name),
            written[flaw.line - 1].strip() if flaw.line <= len(written) else "",
        )
        for flaw in found
    ]


def _who(visit: Visit) -> str:
    return visit.who.label if visit.who else "local"


def _address(name: str, number: int, notice: str = "") -> str:
    return f"{path_of('prompts', name)}?v={number}" + (f"&notice={notice}" if notice else "")
