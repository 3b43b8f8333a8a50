"""Settings as the environment variables that give a child the very same ones."""

import json
from pathlib import Path

from pydantic import BaseModel, SecretStr

from app.settings import Settings


def settings_environment(settings: Settings, **instead: str | int | Path | None) -> dict[str, str]:
    """What was set, wherever it came from, with ``instead`` in place of some; a ``None`` is left out.

    Defaults are left out too: the child has the same. Secrets are readable in it, as they must be.
    """
    chosen = {name: getattr(settings, name) for name in settings.model_fields_set} | instead
    prefix = settings.model_config.get("env_prefix", "")
    return {f"{prefix}{name}".upper(): _text(value) for name, value in chosen.items() if value is not None}


def _text(value: object) -> str:
    """As pydantic-settings reads it back: plain text, JSON for lists and mappings."""
    if isinstance(value, SecretStr):
        return value.get_secret_value()
    if isinstance(value, BaseModel):
        return value.model_dump_json()
    if isinstance(value, (list, dict, tuple)):
        return json.dumps(value, default=_text, ensure_ascii=False)
    return str(value)
