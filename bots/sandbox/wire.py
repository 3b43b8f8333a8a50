"""How requests are read and refusals are written, as DingTalk does it: both of its generations of API."""

import json
from collections.abc import Mapping
from typing import Any, TypeAlias, TypeVar

from aiohttp import web
from pydantic import BaseModel, ConfigDict, ValidationError
from pydantic.alias_generators import to_camel

Json: TypeAlias = dict[str, Any]
Parsed = TypeVar("Parsed", bound="Body")


class Body(BaseModel):
    """A request's body, in the wire's camelCase. What the sandbox has no rule for is let through."""

    model_config = ConfigDict(alias_generator=to_camel, extra="allow", frozen=True)


class Refused(Exception):
    """The new API's way of saying no: an HTTP status, and a body with a code."""  # [D]

    def __init__(self, status: int, code: str, message: str = "", **more: Any) -> None:
        super().__init__(f"{status} {code}")
        self.status = status
        self.code = code
        self.body: Json = {"code": code, "message": message or code, "requestid": "SANDBOX-REQUEST", **more}


class OldRefused(Exception):
    """The old API's way: HTTP 200 with a number in the body."""  # [D]

    def __init__(self, errcode: int, errmsg: str) -> None:
        super().__init__(f"{errcode} {errmsg}")
        self.code = str(errcode)
        self.body: Json = {"errcode": errcode, "errmsg": errmsg}


class Unreadable(Exception):
    """A body that breaks the API's schema; says where."""


def reply(body: Mapping[str, Any], status: int = 200) -> web.Response:
    """A JSON response in UTF-8."""
    return web.json_response(body, status=status, dumps=dump)


def dump(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False)


def parse(model: type[Parsed], raw: bytes | str) -> Parsed:
    """Raises Unreadable."""
    try:
        return model.model_validate_json(raw)
    except ValidationError as exc:
        first = exc.errors(include_url=False)[0]
        raise Unreadable(f"{'.'.join(map(str, first['loc'])) or 'body'}: {first['msg']}") from exc
