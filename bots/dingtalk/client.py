"""DingTalk's API, a method for each call that a bot needs. One attempt each; who calls decides about another.

A token that is not accepted is replaced, and the call made once more: it was refused, so nothing happens twice.
"""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from platform import python_version
from typing import Any

from dingtalk_stream.version import VERSION_STRING

from bots.dingtalk import answers, errors
from bots.dingtalk.addresses import Addresses
from bots.dingtalk.answers import Model, parsed
from bots.dingtalk.errors import DeliveryUnknown, TokenRejected
from bots.dingtalk.token import AccessToken, Grant
from bots.dingtalk.wire import Wire
from bots.ports import ChannelRefused

LARGEST_UPLOAD = 20 << 20  # bytes, DingTalk's limit of pictures and files
DOWNLOAD_S = 60.0
_SUFFIX = {"image/jpeg": "jpg", "image/png": "png", "image/gif": "gif", "image/webp": "webp", "image/bmp": "bmp"}


@dataclass(frozen=True, slots=True)
class Credentials:
    """Of an app; the robot's code is its client id unless the app has several robots."""

    client_id: str
    client_secret: str = field(repr=False)
    robot_code: str


@dataclass(frozen=True, slots=True)
class Ticket:
    """Opens one connection of the stream, within 90 s."""

    endpoint: str
    ticket: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class NewCard:
    """A card and where it goes: ``space`` as DingTalk writes it, ``dtv1.card//IM_GROUP.<conversation>``.

    ``route`` is the key of an HTTP callback; None: clicks come over the stream.
    """

    id: str
    template: str
    values: Mapping[str, str]
    space: str
    group: bool
    preview: str = ""
    route: str | None = None


