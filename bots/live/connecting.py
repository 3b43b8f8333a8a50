"""Steps that listen: the way to DingTalk, a message, what is pushed again, pings."""

import asyncio
import time
from collections.abc import Mapping
from itertools import pairwise
from typing import Any
from urllib.parse import urlsplit

from bots.dingtalk import frames
from bots.dingtalk.incoming import incoming_of
from bots.live.line import Heard
from bots.live.scene import Scene


async def reach(scene: Scene) -> None:
    """The way through TLS and firewalls, and whether the app may have a connection."""
    began = time.perf_counter()
    ticket = await scene.client.open_connection(frames.TOPICS)
    milliseconds = round((time.perf_counter() - began) * 1000)
    scene.saw("reach.opened", ms=milliseconds, host=urlsplit(ticket.endpoint).netloc)


async def message(scene: Scene) -> None:
    """What a message has: some of it is only there once the app is published."""
    heard = await _written(scene, "message.write")
    if heard is None:
        return
    data: Mapping[str, Any] = heard.frame.data or {}
    scene.target = incoming_of(data, robot=scene.client.robot_code).target
    scene.saw("message.fields", names=", ".join(sorted(data)))
    scene.saw("message.published" if data.get("senderStaffId") else "message.no_staff_id")
    scene.saw("message.robot_same" if data.get("robotCode") == scene.client.robot_code else "message.robot_other")
    life = int(data.get("sessionWebhookExpiredTime") or 0) - int(data.get("createAt") or 0)
    scene.saw("message.webhook", minutes=round(life / 60_000))


async def redelivery(scene: Scene) -> None:
    """Whether what is not acknowledged comes again, when, and under which ids."""
    scene.line.withholding = True
    try:
        first = await _written(scene, "redelivery.write")
        if first is None:
            return
        await scene.tell("redelivery.wait", seconds=round(scene.waits.redelivery))
        found = await _again(scene, first)
    finally:
        await scene.line.acknowledge()
    for heard in found:
        same = scene.text("word.same" if heard.frame.id == first.frame.id else "word.new")
        scene.saw("redelivery.again", seconds=f"{heard.at - first.at:.1f}", id=same, connection=heard.connection)
    if not found:
        scene.saw("redelivery.none", seconds=round(scene.waits.redelivery))


async def pings(scene: Scene) -> None:
    """How often DingTalk pings: how long a silence means that a connection is dead."""
    end = asyncio.get_running_loop().time() + scene.waits.pings
    while len(_pings(scene)) < 3 and (left := end - asyncio.get_running_loop().time()) > 0:
        await scene.line.first(_is_ping, seconds=left, after=len(scene.line.heard))
    times = [heard.at for heard in _pings(scene)]
    periods = ", ".join(f"{later - earlier:.1f}" for earlier, later in pairwise(times))
    scene.saw("pings.seen", count=len(times), periods=periods or "–")
    scene.saw("pings.connections", count=scene.line.connections)


async def _written(scene: Scene, key: str) -> Heard | None:
    before = len(scene.line.heard)
    await scene.tell(key)
    heard = await scene.line.first(_is_message, seconds=scene.waits.message, after=before)
    if heard is None:
        scene.saw("message.none", seconds=round(scene.waits.message))
    return heard


async def _again(scene: Scene, first: Heard) -> list[Heard]:
    """Every time that it came again, until it is not waited for any more."""
    end = asyncio.get_running_loop().time() + scene.waits.redelivery
    after, found = scene.line.heard.index(first) + 1, list[Heard]()
    while (left := end - asyncio.get_running_loop().time()) > 0:
        heard = await scene.line.first(lambda one: _msg_id(one) == _msg_id(first), seconds=left, after=after)
        if heard is not None:
            found.append(heard)
            after = scene.line.heard.index(heard) + 1
    return found


def _pings(scene: Scene) -> list[Heard]:
    """Of the connection that stands now."""
    return [one for one in scene.line.heard if _is_ping(one) and one.connection == scene.line.connections]


def _is_message(heard: Heard) -> bool:
    return heard.frame.topic == frames.MESSAGES


def _is_ping(heard: Heard) -> bool:
    return heard.frame.type == frames.SYSTEM and heard.frame.topic == "ping"


def _msg_id(heard: Heard) -> str:
    return str((heard.frame.data or {}).get("msgId")) if _is_message(heard) else ""
