"""Codes → HTTP statuses, in one table, and the problem+json that carries them (RFC 9457)."""

from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException as StarletteHTTPException

from app.jobs.ports import JobFailed
from knowledge.errors import Conflict, CopilotError, DocumentRefused, Forbidden, InvalidInput, NotFound, Unavailable

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


async def _ours(_: Request, error: Exception) -> JSONResponse:
    if not isinstance(error, CopilotError):
        raise error
    return problem(status_of(error), error.error_code, error.message, params=error.params or None)


async def _validation(_: Request, error: Exception) -> JSONResponse:
    if not isinstance(error, RequestValidationError):
        raise error
    first = error.errors()[0]
    where = ".".join(p for p in first["loc"] if isinstance(p, str) and p not in ("body", "query", "path"))
    return problem(422, "invalid_input", f"{where or 'The request'}: {first['msg']}.")


async def _http(_: Request, error: Exception) -> JSONResponse:
    if not isinstance(error, StarletteHTTPException):
        raise error
    codes = {404: "not_found", 405: "method_not_allowed"}
    return problem(error.status_code, codes.get(error.status_code, "http_error"), str(error.detail))


def problem(status: int, code: str, detail: str, *, params: Any = None) -> JSONResponse:
    """A problem document; ``detail`` is the sentence, ``code`` stays the same from version to version."""
    body = {"type": "about:blank", "title": code.replace("_", " "), "status": status, "code": code, "detail": detail}
    if params:
        body["params"] = params
    headers = {"WWW-Authenticate": "Bearer"} if status == 401 else None
    return JSONResponse(body, status, headers=headers, media_type="application/problem+json")
