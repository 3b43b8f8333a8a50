"""What DingTalk says when it will not, in our words.

ChannelRefused           final: permission_missing, conversation_unknown, … (the table below)
├── WebhookExpired       webhook_expired: the API still reaches the conversation
└── CardExists           card_exists: what was asked for is there already
BudgetSpent              channel_budget_spent: until the month ends
Unavailable              channel_unavailable, channel_blocked: not done, and may be tried again
├── Throttled            channel_throttled: not before a second has passed
├── TokenRejected        token_rejected: with another token
└── DeliveryUnknown      delivery_unknown: it may have been done; only what has one effect twice is tried again

DingTalk has two ways to refuse: its API answers 4xx or 5xx with ``{"code", "message"}``, the older one and webhooks
answer 200 with ``{"errcode", "errmsg"}``. Its ``code`` travels as the parameter ``reason``, its message does not: it
may repeat what was sent.
"""

import json
import re
from collections.abc import Callable, Mapping
from typing import Any, ClassVar

from bots.ports import BudgetSpent, ChannelRefused
from knowledge.errors import CopilotError, Unavailable


class WebhookExpired(ChannelRefused):
    """The session of a message is over."""

    code: ClassVar[str] = "webhook_expired"


class CardExists(ChannelRefused):
    """A card of this id was created before."""

    code: ClassVar[str] = "card_exists"


class Throttled(Unavailable):
    """Too many calls in this second or minute; this one was not counted in."""

    code: ClassVar[str] = "channel_throttled"


class TokenRejected(Unavailable):
    """The access token ran out or was revoked."""

    code: ClassVar[str] = "token_rejected"


class DeliveryUnknown(Unavailable):
    """Nobody can say whether it was done. ``params``: ``sent`` of ``parts`` were, where a message has several."""

    code: ClassVar[str] = "delivery_unknown"


_SAYS: tuple[tuple[str, Callable[..., CopilotError], str, str], ...] = (
    # What DingTalk's code looks like, the error, its code, its sentence. The first that fits is taken.
    (
        r"authFailed|invalidClientIdOrSecret|^40089$",
        ChannelRefused,
        "credentials_refused",
        "DingTalk does not accept the client id and secret.",
    ),
    (
        r"InvalidAuthentication|^(40014|42001|40001|88)$",
        TokenRejected,
        "token_rejected",
        "DingTalk does not accept the access token.",
    ),
    (
        r"ApiCountLimit|^90020$",
        BudgetSpent,
        "channel_budget_spent",
        "The organisation's calls of this month are used up.",
    ),
    (
        r"(Qps|Qpm)Limit|send\.too\.fast|^(410100|90018|90002)$",
        Throttled,
        "channel_throttled",
        "DingTalk asks for fewer calls.",
    ),
    (r"IpNotInWhiteList", ChannelRefused, "address_not_allowed", "DingTalk does not allow this server's address."),
    (
        r"AccessTokenPermissionDenied|AccessDenied|robotCode\.auth|notAllow",
        ChannelRefused,
        "permission_missing",
        "The app has not been given this permission in DingTalk.",
    ),
    (r"^300001$|session\.expired", WebhookExpired, "webhook_expired", "The session of this message is over."),
    (r"cardAlreadyExist", CardExists, "card_exists", "There is a card of this id."),
    (
        r"cardNotExist|param\.stream\.outTrackId",
        ChannelRefused,
        "card_unknown",
        "DingTalk does not know this card.",
    ),
    (
        r"templateNotExist|templateUnpublished|stream\.keyEmpty",
        ChannelRefused,
        "template_unusable",
        "The card template is not there or not published.",
    ),
    (
        r"[uU]nsafe|^43010\d$",
        ChannelRefused,
        "content_refused",
        "DingTalk does not want this content to be shown.",
    ),
    (
        r"tooLong|param\.stream\.content$|^460101$|^40009$",
        ChannelRefused,
        "too_large",
        "This is more than DingTalk takes at once.",
    ),
    (
        r"openConversationId|openSpaceId|robot\.oto\.notExist|userIds|chatbotId",
        ChannelRefused,
        "recipient_unknown",
        "DingTalk cannot reach this person or group with this robot.",
    ),
    (r"downloadCode", ChannelRefused, "download_expired", "This file cannot be fetched any more."),
    (r"^310000$", ChannelRefused, "signature_refused", "The robot's keyword, signature or address check failed."),
)
_SPEAKABLE = re.compile(r"[\w.\-]{1,120}", re.ASCII)
_MAYBE_DONE = (502, 504)  # a gateway lost the answer of the server behind it


def answer(status: int, body: bytes) -> dict[str, Any]:
    """What a call gave; ``{}`` for an empty body. Raises the error that the answer stands for."""
    said = _object(body)
    refused = _refusal(status, said, empty=not body.strip(), page=body.lstrip().startswith(b"<"))
    if refused is not None:
        raise refused
    return said or {}


def unreachable() -> Unavailable:
    return Unavailable("DingTalk cannot be reached.", code="channel_unavailable")


def unknown() -> DeliveryUnknown:
    return DeliveryUnknown("DingTalk took too long to answer; whether this was done is not known.")


def too_large() -> ChannelRefused:
    return ChannelRefused("This is more than DingTalk takes at once.", code="too_large")


def no_recipient() -> ChannelRefused:
    return ChannelRefused("There is nobody to write to.", code="recipient_unknown")


def _refusal(status: int, said: Mapping[str, Any] | None, *, empty: bool, page: bool) -> CopilotError | None:
    if page or (said is not None and "punish" in said):
        return Unavailable("DingTalk keeps this server out for a while.", code="channel_blocked")
    code = _code(said or {})
    if code is None and status < 400:
        if said is None and not empty:
            return DeliveryUnknown("DingTalk answered something that is no answer.")
        return _not_successful(said or {})
    if status == 401 and (code is None or _error(code) is None):
        return TokenRejected("DingTalk does not accept the access token.", reason=code or "401")
    return (code and _error(code)) or _by_status(status, code)


def _code(said: Mapping[str, Any]) -> str | None:
    """DingTalk's code of what went wrong, None where nothing did."""
    errcode = said.get("errcode", 0)
    code = errcode if errcode not in (0, "0", None) else said.get("code")
    return None if code in (None, "", 0, "0") else str(code)


def _error(code: str) -> CopilotError | None:
    for looks_like, family, ours, sentence in _SAYS:
        if re.search(looks_like, code):
            return family(sentence, code=ours, reason=_speakable(code))
    return None


def _by_status(status: int, code: str | None) -> CopilotError:
    reason = _speakable(code) if code else str(status)
    if status == 429:
        return Throttled("DingTalk asks for fewer calls.", reason=reason)
    if status in _MAYBE_DONE:
        return DeliveryUnknown("DingTalk's answer was lost.", reason=reason)
    if status >= 500 or (code and re.match(r"system\.|unknownError|ServiceUnavailable|^-1$", code)):
        return Unavailable("DingTalk is not available right now.", code="channel_unavailable", reason=reason)
    return ChannelRefused("DingTalk refused the call.", reason=reason)


def _not_successful(said: Mapping[str, Any]) -> CopilotError | None:
    if said.get("success") is False:
        return ChannelRefused("DingTalk refused the call.", reason="success_false")
    return None


def _speakable(code: str) -> str:
    return code if _SPEAKABLE.fullmatch(code) else "unreadable"


def _object(body: bytes) -> dict[str, Any] | None:
    try:
        said = json.loads(body)
    except (ValueError, RecursionError):
        return None
    return said if isinstance(said, dict) else None
