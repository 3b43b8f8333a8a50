"""Interactive cards: created, delivered, updated, streamed and clicked, by the rules of the platform."""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Literal, TypeAlias

from bots.sandbox.card_bodies import CardData, Create, Deliver, Stream, Update, UpdateOptions
from bots.sandbox.clock import Clock
from bots.sandbox.journal import Journal
from bots.sandbox.people import Conversation, People
from bots.sandbox.templates import STOCK, Template
from bots.sandbox.wire import Json, Refused

State: TypeAlias = Literal["PROCESSING", "INPUTING", "FINISHED", "FAILED"]

_STATES: Mapping[str, State] = {"1": "PROCESSING", "2": "INPUTING", "3": "FINISHED", "4": "INPUTING", "5": "FAILED"}
_SPACE = re.compile(r"dtv1\.card//(IM_GROUP|IM_ROBOT|IM_SINGLE|ONE_BOX)\.([^;]+)", re.IGNORECASE)  # [D]
_BLANK = 3000  # code points; a longer text is taken and shown as nothing [F]
_VALUE = 1024  # bytes that a value may have [D]; a recommendation, so only a warning


@dataclass(frozen=True, slots=True)
class Frame:
    """A text that was streamed to a card; ``time`` is the sandbox's."""

    time: float
    content: str
    guid: str
    final: bool
    failed: bool


@dataclass(frozen=True, slots=True)
class Change:
    """An update of a card's values."""

    time: float
    values: Mapping[str, str]
    by_key: bool


@dataclass(slots=True, eq=False)
class CardState:
    """A card as people see it. ``callback``: how clicks come, and ``route_key`` where to for HTTP; ``space`` is None
    until it was delivered somewhere."""

    id: str
    template: Template
    values: dict[str, str]
    private: dict[str, dict[str, str]]
    callback: str | None
    route_key: str | None
    created: float
    state: State = "PROCESSING"
    spaces: list[Conversation] = field(default_factory=list)
    at: tuple[str, ...] = ()
    frames: list[Frame] = field(default_factory=list)
    updates: list[Change] = field(default_factory=list)
    guids: set[str] = field(default_factory=set)

    @property
    def space(self) -> Conversation | None:
        return self.spaces[0] if self.spaces else None

    @property
    def content(self) -> str:
        """The text that streams."""
        return self.values.get(self.template.streaming_key or "", "")

    @property
    def ended(self) -> bool:
        return self.state in {"FINISHED", "FAILED"}

    @property
    def rendered_blank(self) -> bool:
        return len(self.content) > _BLANK

    def seen_by(self, staff_id: str) -> dict[str, str]:
        """The values, with those that are this person's own."""
        return {**self.values, **self.private.get(staff_id, {})}


