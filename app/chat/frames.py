"""Events as bytes: numbered SSE events, runs of tokens as one, encoded once for everybody who reads them."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby

import orjson

from app.chat.events import Done, Event, Failed, Token, name_of, payload_of

_TOKEN = re.compile(rb"\nevent: token\ndata: (.*?)\n\n")
_EVENT = re.compile(rb"id: (\d+)\n.*?\n\n", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Frame:
    """One or more SSE events, the last of which has the id ``number``; ``last`` ends the stream."""

    number: int
    data: bytes
    last: bool = False


def framed(numbered: Sequence[tuple[int, Event]]) -> Frame:
    """Events with their numbers, at least one, as one frame."""
    data = b"".join(encoded(number, event) for number, event in coalesced(numbered))
    number, event = numbered[-1]
    return Frame(number, data, isinstance(event, Done | Failed))


def encoded(number: int, event: Event) -> bytes:
    """One SSE event."""
    if isinstance(event, Token):  # by far the most frequent
        return b"id: %d\nevent: token\ndata: %s\n\n" % (number, orjson.dumps({"text": event.text}))
    return b"id: %d\nevent: %s\ndata: %s\n\n" % (number, name_of(event).encode(), orjson.dumps(payload_of(event)))


def coalesced(numbered: Sequence[tuple[int, Event]]) -> Iterator[tuple[int, Event]]:
    """Runs of tokens as one, under the number of the last."""
    if len(numbered) == 1:
        yield numbered[0]
        return
    for is_token, run in groupby(numbered, key=lambda item: isinstance(item[1], Token)):
        if is_token:
            tokens = list(run)
            text = "".join(event.text for _, event in tokens if isinstance(event, Token))
            yield tokens[-1][0], Token(text)
        else:
            yield from run


def text_in(frames: Sequence[Frame]) -> str:
    """What was said in them."""
    data = b"".join(frame.data for frame in frames)
    return "".join(orjson.loads(found[1])["text"] for found in _TOKEN.finditer(data))


def without(frame: Frame, number: int) -> Frame:
    """What of a frame comes after an event that its reader has already."""
    rest = b"".join(found[0] for found in _EVENT.finditer(frame.data) if int(found[1]) > number)
    return Frame(frame.number, rest, frame.last)