class DingTalkClient:
    """Belongs to one event loop; :meth:`close` before it ends. No error and no log has a secret, token or session."""

    def __init__(self, credentials: Credentials, addresses: Addresses, *, timeout_s: float = 10.0) -> None:
        self._app = credentials
        self._addresses = addresses
        self._wire = Wire(timeout_s=timeout_s)
        self._token = AccessToken(self._fetch_token)
        self._old_token = AccessToken(self._fetch_old_token)
        self._upload_token = self._token

    @property
    def robot_code(self) -> str:
        return self._app.robot_code

    @property
    def uploads_with_old_token(self) -> bool:
        """Whether the older API has refused a token of the newer one."""
        return self._upload_token is self._old_token

    async def close(self) -> None:
        """Close idle connections."""
        await self._wire.close()

    async def open_connection(self, topics: Sequence[str]) -> Ticket:
        """Ask for a connection that is given these topics' callbacks. The request is the SDK's own."""
        user_agent = f"DingTalkStream/1.0 SDK/{VERSION_STRING} Python/{python_version()}"
        body = {
            "clientId": self._app.client_id,
            "clientSecret": self._app.client_secret,
            "subscriptions": [{"type": "CALLBACK", "topic": topic} for topic in topics],
            "ua": f"dingtalk-sdk-python/v{VERSION_STRING}-union",
            "localIp": "",
        }
        url = f"{self._addresses.openapi}/v1.0/gateway/connections/open"
        headers = {"User-Agent": user_agent}
        opened = await _first(answers.Opened, self._wire.call("POST", url, body=body, headers=headers))
        return Ticket(opened.endpoint, opened.ticket)

    async def post_webhook(self, webhook: str, message: Mapping[str, Any]) -> None:
        """A message to the session that a message came from."""
        parsed(answers.SaidOk, await self._wire.call("POST", self._addresses.checked(webhook), body=message))

    async def post_robot(self, webhook: str, message: Mapping[str, Any], *, signature: Mapping[str, str]) -> None:
        """A message to a custom robot of a group, whose webhook stands in our settings."""
        parsed(answers.SaidOk, await self._wire.call("POST", webhook, body=message, query=signature or None))

    async def send_to_group(self, conversation: str, *, key: str, param: str) -> None:
        """A message that nobody has to have asked for; ``param`` is the JSON that belongs to the ``key``."""
        body = {"openConversationId": conversation, "robotCode": self._app.robot_code, "msgKey": key, "msgParam": param}
        sent = parsed(answers.Sent, await self._api("POST", "/v1.0/robot/groupMessages/send", body))
        if not sent.process_query_key:
            raise errors.unknown()

    async def send_to_person(self, account: str, *, key: str, param: str) -> None:
        """The same to one person."""
        body = {"userIds": [account], "robotCode": self._app.robot_code, "msgKey": key, "msgParam": param}
        sent = parsed(answers.Sent, await self._api("POST", "/v1.0/robot/oToMessages/batchSend", body))
        if sent.invalid_staff_id_list:
            raise errors.no_recipient()
        if sent.flow_controlled_staff_id_list:
            raise errors.Throttled("DingTalk asks for fewer messages to this person.", reason="flow_controlled")
        if not sent.process_query_key:
            raise errors.unknown()

    async def create_card(self, card: NewCard) -> None:
        """Create and deliver. Raises CardExists for an id that was used before."""
        created = parsed(
            answers.Created, await self._api("POST", "/v1.0/card/instances/createAndDeliver", self._card(card))
        )
        if not created.delivered:
            raise ChannelRefused("DingTalk did not deliver the card.", code="card_not_delivered")

    async def stream_card(
        self, card_id: str, *, key: str, content: str, guid: str, final: bool = False, failed: bool = False
    ) -> None:
        """The whole text so far, for the template's variable ``key``. The same ``guid`` twice has one effect."""
        body = {
            "outTrackId": card_id,
            "guid": guid,
            "key": key,
            "content": content,
            "isFull": True,
            "isFinalize": final,
            "isError": failed,
        }
        await self._api("PUT", "/v1.0/card/streaming", body)

    async def update_card(self, card_id: str, values: Mapping[str, str]) -> None:
        """Change these values and no others."""
        body = {
            "outTrackId": card_id,
            "cardData": {"cardParamMap": dict(values)},
            "cardUpdateOptions": {"updateCardDataByKey": True},
        }
        await self._api("PUT", "/v1.0/card/instances", body)

    async def upload(self, data: bytes, *, media_type: str) -> str:
        """A picture; → its media id. Raises ChannelRefused ``too_large``."""
        if len(data) > LARGEST_UPLOAD:
            raise errors.too_large()
        file = (f"picture.{_SUFFIX.get(media_type, 'png')}", data, media_type)

        async def send(token: str) -> dict[str, Any]:
            url, query = f"{self._addresses.oapi}/media/upload", {"access_token": token}
            return await self._wire.call(
                "POST", url, query=query, form={"type": "image"}, file=file, timeout_s=DOWNLOAD_S
            )

        try:
            return parsed(answers.Uploaded, await _with_token(self._upload_token, send)).media_id
        except TokenRejected:
            # Whether this older API takes tokens of the newer one is told differently; it takes its own for sure.
            self._upload_token = self._old_token
            return parsed(answers.Uploaded, await _with_token(self._upload_token, send)).media_id

    async def download_link(self, code: str) -> str:
        """Where the file lies that a message came with. Raises ChannelRefused ``download_expired``."""
        body = {"robotCode": self._app.robot_code, "downloadCode": code}
        link = parsed(answers.Link, await self._api("POST", "/v1.0/robot/messageFiles/download", body)).download_url
        return self._addresses.checked(link)

    async def fetch(self, link: str, *, limit: int) -> bytes:
        """At most ``limit`` bytes. Raises ChannelRefused ``too_large``, ``download_expired``, ``link_refused``."""
        return await self._wire.fetch(self._addresses.checked(link), limit=limit, timeout_s=DOWNLOAD_S)

    async def register_card_route(self, route: str, url: str, *, secret: str) -> None:
        """Have clicks on cards of this route sent to a URL of ours, signed with the secret."""
        body = {"callbackRouteKey": route, "callbackUrl": url, "apiSecret": secret, "forceUpdate": True}
        await self._api("POST", "/v1.0/card/callbacks/register", body)

    def _card(self, card: NewCard) -> dict[str, Any]:
        preview = {"lastMessageI18n": {"ZH_CN": card.preview}} if card.preview else {}
        space, deliver = (
            ("imGroupOpenSpaceModel", ("imGroupOpenDeliverModel", {"robotCode": self._app.robot_code}))
            if card.group
            else ("imRobotOpenSpaceModel", ("imRobotOpenDeliverModel", {"spaceType": "IM_ROBOT"}))
        )
        callback = (
            {"callbackType": "HTTP", "callbackRouteKey": card.route} if card.route else {"callbackType": "STREAM"}
        )
        return {
            "cardTemplateId": card.template,
            "outTrackId": card.id,
            "cardData": {"cardParamMap": dict(card.values)},
            "userIdType": 1,
            "openSpaceId": card.space,
            space: {"supportForward": True, **preview},
            deliver[0]: deliver[1],
            **callback,
        }

    async def _api(self, method: str, path: str, body: Mapping[str, Any]) -> dict[str, Any]:
        async def send(token: str) -> dict[str, Any]:
            headers = {"x-acs-dingtalk-access-token": token}
            return await self._wire.call(method, self._addresses.openapi + path, body=body, headers=headers)

        return await _with_token(self._token, send)

    async def _fetch_token(self) -> Grant:
        body = {"appKey": self._app.client_id, "appSecret": self._app.client_secret}
        url = f"{self._addresses.openapi}/v1.0/oauth2/accessToken"
        token = await _first(answers.Token, self._wire.call("POST", url, body=body))
        return Grant(token.access_token, token.expire_in)

    async def _fetch_old_token(self) -> Grant:
        query = {"appkey": self._app.client_id, "appsecret": self._app.client_secret}
        token = await _first(answers.OldToken, self._wire.call("GET", f"{self._addresses.oapi}/gettoken", query=query))
        return Grant(token.access_token, token.expires_in)


async def _with_token(token: AccessToken, send: Callable[[str], Awaitable[dict[str, Any]]]) -> dict[str, Any]:
    first = await token.get()
    try:
        return await send(first)
    except TokenRejected:
        token.reject(first)
        return await send(await token.get())


async def _first(model: type[Model], answer: Awaitable[dict[str, Any]]) -> Model:
    """A call before the one that matters: without its answer, what it was wanted for did surely not happen."""
    try:
        return parsed(model, await answer)
    except (DeliveryUnknown, TokenRejected):
        raise errors.unreachable() from None
