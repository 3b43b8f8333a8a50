"""What a kind of copy job makes of a request: the prompt's values, and how a reply to it is read and judged."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol, TypeVar

from app.copywriting.channels import Channel, Limit
from app.copywriting.check import banned_flags, guard_flags
from app.copywriting.drafts import Draft, Piece
from app.copywriting.evidence import Evidence
from app.copywriting.flags import Flag
from app.copywriting.languages import DECIMAL_COMMAS
from app.copywriting.product import Goods, Product, Statement
from app.copywriting.replies import Claim
from app.jobs.ports import JobRequest

Request_contra = TypeVar("Request_contra", bound=JobRequest, contravariant=True)

NOTHING = "无"


@dataclass(frozen=True, slots=True)
class Brief:
    """``read`` turns a reply into a checked draft, or raises ReplyInvalid. ``longest`` bounds the reply, in characters.

    ``unrepaired`` are rules whose flags are left to a person: no repair round is spent on them.
    """

    values: Mapping[str, str]
    read: Callable[[str], Draft]
    longest: int
    language: str
    statements: Sequence[Statement] = ()
    more: Mapping[str, Any] = field(default_factory=dict)
    unrepaired: frozenset[str] = frozenset()


class Kind(Protocol[Request_contra]):
    """One kind of copy job; its prompt is ``prompts/KIND.md``."""

    @property
    def name(self) -> str: ...

    @property
    def request(self) -> type[JobRequest]: ...

    @property
    def temperature(self) -> float: ...

    def brief(self, request: Request_contra) -> Brief:
        """Raises InvalidInput for what can be seen to be wrong before anything runs."""


@dataclass(frozen=True, slots=True)
class Judge:
    """The checks that every claim goes through."""

    evidence: Evidence
    goods: Goods
    product: Product | None
    language: str

    def flags(self, text: str, sources: Sequence[str] | None) -> list[Flag]:
        """The fact guard and the banned words, in the order of the text."""
        found = banned_flags(text, goods=self.goods, product=self.product)
        found += guard_flags(text, self.evidence, sources, commas=self.language in DECIMAL_COMMAS)
        return sorted(found, key=lambda one: one.start or 0)

    def piece(self, claim: Claim, *more_flags: Flag) -> Piece:
        return Piece(claim.text, tuple(claim.sources), (*self.flags(claim.text, claim.sources), *more_flags))


def listed(statements: Sequence[Statement]) -> str:
    """Facts as the prompt shows them: ``[f1] 容量：500ml``."""
    return "\n".join(f"[{one.id}] {' '.join(one.line.split())}" for one in statements)


def limit_in_words(limit: Limit | None) -> str:
    """As the prompt asks for it."""
    if limit is None:
        return "不限，简洁为好"
    unit = {
        "characters": "个字符（含空格和标点）",
        "width": "个字符宽度（一个汉字或全角符号算 2，一个英文字母或数字算 1）",
        "bytes": "个字节（英文字母、数字、空格各算 1）",
    }[limit.count]
    least = f"至少 {limit.min}、" if limit.min else ""
    return f"{least}不超过 {limit.max} {unit}"


def limit_json(limit: Limit | None, channel: Channel | None) -> dict[str, Any]:
    """What a result says of the limit that its lengths were measured by."""
    if limit is None:
        return {}
    shown: dict[str, Any] = {"limit": {"max": limit.max, "min": limit.min, "count": limit.count}}
    if channel is not None:
        shown["channel"] = {"id": channel.id, "name": channel.name, "source": channel.source}
    return shown
