"""The bot put together from settings."""

import asyncio
import logging
import os
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from uuid import uuid4

from app.channels.answer_links import answer_link
from app.channels.calls import Calls
from app.chat.running import RunningTurns
from app.identity.users import Role
from app.jobs.deliveries import Deliveries
from app.settings import Settings
from app.wiring import Services, Twins, running_services
from bots.actions import Actions
from bots.answering import Answering
from bots.bot import Bot
from bots.commands import Commands
from bots.conversation import Reception
from bots.delivery import Courier
from bots.dingtalk.addresses import Addresses
from bots.dingtalk.attempts import Patience
from bots.dingtalk.client import Credentials, DingTalkClient
from bots.dingtalk.governor import Governor, MemoryGovernor
from bots.dingtalk.inbox import Inbox, MemoryInbox, RedisInbox
from bots.dingtalk.ladder import Rules
from bots.dingtalk.messenger import DingTalkMessenger
from bots.dingtalk.redis_governor import RedisGovernor
from bots.dingtalk.robots import CustomRobots
from bots.dingtalk.standing import Terms
from bots.dingtalk.stream import Pace
from bots.dispatcher import Dispatcher
from bots.files import OfferedFiles
from bots.handing_over import HandingOver
from bots.job_followers import JobFollowers
from bots.people import People
from bots.pictures import PictureDesk
from bots.ports import Template
from bots.recovery import Recovery
from bots.refusals import Refusals
from bots.rungs import Rungs
from bots.worker import DeliveryWorker
from knowledge.errors import InvalidInput

CARD_ROUTE = "merchant-copilot"  # the key of our HTTP callback at DingTalk

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Tempo:
    """How long DingTalk is waited for, and how soon it is asked again. ``call_s`` is for one call, in seconds."""

    call_s: float = 10.0
    patience: Patience = field(default_factory=Patience)
    pace: Pace = field(default_factory=Pace)


@dataclass(frozen=True, slots=True)
class Wire:
    """The app's own side of DingTalk: who we are there, what carries our calls; and what is behind the bot."""

    credentials: Credentials
    client: DingTalkClient
    governor: Governor
    inbox: Inbox
    services: Services
    redis_url: str | None
    tempo: Tempo


@asynccontextmanager
async def running_bot(
    settings: Settings,
    *,
    redis_url: str | None = None,
    chroma_url: str | None = None,
    twins: Twins | None = None,
    tempo: Tempo | None = None,
) -> AsyncIterator[tuple[Bot, Wire]]:
    """Raises InvalidInput ``setting_missing`` without an app's id and secret."""
    app, tempo = credentials(settings), tempo or Tempo()
    addresses = Addresses(settings.dingtalk_openapi_url, settings.dingtalk_oapi_url)
    redis = redis_url or settings.redis_url
    async with running_services(settings, redis_url=redis, chroma_url=chroma_url, twins=twins) as services:
        wire = Wire(
            app,
            DingTalkClient(app, addresses, timeout_s=tempo.call_s),
            _governor(settings, redis, Calls(services.parts.database)),
            RedisInbox(redis, app.robot_code) if redis else MemoryInbox(app.robot_code),
            services,
            redis,
            tempo,
        )
        try:
            for tenant in {settings.dingtalk_tenant, *settings.dingtalk_corps.values()}:
                await services.knowledge.catalog.ensure_tenant(tenant, tenant)
            async with asyncio.TaskGroup() as tasks:
                yield _bot(settings, wire, tasks), wire
        finally:
            await wire.inbox.close()
            await wire.governor.close()
            await wire.client.close()


def credentials(settings: Settings) -> Credentials:
    """Raises InvalidInput ``setting_missing``."""
    if not settings.dingtalk_client_id or settings.dingtalk_client_secret is None:
        raise InvalidInput(
            "The bot needs a DingTalk app. Set COPILOT_DINGTALK_CLIENT_ID and COPILOT_DINGTALK_CLIENT_SECRET, "
            "or try it without one: copilot dingtalk-sandbox.",
            code="setting_missing",
        )
    client_id = settings.dingtalk_client_id
    secret = settings.dingtalk_client_secret.get_secret_value()
    return Credentials(client_id, secret, settings.dingtalk_robot_code or client_id)


def _governor(settings: Settings, redis: str | None, calls: Calls) -> Governor:
    terms = Terms(settings.dingtalk_qps, settings.dingtalk_monthly_calls, settings.dingtalk_monthly_messages)
    if redis is None:
        return MemoryGovernor(terms)
    return RedisGovernor(redis, settings.dingtalk_client_id or "", terms=terms, calls=calls)


