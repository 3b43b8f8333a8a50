"""What each frame is answered with: messages go to the inbox in the order they came, clicks are answered in time."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, TypeAlias

from bots.dingtalk import frames
from bots.dingtalk.frames import Frame
from bots.dingtalk.incoming import action_of, incoming_of
from bots.messages import CardAction, Incoming
from knowledge.errors import CopilotError, InvalidInput, Unavailable

OnMessage: TypeAlias = Callable[[Incoming], Awaitable[None]]
OnAction: TypeAlias = Callable[[CardAction], Awaitable[Mapping[str, Any]]]

# DingTalk shows a failure to who clicked after 2 s; the way there and back takes its part, and a second feels slow.
ACTION_S = 0.8
# An inbox that is away comes back or it does not. DingTalk may push again what it hears nothing of for 16 s or 60 s.
INBOX_S = 10.0
INBOX_PAUSE_S = 0.25

log = logging.getLogger(__name__)


class Replies:
    """``on_message`` returns when the message is safe, not when it is answered; it is not called again before that.
    ``on_action`` returns what changes on the card; one that is late goes on, and the click changes nothing."""

    def __init__(
        self,
        tasks: asyncio.TaskGroup,
        on_message: OnMessage,
        on_action: OnAction,
        *,
        robot: str,
        action_s: float = ACTION_S,
        inbox_s: float = INBOX_S,
    ) -> None:
        self._tasks = tasks
        self._on_message = on_message
        self._on_action = on_action
        self._robot = robot
        self._action_s = action_s
        self._inbox_s = inbox_s
        self._in_order = asyncio.Lock()  # whoever waits longest is next

    async def to(self, frame: Frame) -> str | None:
        """The acknowledgement to send; None where there can't be one."""
        if frame.type == frames.SYSTEM:
            return frame.ack(frames.OK, frame.data or {}, message="OK")
        if frame.type == frames.EVENT:
            return frame.ack(frames.OK, {"status": "SUCCESS", "message": ""})
        if frame.type == frames.CALLBACK and frame.topic in frames.TOPICS:
            return await self._to_callback(frame)
        log.warning("stream: a frame of an unknown type or topic, %s", frame.id)
        return frame.ack(frames.NOT_FOUND, {"response": None})

    async def _to_callback(self, frame: Frame) -> str | None:
        try:
            if frame.topic == frames.CLICKS:
                return frame.ack(frames.OK, {"response": await self._click(frame)})
            await self._keep(incoming_of(frame.data, robot=self._robot))
            return frame.ack(frames.OK, {"response": None})
        except InvalidInput as error:
            log.warning("stream: %s, %s", error.error_code, frame.id)
            return frame.ack(frames.BAD, {"response": None})
        except CopilotError as error:
            log.error("stream: %s was not taken in, %s", frame.id, error.error_code)  # noqa: TRY400 (says all)
        except Exception:
            # The edge of the process: a defect in what a message leads to must not end the connection for all others.
            log.exception("stream: %s was not taken in", frame.id)
        return frame.ack(frames.FAILED, {"response": None})

    async def _keep(self, message: Incoming) -> None:
        give_up = asyncio.get_running_loop().time() + self._inbox_s
        async with self._in_order:
            while True:
                try:
                    return await self._on_message(message)
                except Unavailable:
                    if asyncio.get_running_loop().time() > give_up:
                        raise
                await asyncio.sleep(INBOX_PAUSE_S)

    async def _click(self, frame: Frame) -> Mapping[str, Any]:
        acting = self._tasks.create_task(self._act(action_of(frame.data)))
        await asyncio.wait({acting}, timeout=self._action_s)
        if not acting.done():
            log.warning("stream: a click is not answered in time, %s", frame.id)
            return {}
        return acting.result()

    async def _act(self, action: CardAction) -> Mapping[str, Any]:
        try:
            return await self._on_action(action)
        except CopilotError as error:
            log.warning("stream: a click on %s failed, %s", action.card_id, error.error_code)
        except Exception:
            # As above. Whoever clicked sees the card unchanged.
            log.exception("stream: a click on %s failed", action.card_id)
        return {}
