"""DingTalk: what the month costs, how answers were shown and why, groups, people, and questions that wait for one."""

from dataclasses import dataclass
from pathlib import Path

from fastapi import APIRouter, Form, Response

from app import channels
from app.channels.answer_links import answer_link
from app.channels.replies import Reply
from app.console.authors import label_of, names_of
from app.console.guard import Administering, ConsoleRoute, Reading, Writing
from app.console.pages import Visit, page, path_of, see
from app.console.prose import html_of
from app.console.texts import Language, language_of, say
from app.console.usage import Usage, usage_of
from app.identity.users import Role
from knowledge.errors import InvalidInput
from knowledge.language import Texts

CHANNEL = "dingtalk"
RECENT = 20
REASONS = Texts(Path(channels.__file__).with_name("texts.json"))

router = APIRouter(prefix="/dingtalk", route_class=ConsoleRoute, include_in_schema=False)


@dataclass(frozen=True, slots=True)
class Recent:
    """A reply as the list shows it: ``link`` leads to the whole answer, or to the job."""

    reply: Reply
    question: str
    link: str
    why: str


@router.get("")
async def dingtalk(visit: Reading) -> Response:
    services, tenant = visit.services, visit.tenant
    members = await services.users.list(tenant)
    return page(
        visit,
        "dingtalk.html",
        settings=services.settings,
        usage=await _usage(visit),
        recent=await _recent(visit),
        groups=[group for group in await services.groups.list(tenant) if group.channel == CHANNEL],
        bases=[kb.name for kb in await services.knowledge.catalog.named(tenant, None)],
        members=members,
        roles=list(Role),
        waiting=await services.handoffs.waiting(tenant),
        proposed=await services.curation.answers.list(tenant, "proposed"),
        names=await names_of(visit),
        processes=await services.channel_processes.now_running(CHANNEL),
        prose=html_of,
    )


@router.post("/handoffs/{number}")
async def answer(visit: Writing, number: int, text: str = Form("")) -> Response:
    """The asker is told by the bot's own process, which looks for what was answered."""
    await visit.services.handoffs.answer(visit.tenant, number, text, by=label_of(visit))
    return see(f"{path_of('dingtalk')}#handoffs")


@router.post("/groups/binding")
async def bind(
    visit: Writing,
    group: str = Form(""),
    scope: str = Form(""),
    kb: list[str] = Form([]),  # noqa: B008 (FastAPI's way)
) -> Response:
    """``scope`` is all, or some: the knowledge bases named. What is neither changes nothing."""
    groups = visit.services.groups
    if scope == "all":
        await groups.unbind(visit.tenant, CHANNEL, group, by=label_of(visit))
    elif scope == "some":
        await groups.bind(visit.tenant, CHANNEL, group, kb, by=label_of(visit))
    else:
        raise InvalidInput("Choose all knowledge bases, or some.", code="binding_empty")
    return see(f"{path_of('dingtalk')}#groups")


@router.post("/groups/operators")
async def operators(visit: Writing, group: str = Form("")) -> Response:
    """The group that questions are handed to; none, if none is named."""
    groups = visit.services.groups
    if group:
        await groups.set_operators(visit.tenant, CHANNEL, group, by=label_of(visit))
    else:
        await groups.clear_operators(visit.tenant, by=label_of(visit))
    return see(f"{path_of('dingtalk')}#groups")


@router.post("/users/{user_id}/role")
async def set_role(visit: Administering, user_id: str, role: Role | None = Form(None)) -> Response:  # noqa: B008
    """No role: theirs follows the organisation again."""
    await visit.services.users.set_role(visit.tenant, user_id, role, by=label_of(visit))
    return see(f"{path_of('dingtalk')}#people")


async def _usage(visit: Visit) -> Usage | None:
    """The app's, for tenants whose organisations it is in."""
    settings = visit.services.settings
    served = set(settings.dingtalk_corps.values()) or {settings.dingtalk_tenant}
    return await usage_of(settings, visit.services.calls) if visit.tenant in served else None


async def _recent(visit: Visit) -> list[Recent]:
    replies = await visit.services.replies.recent(visit.tenant, RECENT)
    turns = [reply.turn_id for reply in replies if reply.turn_id]
    questions = await visit.services.conversations.questions(visit.tenant, turns)
    language = language_of(visit.request)
    return [
        Recent(reply, questions.get(reply.turn_id or "", ""), _link(visit, reply), _why(reply.reason, language))
        for reply in replies
    ]


def _link(visit: Visit, reply: Reply) -> str:
    if reply.job_id:
        return path_of("jobs", reply.job_id)
    return answer_link("", reply.turn_id, signer=visit.services.jobs.artifacts.signer) if reply.turn_id else ""


def _why(reason: str, language: Language) -> str:
    """In words; what DingTalk refuses an answer with is any of many codes, shown as it is."""
    return REASONS.word(f"reason.{reason}", language) or say(language, "dingtalk.why_other", code=reason)