def templates_of(settings: Settings) -> dict[Template, str]:
    """Ids of the cards' templates that are set."""
    ids: dict[Template, str | None] = {
        "answer": settings.dingtalk_answer_template,
        "job": settings.dingtalk_job_template,
    }
    return {name: template_id for name, template_id in ids.items() if template_id}


def _messenger(settings: Settings, wire: Wire) -> DingTalkMessenger:
    route = CARD_ROUTE if settings.dingtalk_mode == "http" else None
    return DingTalkMessenger(
        wire.client,
        wire.governor,
        templates=templates_of(settings),
        callback_route=route,
        patience=wire.tempo.patience,
    )


def _bot(settings: Settings, wire: Wire, tasks: asyncio.TaskGroup) -> Bot:
    services = wire.services
    messenger = _messenger(settings, wire)
    owner = f"{socket.gethostname()}:{os.getpid()}:{uuid4().hex[:8]}"
    robot = wire.credentials.robot_code
    followers = JobFollowers(services.jobs, messenger, services.replies, tasks)
    people = People(
        services.users,
        services.groups,
        tenant=settings.dingtalk_tenant,
        corps=settings.dingtalk_corps,
        default_role=Role(settings.dingtalk_staff_role),
    )
    answering = Answering(
        messenger,
        RunningTurns(services.chat, tasks, kept=16),
        services.replies,
        link=lambda turn_id: _link(settings, services, turn_id),
        on_job=followers.of_answer,
    )
    handing_over = HandingOver(services.handoffs, services.groups, services.replies, messenger)
    reception = _reception(settings, services, wire, messenger, answering, people)
    dispatcher = Dispatcher(wire.inbox, reception.receive, owner)
    bot: Bot

    async def enqueue(message_id: str, conversation: str, payload: bytes) -> None:
        await bot.enqueue(message_id, conversation, payload)

    async def stop(reply_id: str) -> None:
        await bot.stop_answer(reply_id)

    actions = Actions(
        people=people,
        replies=services.replies,
        conversations=services.conversations,
        handoffs=services.handoffs,
        jobs=services.jobs,
        enqueue=enqueue,
        stop=stop,
        on_handoff=handing_over.nudge,
        on_job=followers.begin,
    )
    bot = Bot(
        robot=robot,
        owner=owner,
        inbox=wire.inbox,
        governor=wire.governor,
        dispatcher=dispatcher,
        answering=answering,
        actions=actions,
        deliveries=_deliveries(settings, services, wire, messenger, owner),
        handing_over=handing_over,
        recovery=Recovery(services.replies, wire.inbox, answering, messenger),
        events=services.jobs.events,
        messenger=messenger,
        followers=followers,
        refuse=Refusals(messenger, tasks).refuse,
    )
    return bot


def _reception(
    settings: Settings,
    services: Services,
    wire: Wire,
    messenger: DingTalkMessenger,
    answering: Answering,
    people: People,
) -> Reception:
    catalog = services.knowledge.catalog
    files = OfferedFiles(services.replies, messenger, services.knowledge, catalog, limit=settings.max_upload_mb << 20)
    rules = Rules(
        template="answer" in messenger.templates,
        streaming=settings.dingtalk_streaming,
        frame_seconds=settings.dingtalk_frame_ms / 1000,
        soft_limit=settings.dingtalk_soft_limit,
        terms=Terms(settings.dingtalk_qps, settings.dingtalk_monthly_calls, settings.dingtalk_monthly_messages),
    )
    return Reception(
        people=people,
        chat=services.chat,
        conversations=services.conversations,
        artifacts=services.jobs.artifacts,
        replies=services.replies,
        messenger=messenger,
        answering=answering,
        commands=Commands(people, catalog, services.replies, services.conversations, services.handoffs, files),
        files=files,
        rungs=Rungs(wire.governor, rules),
    )


def _deliveries(
    settings: Settings, services: Services, wire: Wire, messenger: DingTalkMessenger, owner: str
) -> DeliveryWorker:
    deliveries = Deliveries(services.parts.database)
    pictures = PictureDesk(services.jobs.artifacts, images=settings.dingtalk_images, public_url=settings.public_url)
    robots = CustomRobots(wire.client, wire.governor, settings.dingtalk_robots)
    courier = Courier(services.jobs, deliveries, services.replies, pictures, messenger=messenger, robots=robots)
    return DeliveryWorker(courier, deliveries, owner=owner, redis_url=wire.redis_url)


def _link(settings: Settings, services: Services, turn_id: str) -> str | None:
    if not settings.public_url:
        return None
    return answer_link(settings.public_url, turn_id, signer=services.jobs.artifacts.signer)
