"""Prompt templates over HTTP: versions, drafts, previews, what is live."""

from dataclasses import asdict
from typing import Annotated, Any, TypeAlias

from fastapi import APIRouter, Query
from fastapi import Path as PathParam
from pydantic import Field

from app.api.bodies import MOST, Body
from app.api.dependencies import Admin, Reader, TheServices, Writer
from app.api.problems import problems
from app.api.render import example_json, prompt_json, prompt_version_json, tried_json
from app.chat.prompt_check import LONGEST, flaws
from app.chat.prompt_diff import unified
from app.chat.prompt_versions import LONGEST_NOTE

router = APIRouter(prefix="/v1/prompts", tags=["prompts"], responses=problems(400, 404, 409, 413, 422, 503))

NUMBER = Query(ge=0, le=MOST)
Number: TypeAlias = Annotated[int, PathParam(ge=0, le=MOST)]


class NewDraft(Body):
    """``text`` left out is that of ``based_on``; ``based_on`` left out is the live version."""

    text: str | None = Field(default=None, max_length=LONGEST)
    based_on: int | None = Field(default=None, ge=0, le=MOST)
    note: str = Field(default="", max_length=LONGEST_NOTE)


class EditedDraft(Body):
    """``was`` is the ``digest`` of the text that was edited: if somebody else changed it since, that is a conflict."""

    text: str = Field(max_length=LONGEST)
    note: str = Field(default="", max_length=LONGEST_NOTE)
    was: str | None = None


class TextToCheck(Body):
    text: str = Field(max_length=LONGEST)


class RollBack(Body):
    """``to`` is a version that was published before; 0 is the shipped one."""

    to: int = Field(ge=0, le=MOST)


class PreviewRequest(Body):
    """A question of one's own, or that of a turn; a version (the live one, when left out), or a text."""

    question: str = ""
    turn_id: str | None = None
    kb: list[str] | None = Field(default=None, min_length=1)
    version: int | None = Field(default=None, ge=0, le=MOST)
    text: str | None = Field(default=None, max_length=LONGEST)


@router.get("")
async def list_prompts(who: Reader, services: TheServices) -> dict[str, Any]:
    """The templates with their live versions."""
    return {"prompts": [prompt_json(prompt) for prompt in await services.prompts.all(who.tenant)]}


@router.get("/examples")
async def list_examples(who: Reader, services: TheServices) -> dict[str, Any]:
    """Answers that show how to answer, newest first, and answers that people liked and that could be such."""
    examples = services.examples
    return {
        "examples": [example_json(each) for each in await examples.all(who.tenant)],
        "candidates": [example_json(each) for each in await examples.candidates(who.tenant)],
    }


@router.put("/examples/{turn_id}", status_code=204)
async def mark_example(turn_id: str, who: Writer, services: TheServices) -> None:
    """Make an example of an answer; used where the template of answers names `{examples}`."""
    await services.examples.mark(who.tenant, turn_id, by=who.label)


@router.delete("/examples/{turn_id}", status_code=204)
async def unmark_example(turn_id: str, who: Writer, services: TheServices) -> None:
    """It is an example no more."""
    await services.examples.unmark(who.tenant, turn_id)


@router.get("/{name}/versions")
async def list_prompt_versions(name: str, who: Reader, services: TheServices) -> dict[str, Any]:
    """All versions, newest first; 0 is the shipped one."""
    found = await services.prompts.versions(who.tenant, name)
    return {"versions": [prompt_version_json(version) for version in found]}


@router.post("/{name}/versions", status_code=201)
async def draft_prompt(name: str, body: NewDraft, who: Writer, services: TheServices) -> dict[str, Any]:
    """A new draft. A text with flaws is refused, with the first one's ``code``, ``line`` and ``name``."""
    made = await services.prompts.draft(
        who.tenant, name, by=who.label, text=body.text, base=body.based_on, note=body.note
    )
    return prompt_version_json(made)


@router.get("/{name}/versions/{number}")
async def get_prompt_version(name: str, number: Number, who: Reader, services: TheServices) -> dict[str, Any]:
    """One version."""
    return prompt_version_json(await services.prompts.version(who.tenant, name, number))


@router.put("/{name}/versions/{number}")
async def edit_prompt(
    name: str, number: Number, body: EditedDraft, who: Writer, services: TheServices
) -> dict[str, Any]:
    """Write a draft; what was published stays as it is."""
    saved = await services.prompts.save(
        who.tenant, name, number, by=who.label, text=body.text, note=body.note, was=body.was
    )
    return prompt_version_json(saved)


@router.delete("/{name}/versions/{number}", status_code=204)
async def discard_prompt(name: str, number: Number, who: Writer, services: TheServices) -> None:
    """Forget a draft."""
    await services.prompts.discard(who.tenant, name, number)


@router.get("/{name}/versions/{number}/diff")
async def compare_prompts(
    name: str, number: Number, who: Reader, services: TheServices, to: int = NUMBER
) -> dict[str, Any]:
    """What would change if ``to`` took this version's place, as a unified diff."""
    old = await services.prompts.version(who.tenant, name, number)
    new = await services.prompts.version(who.tenant, name, to)
    return {"from": number, "to": to, "diff": unified(old, new)}


@router.post("/{name}/versions/{number}/publish")
async def publish_prompt(name: str, number: Number, who: Admin, services: TheServices) -> dict[str, Any]:
    """Answer with a draft from the next question on, in every process."""
    return prompt_version_json(await services.prompts.publish(who.tenant, name, number, by=who.label))


@router.post("/{name}/roll-back")
async def roll_back_prompt(name: str, body: RollBack, who: Admin, services: TheServices) -> dict[str, Any]:
    """Answer with an earlier version again."""
    return prompt_version_json(await services.prompts.roll_back(who.tenant, name, body.to, by=who.label))


@router.post("/{name}/check")
async def check_prompt(name: str, body: TextToCheck, _: Reader, services: TheServices) -> dict[str, Any]:
    """Everything that is wrong with a text, by line; nothing is kept."""
    services.prompts.require(name)
    return {"flaws": [{**asdict(flaw), "message": flaw.sentence} for flaw in flaws(name, body.text)]}


@router.post("/{name}/preview")
async def preview_prompt(name: str, body: PreviewRequest, who: Writer, services: TheServices) -> dict[str, Any]:
    """The same question to the live version and to another, side by side: two calls of the model, nothing else."""
    template = await services.prompts.tried(who.tenant, name, number=body.version, text=body.text)
    compared = await services.previews.compare(
        who.tenant, template, question=body.question, turn_id=body.turn_id, kbs=body.kb
    )
    return {"question": compared.question, "live": tried_json(compared.live), "draft": tried_json(compared.draft)}
