"""Logging: one line an event, readable or JSON, ids only."""

import logging
from typing import Any

import structlog

from app.settings import Settings

QUIET = (
    "aiosqlite",  # shows every row: addresses of webhooks, questions
    "httpx",
    "httpx2",
    "httpcore",
    "aiohttp",
    "openai",
    "chromadb",
    "dramatiq",
    "uvicorn.access",
    "alembic",
    "pdfminer",
    "PIL",
)


def configure(settings: Settings) -> None:
    """Set up the root logger of this process."""
    shared: list[Any] = [
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.format_exc_info,
    ]
    renderer: Any = structlog.processors.JSONRenderer() if settings.log_format == "json" else _line
    handler = logging.StreamHandler()
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared,
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, renderer],
        )
    )
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(settings.log_level)
    for name in QUIET:
        logging.getLogger(name).setLevel(logging.WARNING)


def _line(_: Any, __: str, event: dict[str, Any]) -> str:
    trace = f"\n{event['exception']}" if event.get("exception") else ""
    return f"{event['timestamp'][11:23]} {event['level']:<7} {event['logger']}: {event['event']}{trace}"
