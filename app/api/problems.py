"""The errors of routes as the OpenAPI document has them: problem+json (RFC 9457), or OpenAI's for its clients."""

from typing import Any

from pydantic import BaseModel


class Problem(BaseModel):
    """``code`` stays the same from version to version; ``detail`` is a sentence for a person."""

    type: str
    title: str
    status: int
    code: str
    detail: str
    params: dict[str, Any] | None = None


class OpenAIErrorBody(BaseModel):
    message: str
    type: str
    code: str | None
    param: str | None


class OpenAIError(BaseModel):
    error: OpenAIErrorBody


Responses = dict[int | str, dict[str, Any]]

_MEANING = {
    400: "The request cannot be read.",
    401: "A key is missing, or not valid.",
    403: "The key may not do this.",
    404: "There is no such thing, or it is another tenant's.",
    409: "It exists already, has changed meanwhile, or is over a limit.",
    413: "The body is too large.",
    415: "Files of this type are not taken.",
    422: "A field is missing or wrong; `detail` says which.",
    429: "The model asks to slow down.",
    500: "A mistake of ours; the log has the details.",
    502: "The model failed.",
    503: "A part that is needed does not answer; try again later.",
    504: "The model is too slow.",
}
_EVENT = {
    "type": "object",
    "properties": {"id": {"type": "string"}, "event": {"type": "string"}, "data": {"type": "string"}},
    "required": ["data"],
}
EVENT_STREAM: Responses = {200: {"content": {"text/event-stream": {"schema": _EVENT}}}}


def problems(*statuses: int) -> Responses:
    """Those a route may answer with, besides those about who calls (401, 403)."""
    content = {"application/problem+json": {"schema": Problem.model_json_schema()}}
    return {status: {"description": _MEANING[status], "content": content} for status in sorted({401, 403, *statuses})}


def openai_problems() -> Responses:
    """Every refusal is 400 where elsewhere it is 422; the range keeps FastAPI from promising its own."""
    statuses = (400, 401, 403, 404, 409, 413, 429, 500, 502, 503, 504)
    found: Responses = {status: {"description": _MEANING[status], "model": OpenAIError} for status in statuses}
    return {**found, "4XX": {"description": "Another refusal.", "model": OpenAIError}}
