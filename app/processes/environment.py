"""Settings as the environment variables that give a child the very same ones."""

import json

from pydantic import BaseModel, SecretStr

from app.settings import Settings

# For processes that live for months and whose threads come and go: each of glibc's arenas keeps what its busiest moment
# needed, and there may be eight for each core. With two, a bot's memory is level after some 10,000 messages; a worker
# that has taken in 152 guides holds 350 MB instead of 570, and was as quick.
FEW_ARENAS = {"MALLOC_ARENA_MAX": "2"}


def settings_environment(settings: Settings, **instead: object) -> dict[str, str]:
    """What was set, wherever it came from, with ``instead`` in place of some; a ``None`` is left out.

    Defaults are left out too: the child has the same. Secrets are readable in it, as they must be.
    """
    chosen = {name: getattr(settings, name) for name in settings.model_fields_set} | instead
    prefix = settings.model_config.get("env_prefix", "")
    return {f"{prefix}{name}".upper(): _text(value) for name, value in chosen.items() if value is not None}


def without_dingtalk_secrets(settings: Settings) -> dict[str, object]:
    """What stands ``instead`` in every child's environment but the bot's.

    Emptied, not left out: a child reads ``.env`` too. The names of custom robots stay, the API knows them.
    """
    robots = {name: {"url": ""} for name in settings.dingtalk_robots}
    emptied: dict[str, object] = {"dingtalk_client_secret": "", "dingtalk_robots": robots}
    return {name: value for name, value in emptied.items() if getattr(settings, name)}


def _text(value: object) -> str:
    """As pydantic-settings reads it back: plain text, JSON for lists, mappings and models."""
    if isinstance(value, (BaseModel, list, dict, tuple)):
        return json.dumps(value, default=_inside, ensure_ascii=False)
    return str(_inside(value))


def _inside(value: object) -> object:
    if isinstance(value, SecretStr):
        return value.get_secret_value()
    return dict(value) if isinstance(value, BaseModel) else str(value)
