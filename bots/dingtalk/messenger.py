"""DingTalk as a :class:`bots.ports.Messenger`.

A message is sent by the webhook of what it answers, and by the API where that is over or does not work. Whatever may
have reached a chat is not sent again: then the error's code is ``delivery_unknown``.
"""

import logging
import time
import uuid
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any

from bots.dingtalk import errors, parts
from bots.dingtalk.attempts import Attempts, Patience
from bots.dingtalk.client import DingTalkClient, NewCard
from bots.dingtalk.errors import CardExists, DeliveryUnknown
from bots.dingtalk.parts import WebhookMessage
from bots.dingtalk.ports import Api, Governor
from bots.messages import Target
from bots.ports import BudgetSpent, Card, ChannelRefused, Picture, Purpose, Sent, Template
from knowledge.errors import Unavailable

MARGIN_S = 300.0  # a webhook that ends within this time may have ended when the message arrives
WEBHOOK_TRIES = 2  # then the API is quicker than waiting
_NO_TEXT = "…"  # DingTalk takes no empty frame, not even the last

log = logging.getLogger(__name__)


class DingTalkMessenger:
    """``templates`` are the ids of the cards' templates; ``card_key`` is the variable that frames fill; with a
    ``callback_route`` clicks go to our URL instead of the stream. ``clock`` gives seconds since 1970."""

    def __init__(
        self,
        client: DingTalkClient,
        governor: Governor,
        *,
        templates: Mapping[Template, str],
        card_key: str = "content",
        callback_route: str | None = None,
        patience: Patience | None = None,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._client = client
        self._governor = governor
        self._templates = dict(templates)
        self._card_key = card_key
        self._callback_route = callback_route
        self._patience = patience or Patience()
        self._clock = clock

    @property
    def templates(self) -> frozenset[Template]:
        return frozenset(self._templates)

    async def close(self) -> None:
        await self._client.close()

    async def say(self, target: Target, markdown: str, *, title: str = "", mention: bool = False) -> Sent:
        """See :class:`bots.ports.Messenger`. In single chats nobody is mentioned."""
        if not markdown.strip():
            raise ChannelRefused("There is nothing to say.", code="message_empty")
        attempts = self._attempts()
        title = parts.title_of(title or markdown)
        texts, sent = [markdown], 0
        if self._is_alive(target):
            whom = parts.mentioned(target) if mention else None
            messages = parts.webhook_messages(markdown, title=title, mention=whom)
            texts = [message.text for message in messages]
            sent = await self._by_webhook(attempts, target, messages)
        if sent == len(texts):
            return Sent("webhook", sent, attempts.made)
        more = [("sampleMarkdown", param) for text in texts[sent:] for param in parts.api_params(text, title=title)]
        await self._by_api(attempts, target, more, before=sent)
        return Sent("api", sent + len(more), attempts.made)

    async def show(
        self, target: Target, pictures: Sequence[Picture], *, caption: str = "", mention: bool = False
    ) -> Sent:
        """By webhook as Markdown, by the API as pictures after their caption. Sending counts uploads as calls."""
        attempts = self._attempts()
        names = [await self._name(attempts, picture) for picture in pictures]
        title = parts.title_of(caption)
        if self._is_alive(target):
            text = "\n\n".join([*filter(None, [caption]), *(f"![]({name})" for name in names)])
            whom = parts.mentioned(target) if mention else None
            messages = parts.webhook_messages(text, title=title, mention=whom)
            if len(messages) == 1 and await self._by_webhook(attempts, target, messages):
                return Sent("webhook", 1, attempts.made)
        captions = parts.api_params(caption, title=title) if caption else []
        more = [("sampleMarkdown", param) for param in captions]
        more += [("sampleImageMsg", parts.param({"photoURL": name})) for name in names]
        await self._by_api(attempts, target, more)
        return Sent("api", len(more), attempts.made)

    async def open_card(self, target: Target, card: Card) -> None:
        """Raises ChannelRefused ``template_unusable`` also for a template that is not set."""
        template = self._templates.get(card.template)
        if template is None:
            raise ChannelRefused("This card has no template in DingTalk.", code="template_unusable")
        new = NewCard(
            id=card.id,
            template=template,
            values=card.values,
            space=_space(target),
            group=target.kind == "group",
            preview=card.preview,
            route=self._callback_route,
        )
        try:
            await self._attempts().make("card_create", "open", lambda: self._client.create_card(new), repeatable=True)
        except CardExists:
            return

    async def frame(
        self, card_id: str, markdown: str, *, final: bool = False, failed: bool = False, guid: str | None = None
    ) -> None:
        """One try for a frame in between, which raises Unavailable ``frame_skipped`` when the rate has no room for it;
        the last is tried for a quarter of a minute. An empty frame in between is not sent."""
        last = final or failed
        if not last and not markdown.strip():
            return
        content, the_guid = markdown if markdown.strip() else _NO_TEXT, guid or uuid.uuid4().hex

        def call() -> Awaitable[None]:
            return self._client.stream_card(
                card_id, key=self._card_key, content=content, guid=the_guid, final=last and not failed, failed=failed
            )

        await self._attempts().make("card_stream", "final" if last else "frame", call, repeatable=True)

    async def update_card(self, card_id: str, values: Mapping[str, str], *, final: bool = False) -> None:
        """See :class:`bots.ports.Messenger`."""
        purpose: Purpose = "final" if final else "frame"
        await self._attempts().make(
            "card_update", purpose, lambda: self._client.update_card(card_id, values), repeatable=True
        )

    async def upload(self, picture: Picture) -> str:
        """See :class:`bots.ports.Messenger`. Raises ChannelRefused ``too_large`` above 20 MB."""
        return await self._name(self._attempts(), picture)

    async def download(self, code: str, *, limit: int) -> bytes:
        """Raises ChannelRefused ``too_large``, ``download_expired``, ``link_refused``, and Unavailable."""

        async def call() -> bytes:
            return await self._client.fetch(await self._client.download_link(code), limit=limit)

        return await self._attempts().make("download", "other", call, repeatable=True)

    def _attempts(self) -> Attempts:
        return Attempts(self._governor, self._patience)

    def _is_alive(self, target: Target) -> bool:
        return bool(target.webhook) and self._clock() + MARGIN_S < target.webhook_until / 1000

    async def _name(self, attempts: Attempts, picture: Picture) -> str:
        if picture.data is None:
            if not picture.link:
                raise ChannelRefused("The picture is empty.", code="picture_empty")
            return picture.link
        data, media_type = picture.data, picture.media_type
        return await attempts.make(
            "upload", "send", lambda: self._client.upload(data, media_type=media_type), repeatable=True
        )

    async def _by_webhook(self, attempts: Attempts, target: Target, messages: Sequence[WebhookMessage]) -> int:
        """→ how many were sent. The others were surely not, and the API may do better."""
        webhook, alone = target.webhook or "", not _has_address(target)
        for sent, message in enumerate(messages):

            def call(body: Mapping[str, Any] = message.body) -> Awaitable[None]:
                return self._client.post_webhook(webhook, body)

            try:
                await attempts.make("webhook", "send", call, repeatable=False, tries=None if alone else WEBHOOK_TRIES)
            except (ChannelRefused, Unavailable, BudgetSpent) as failure:
                if alone or isinstance(failure, DeliveryUnknown) or failure.error_code == "content_refused":
                    raise _partly(failure, sent, len(messages)) from None
                log.info("webhook: %s, the API is used instead", failure.error_code)
                return sent
        return len(messages)

    async def _by_api(
        self, attempts: Attempts, target: Target, messages: Sequence[tuple[str, str]], *, before: int = 0
    ) -> None:
        """``before``: how many parts of the same message a chat has seen already."""
        for at, (key, param) in enumerate(messages):

            def call(key: str = key, param: str = param) -> Awaitable[None]:
                return self._send(target, key, param)

            api: Api = "group_send" if target.kind == "group" else "person_send"
            try:
                await attempts.make(api, "send", call, repeatable=False)
            except (ChannelRefused, Unavailable, BudgetSpent) as failure:
                raise _partly(failure, before + at, before + len(messages)) from None

    async def _send(self, target: Target, key: str, param: str) -> None:
        if target.kind == "group":
            await self._client.send_to_group(target.conversation, key=key, param=param)
            return
        await self._client.send_to_person(_account(target), key=key, param=param)


def _space(target: Target) -> str:
    if target.kind == "group":
        return f"dtv1.card//IM_GROUP.{target.conversation}"
    return f"dtv1.card//IM_ROBOT.{_account(target)}"


def _has_address(target: Target) -> bool:
    """People from outside have no staff id: in single chats they are only reached by webhook."""
    return target.kind == "group" or bool(target.account)


def _account(target: Target) -> str:
    if not target.account:
        raise errors.no_recipient()
    return target.account


def _partly(
    failure: ChannelRefused | Unavailable | BudgetSpent, sent: int, of: int
) -> ChannelRefused | Unavailable | BudgetSpent:
    """The failure itself if nothing of the message was shown; else it must not be sent again from the beginning."""
    if not sent:
        return failure
    return DeliveryUnknown("A part of this message was sent, the rest was not.", sent=sent, parts=of)