@dataclass(slots=True)
class Cards:
    """``undeliverable`` are conversations that the robot is not in. ``content_limit`` [?] is in code points;
    ``refuses_after_end`` [?] says what is answered to a frame after the last one (which is a violation anyway)."""

    clock: Clock
    journal: Journal
    people: People
    robot_code: str
    shown: Callable[[Conversation, CardState], None]
    content_limit: int = 20_000
    refuses_after_end: bool = True
    undeliverable: set[str] = field(default_factory=set)
    templates: dict[str, Template] = field(default_factory=lambda: {one.id: one for one in STOCK})
    all: dict[str, CardState] = field(default_factory=dict)

    def create(self, body: Create) -> Json:
        """Raises Refused."""
        template = self.templates.get(body.card_template_id)
        if template is None:
            raise Refused(400, "param.templateNotExist", "模板不存在")  # [D]
        if body.out_track_id in self.all:
            raise Refused(400, "param.cardAlreadyExist", "卡片已存在")  # [D]
        private = {user: dict(data.card_param_map) for user, data in body.private_data.items()}
        self.all[body.out_track_id] = card = CardState(
            body.out_track_id,
            template,
            {},
            private,
            body.callback_type,
            body.callback_route_key,
            self.clock.now(),
        )
        self._assign(card, body.card_data.card_param_map, by_key=True)
        if template.streaming_key is None:
            card.state = "FINISHED"
        return {"success": True, "result": body.out_track_id}

    def deliver(self, body: Deliver) -> list[Json]:
        """What became of each space [D]: 200 even when a space is not there. Raises Refused."""
        card = self.all.get(body.out_track_id)
        if card is None:
            raise Refused(400, "param.cardNotExist", "卡片不存在")  # [D]
        return [self._bring(card, body, kind, space_id) for kind, space_id in _spaces(body)]

    def create_and_deliver(self, create: Create, deliver: Deliver) -> Json:
        """Raises Refused."""
        _spaces(deliver)  # refused before anything is created [?]
        self.create(create)
        return {"success": True, "result": {"outTrackId": create.out_track_id, "deliverResults": self.deliver(deliver)}}

    def update(self, body: Update) -> Json:
        """Merges with updateCardDataByKey, and replaces all values without [D]. Raises Refused."""
        card = self.all.get(body.out_track_id)
        if card is None:
            raise Refused(400, "param.cardNotExist", "卡片不存在")  # [D]
        options = body.card_update_options
        self.apply(card, body.card_data, options, body.private_data)
        return {"success": True, "result": True}

    def apply(
        self, card: CardState, data: CardData | None, options: UpdateOptions, private: Mapping[str, CardData]
    ) -> None:
        if data is not None:
            card.updates.append(Change(self.clock.now(), dict(data.card_param_map), options.update_card_data_by_key))
            self._assign(card, data.card_param_map, by_key=options.update_card_data_by_key)
        for user, own in private.items():
            kept = card.private.get(user, {}) if options.update_private_data_by_key else {}
            card.private[user] = {**kept, **own.card_param_map}
        self.journal.changed()

    def stream(self, body: Stream) -> Json:
        """One frame. Raises Refused."""
        done: Json = {"success": True, "result": True}
        card = self._streamable(body)
        if body.guid in card.guids:
            return done  # [D] the same call again
        if card.ended:
            self.journal.violate("frame", f"card {card.id} got a frame after it was {card.state}")
            if self.refuses_after_end:
                raise Refused(500, "unknownError", "未知错误")  # [?]
            return done
        card.guids.add(body.guid)
        card.values[body.key] = body.content if body.is_full else card.values.get(body.key, "") + body.content
        card.frames.append(Frame(self.clock.now(), body.content, body.guid, body.is_finalize, body.is_error))
        card.state = "FAILED" if body.is_error else "FINISHED" if body.is_finalize else "INPUTING"  # [D]
        self.journal.changed()
        return done

    def _streamable(self, body: Stream) -> CardState:
        """[D] The checks of a frame."""
        if not body.key:
            raise Refused(400, "param.stream.keyEmpty", "key is empty")
        if not body.guid:
            raise Refused(400, "param.stream.guidEmpty", "guid is empty")
        if not body.content:
            raise Refused(400, "param.stream.contentEmpty", "content is empty")
        card = self.all.get(body.out_track_id)
        if card is None:
            raise Refused(400, "param.stream.outTrackId", "card is not exist")
        if body.key != card.template.streaming_key:
            raise Refused(400, "param.stream.key", "key is not a variable that streams")  # [?]
        if not body.is_full and card.template.variables.get(body.key, "markdown") == "markdown":
            raise Refused(400, "param.stream.isFull", "markdown must be full")
        if len(body.content) > self.content_limit:
            raise Refused(400, "param.stream.content", "content is too large")
        return card

    def _assign(self, card: CardState, values: Mapping[str, str], *, by_key: bool) -> None:
        """New values. A template's own status variable is its card's state too [S]."""
        for fault in card.template.faults_of(values):
            self.journal.violate("card", f"template {card.template.id}: {fault}")
        for name, value in values.items():
            if len(value.encode()) > _VALUE and name != card.template.streaming_key:
                self.journal.warn("card", f"{name} has more than {_VALUE} bytes")
        card.values = {**card.values, **values} if by_key else dict(values)
        card.state = _STATES.get(values.get("flowStatus", ""), card.state)

    def _bring(self, card: CardState, body: Deliver, kind: str, space_id: str) -> Json:
        result: Json = {"spaceType": kind, "spaceId": space_id, "success": False, "carrierId": "", "errorMsg": ""}
        where = self._space(kind, space_id)
        if where is None or where.id in self.undeliverable:
            return {**result, "errorMsg": "空间不存在或机器人不在其中"}  # [D] that it is 200; the words [?]
        if kind == "IM_GROUP" and body.im_group_open_deliver_model is not None:
            if body.im_group_open_deliver_model.robot_code != self.robot_code:
                return {**result, "errorMsg": "robotCode 无效"}
            card.at = tuple(body.im_group_open_deliver_model.at_user_ids)
        if where not in card.spaces:
            card.spaces.append(where)
            self.shown(where, card)
        return {**result, "success": True, "carrierId": f"carrier-{card.id}"}

    def _space(self, kind: str, space_id: str) -> Conversation | None:
        if kind == "IM_GROUP":
            return self.people.group(space_id)
        user = self.people.staff(space_id)
        return None if user is None else self.people.single(user)


def _spaces(body: Deliver) -> list[tuple[str, str]]:
    """Kind and id of each. Raises Refused."""
    matches = [_SPACE.fullmatch(part) for part in body.open_space_id.split(";")]
    found = [(match[1].upper(), match[2]) for match in matches if match]
    if len(found) < len(matches):
        raise Refused(400, "param.openSpaceIdInvalid", "openSpaceId 格式错误")  # [D]
    models = {"IM_GROUP": body.im_group_open_deliver_model, "IM_ROBOT": body.im_robot_open_deliver_model}
    if any(kind in models and models[kind] is None for kind, _ in found):
        raise Refused(400, "param.openDeliverModelEmpty", "投放模型为空")  # [D]
    return found
