"""Codes → HTTP statuses, in one table, and the problem+json that carries them (RFC 9457).

Clients of the OpenAI-compatible routes expect OpenAI's errors, and get those, with OpenAI's statuses.
"""

import logging
from collections.abc import Mapping
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from sqlalchemy.exc import InterfaceError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from starlette.exceptions import HTTPException as StarletteHTTPException

from app.jobs.ports import JobFailed
from knowledge.errors import Conflict, CopilotError, DocumentRefused, Forbidden, InvalidInput, NotFound, Unavailable

log = logging.getLogger(__name__)

# It is locked, full or away, or more wait for it than it can serve.
DATABASE_AWAY = (OperationalError, InterfaceError, PoolTimeout)

# Looked up along the class hierarchy; codes that differ from their family are named first.
STATUS_OF_CODE = {"key_missing": 401, "key_invalid": 401, "too_large": 413, "unsupported": 415}
STATUS_OF_ERROR: dict[type[CopilotError], int] = {
    NotFound: 404,
    Conflict: 409,
    InvalidInput: 422,
    Forbidden: 403,
    Unavailable: 503,
    DocumentRefused: 422,
    JobFailed: 422,
    CopilotError: 500,
}

# Of turns that failed; every other failure of the model is a bad gateway.
STATUS_OF_FAILURE = {"model_rate_limited": 429, "model_timeout": 504, "internal": 500, "interrupted": 500}

OPENAI_ROUTES = ("/v1/chat/completions", "/v1/models")
_OPENAI_TYPES = {401: "authentication_error", 403: "permission_error", 429: "rate_limit_error"}


def status_of(error: CopilotError) -> int:
    """The HTTP status of an error."""
    if error.error_code in STATUS_OF_CODE:
        return STATUS_OF_CODE[error.error_code]
    return next(STATUS_OF_ERROR[family] for family in type(error).__mro__ if family in STATUS_OF_ERROR)


def install(app: FastAPI) -> None:
    """Every error a client can see leaves as problem+json with a stable ``code``."""
    app.add_exception_handler(CopilotError, _ours)
    app.add_exception_handler(RequestValidationError, _validation)
    app.add_exception_handler(StarletteHTTPException, _http)
    for away in DATABASE_AWAY:
        app.add_exception_handler(away, _database)


async def _ours(request: Request, error: Exception) -> JSONResponse:
    if not isinstance(error, CopilotError):
        raise error
    return refusal(
        request.url.path, status_of(error), error.error_code, error.message, params=dict(error.params) or None
    )


def database_away(error: Exception) -> Unavailable:
    """What clients are told of one of :data:`DATABASE_AWAY`; the log is told all of it."""
    log.error("database not available: %s", type(error).__name__, exc_info=error)
    return Unavailable("The database does not answer right now. Try again in a moment.", code="database_unavailable")


async def _database(request: Request, error: Exception) -> JSONResponse:
    away = database_away(error)
    return refusal(request.url.path, status_of(away), away.error_code, away.message, headers={"Retry-After": "2"})


async def _validation(request: Request, error: Exception) -> JSONResponse:
    if not isinstance(error, RequestValidationError):
        raise error
    first = error.errors()[0]
    where = ".".join(p for p in first["loc"] if isinstance(p, str) and p not in ("body", "query", "path"))
    sentence = f"{where or 'The request'}: {first['msg']}."
    return refusal(request.url.path, 422, "invalid_input", sentence, params={"param": where} if where else None)


async def _http(request: Request, error: Exception) -> JSONResponse:
    if not isinstance(error, StarletteHTTPException):
        raise error
    codes = {404: "not_found", 405: "method_not_allowed"}
    code = codes.get(error.status_code, "http_error")
    return refusal(request.url.path, error.status_code, code, str(error.detail), headers=error.headers)


def refusal(
    path: str,
    status: int,
    code: str,
    detail: str,
    *,
    params: Mapping[str, Any] | None = None,
    headers: Mapping[str, str] | None = None,
) -> JSONResponse:
    """An error in the words of the route it is on."""
    if not path.startswith(OPENAI_ROUTES):
        return problem(status, code, detail, params=params, headers=headers)
    status = 400 if status in (415, 422) else status
    more = {**(headers or {}), **({"WWW-Authenticate": "Bearer"} if status == 401 else {})}
    return JSONResponse(openai_error(status, code, detail, param=(params or {}).get("param")), status, headers=more)


def openai_error(status: int, code: str, message: str, *, param: str | None = None) -> dict[str, Any]:
    """OpenAI's error object."""
    kind = "server_error" if status >= 500 else _OPENAI_TYPES.get(status, "invalid_request_error")
    return {"error": {"message": message, "type": kind, "code": code, "param": param}}


def status_of_failure(code: str) -> int:
    """The status of a turn that failed, for who did not stream it."""
    return STATUS_OF_FAILURE.get(code, 502)


def problem(
    status: int, code: str, detail: str, *, params: Any = None, headers: Mapping[str, str] | None = None
) -> JSONResponse:
    """A problem document; ``detail`` is the sentence, ``code`` stays the same from version to version."""
    body = {"type": "about:blank", "title": code.replace("_", " "), "status": status, "code": code, "detail": detail}
    if params:
        body["params"] = params
    more = {**(headers or {}), **({"WWW-Authenticate": "Bearer"} if status == 401 else {})}
    return JSONResponse(body, status, headers=more, media_type="application/problem+json")
