"""What waits in the inbox, as bytes: a message, or a click that asks for a new answer."""

from dataclasses import dataclass
from hashlib import sha256
from typing import Annotated, Literal, TypeAlias

from pydantic import Field, TypeAdapter

from bots.messages import Incoming, Target
from knowledge.language import Language


@dataclass(frozen=True, slots=True)
class Written:
    """Somebody wrote to the bot."""

    message: Incoming
    type: Literal["written"] = "written"


@dataclass(frozen=True, slots=True)
class Again:
    """Somebody wants another answer to the question of a turn: ``target`` is where it was asked, and by whom."""

    turn_id: str
    target: Target
    language: Language = "zh"
    type: Literal["again"] = "again"

    @property
    def id(self) -> str:
        """The same for every click on the same answer."""
        return f"again:{self.turn_id}"


Envelope: TypeAlias = Written | Again
_ENVELOPES: TypeAdapter[Envelope] = TypeAdapter(Annotated[Envelope, Field(discriminator="type")])


def packed(envelope: Envelope) -> bytes:
    return _ENVELOPES.dump_json(envelope)


def unpacked(payload: bytes) -> Envelope:
    return _ENVELOPES.validate_json(payload)


def reply_id(robot: str, message_id: str) -> str:
    """What is shown for a message has this id (32 hex digits), in every process and after every restart."""
    return sha256(f"{robot}:{message_id}".encode()).hexdigest()[:32]
