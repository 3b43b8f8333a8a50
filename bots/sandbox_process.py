"""The sandbox as a process: a gateway, its page, and a real bot that is started again whenever it ends."""

import asyncio
import logging
import signal
import sys
from pathlib import Path

import app
from app.channels.groups import Groups
from app.database import migrate
from app.identity.users import Role, Users
from app.processes.children import Child, ChildSpec, spawn
from app.processes.environment import settings_environment
from app.processes.ports import check_port
from app.samples import suggestions
from app.settings import Settings
from bots.dingtalk import templates
from bots.dingtalk.cards import TEMPLATES
from bots.people import CHANNEL
from bots.sandbox.gateway import Gateway, running_gateway
from bots.sandbox.page.cast import Cast, cast, seat
from bots.sandbox.page.server import BotProcess, Parts, running_page
from bots.sandbox.people import CORP
from bots.sandbox_settings import HOST, TEMPLATE_IDS
from bots.wiring import credentials
from knowledge.catalog import Catalog
from knowledge.database import Database
from knowledge.models import DEFAULT_TENANT

STOP_SECONDS = 1.8  # for the bot to end; `copilot up` allows its children 2.5, and the page ends after it
PAUSE_SECONDS = 1.0  # before a bot that ended is started again
PHOTOS = ("mug.jpg", "bag.jpg", "bottle.jpg", "jar.jpg")

log = logging.getLogger(__name__)


async def run_sandbox(
    settings: Settings, *, port: int, redis_url: str | None = None, chroma_url: str | None = None
) -> None:
    """Until SIGTERM or SIGINT; ``settings`` as :mod:`bots.sandbox_settings` makes them. Raises StartFailure."""
    check_port(HOST, port)
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    known = credentials(settings)
    async with running_gateway(client_id=known.client_id, client_secret=known.client_secret) as gateway:
        seat(gateway, cast())
        register_templates(gateway)
        await _introduce(settings, gateway)
        bot = BotKeeper(_bot_spec(settings, gateway.url, redis_url=redis_url, chroma_url=chroma_url))
        parts = page_parts(public_url=settings.public_url, bot=bot)
        async with running_page(gateway, parts, host=HOST, port=port) as url, asyncio.TaskGroup() as tasks:
            keeping = tasks.create_task(bot.run())
            log.info("sandbox ready url=%s gateway=%s", url, gateway.url)
            await stop.wait()
            keeping.cancel()


def page_parts(*, public_url: str | None = None, bot: BotProcess | None = None) -> Parts:
    """What the page is given of ours."""
    package = Path(app.__file__).parent
    folder = Path(templates.__file__).parent
    links = {"chat_page": f"{public_url}/", "console": f"{public_url}/console/dingtalk"} if public_url else {}
    return Parts(
        cast=cast(),
        layouts={template_id: folder / f"{name}.json" for name, template_id in TEMPLATE_IDS.items()},
        widget=package / "widget",
        photos=[package / "imaging" / "samples" / name for name in PHOTOS],
        questions=suggestions(),
        links=links,
        bot=bot,
    )


def register_templates(gateway: Gateway) -> None:
    """Our cards, as an organisation that imported them has them."""
    for name, template in TEMPLATES.items():
        gateway.register_template(TEMPLATE_IDS[name], template.variables, template.streaming_key)


async def introduce(users: Users, groups: Groups, gateway: Gateway, people: Cast) -> None:
    """The roles of the cast, as an operator would give them by hand, and the group that questions are handed to."""
    for one in people.people:
        if one.role == "external":
            continue
        admin = one.role == "admin"
        user = await users.seen(CHANNEL, CORP, one.id, tenant=DEFAULT_TENANT, name=one.name, admin=admin)
        if one.role == "operator" and user.role is not Role.OPERATOR:
            await users.set_role(DEFAULT_TENANT, user.id, Role.OPERATOR, by="sandbox")
    for group in gateway.people.conversations.values():
        if any(one.title == group.title and one.operators for one in people.groups):
            known = {"tenant": DEFAULT_TENANT, "organisation": CORP}
            await groups.seen(CHANNEL, group.id, title=group.title, **known)
            await groups.set_operators(DEFAULT_TENANT, CHANNEL, group.id, by="sandbox")


async def _introduce(settings: Settings, gateway: Gateway) -> None:
    database = Database(settings.database)
    try:
        await migrate(database)
        catalog = Catalog(database)
        await catalog.ensure_tenant(DEFAULT_TENANT, DEFAULT_TENANT)
        await introduce(Users(database), Groups(database, catalog), gateway, cast())
    finally:
        await database.close()


def _bot_spec(settings: Settings, gateway_url: str, *, redis_url: str | None, chroma_url: str | None) -> ChildSpec:
    data = settings.data.absolute()
    env = settings_environment(
        settings,
        data=data,
        redis_url=redis_url or settings.redis_url,
        chroma_url=chroma_url or settings.chroma_url,
        dingtalk_openapi_url=gateway_url,
        dingtalk_oapi_url=gateway_url,
    )
    return ChildSpec("bot", (sys.executable, "-m", "bots"), env=env, log=data / "logs" / "bot.log")


class BotKeeper:
    """A bot in a process of its own, started again whenever it ends."""

    def __init__(self, spec: ChildSpec) -> None:
        self._spec = spec
        self._child: Child | None = None

    async def run(self) -> None:
        """Until cancelled; then the bot is asked to end, and killed if it takes too long."""
        while True:
            self._child = child = await spawn(self._spec, on_line=_unheard, on_end=lambda: None)
            try:
                await child.ended()
                log.warning("bot ended, it is started again: %s", " | ".join(child.tail()[-2:]))
            finally:
                await _end(child)
            await asyncio.sleep(PAUSE_SECONDS)

    def kill(self) -> None:
        if self._child is not None:
            self._child.signal(signal.SIGKILL)


async def _end(child: Child) -> None:
    child.signal(signal.SIGTERM)
    try:
        async with asyncio.timeout(STOP_SECONDS):
            await child.ended()
    except TimeoutError:
        child.signal(signal.SIGKILL)
        await child.ended()
    child.let_go()


def _unheard(name: str, line: str) -> None:
    """The bot writes to its log."""
