"""The bot's process: from its first connection to a clean end."""

import asyncio
import hashlib
import logging
import signal
from collections.abc import Awaitable, Callable, Coroutine, Generator
from contextlib import contextmanager
from typing import Any

import uvicorn

from app import metrics
from app.channels.processes import SAY_SECONDS
from app.processes.runtime import mark_ready
from app.settings import Settings
from app.wiring import Twins
from bots.bot import Bot
from bots.dingtalk.stream import Health, Stream
from bots.dispatcher import left_to_the_next_round
from bots.people import CHANNEL
from bots.ports import BudgetSpent, ChannelRefused
from bots.wiring import CARD_ROUTE, Tempo, Wire, running_bot
from knowledge.errors import InvalidInput, Unavailable

log = logging.getLogger(__name__)


async def run_bot(
    settings: Settings,
    *,
    redis_url: str | None = None,
    chroma_url: str | None = None,
    twins: Twins | None = None,
    tempo: Tempo | None = None,
) -> None:
    """Until SIGTERM or SIGINT. Raises InvalidInput ``setting_missing``, ``port_busy``."""
    if not (redis_url or settings.redis_url):
        raise InvalidInput(
            "There is no Redis. Set COPILOT_REDIS_URL, or start everything with “copilot up”.", code="setting_missing"
        )
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    running = running_bot(settings, redis_url=redis_url, chroma_url=chroma_url, twins=twins, tempo=tempo)
    async with running as (bot, wire):
        listen = listener(settings, bot, wire)
        mark_ready(settings.data)
        log.info("bot ready mode=%s", settings.dingtalk_mode)
        with metrics.served(settings.metrics_port, settings.host):
            await bot.run(listen, stop)


def listener(settings: Settings, bot: Bot, wire: Wire) -> Callable[[], Awaitable[None]]:
    """The way in that is set. Raises InvalidInput ``setting_missing``."""
    if settings.dingtalk_mode == "stream":
        stream = stream_of(bot, wire)
        return lambda: _reported(stream.run(), lambda: stream.health, bot, wire)
    url, served = settings.dingtalk_callback_url, Health("connected")
    if not url:
        raise InvalidInput("Set COPILOT_DINGTALK_CALLBACK_URL to where DingTalk reaches us.", code="setting_missing")
    return lambda: _reported(_serve(settings, url, bot, wire), lambda: served, bot, wire)


async def _reported(listening: Coroutine[Any, Any, None], standing: Callable[[], Health], bot: Bot, wire: Wire) -> None:
    """Listen; how it stands is written down for the console."""
    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(listening)
        try:
            while True:
                with left_to_the_next_round("health"):
                    health = standing()
                    await wire.services.channel_processes.say(
                        CHANNEL, bot.owner, state=health.state, reason=health.reason, since=health.since
                    )
                await asyncio.sleep(SAY_SECONDS)
        finally:
            with left_to_the_next_round("health"):
                await wire.services.channel_processes.gone(CHANNEL, bot.owner)


def stream_of(bot: Bot, wire: Wire) -> Stream:
    """The bot's connection."""
    return Stream(wire.client.open_connection, bot.on_message, bot.on_action, robot=bot.robot, pace=wire.tempo.pace)


async def _serve(settings: Settings, public_url: str, bot: Bot, wire: Wire) -> None:
    """HTTP callbacks at ``public_url``, and clicks sent to them."""
    from bots.dingtalk.callbacks import CLICKS, callback_app

    secret = wire.credentials.client_secret
    card_secret = hashlib.sha256(f"cards:{secret}".encode()).hexdigest()
    url = public_url.rstrip("/") + CLICKS
    app = callback_app(bot.on_message, bot.on_action, robot=bot.robot, client_secret=secret, card_secret=card_secret)
    config = uvicorn.Config(
        app,
        host=settings.host,
        port=settings.dingtalk_callback_port,
        log_config=None,
        access_log=False,
        timeout_graceful_shutdown=1,
    )
    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(_Server(config).run_until_cancelled())
        await _register(wire, url, card_secret)


async def _register(wire: Wire, url: str, secret: str) -> None:
    """Have clicks sent to us; tried again until DingTalk answers. If it refuses, messages are answered all the same."""
    pause = 1.0
    while True:
        try:
            return await wire.client.register_card_route(CARD_ROUTE, url, secret=secret)
        except Unavailable as down:
            log.warning("clicks are not sent to us yet code=%s", down.error_code)
        except (ChannelRefused, BudgetSpent) as refused:
            log.error("clicks are not sent to us code=%s", refused.error_code)  # noqa: TRY400 (says all)
            return None
        await asyncio.sleep(pause)
        pause = min(60.0, pause * 2)


class _Server(uvicorn.Server):
    """Leaves signals to the process that it is a part of."""

    async def run_until_cancelled(self) -> None:
        try:
            await self.serve()
        except asyncio.CancelledError:
            await self.shutdown()
            raise

    @contextmanager
    def capture_signals(self) -> Generator[None]:
        yield
