"""Where each setting comes from, shown so that no secret is."""

import difflib
import json
import re
from collections.abc import Iterator, Mapping
from typing import get_args

from pydantic import BaseModel, SecretStr, ValidationError
from pydantic_settings import BaseSettings, DotEnvSettingsSource, EnvSettingsSource, SettingsError

from app.doctor.report import Finding, SettingInForce, Source
from app.settings import Settings
from knowledge.errors import InvalidInput

_SECRET_PARAMETERS = re.compile(r"([?&](?:password|sslpassword|token|key|api_key|secret)=)[^&#]*", re.IGNORECASE)
SHOWN_OF_SECRET = 4
LONG_SECRET = 16  # a shorter one would be given away by its last characters


def settings_in_force(settings: Settings) -> tuple[SettingInForce, ...]:
    """Every field, in the order of the settings."""
    origins = _origins(settings)
    return tuple(
        SettingInForce(variable(settings, name), shown(getattr(settings, name)), origins[name])
        for name in type(settings).model_fields
    )


def misspelt_settings(settings: Settings) -> list[Finding]:
    """Variables with our prefix that no setting has."""
    known = {variable(settings, name) for name in type(settings).model_fields}
    given = {name.upper() for source in _sources(type(settings)) for name in source.env_vars}
    prefix = _prefix(settings)
    return [_unknown(name, known, prefix) for name in sorted(given - known) if name.startswith(prefix)]


def invalid_settings(error: ValidationError) -> InvalidInput:
    """The error of ``Settings()`` as one sentence that names the variables and shows no value (it may be a secret)."""
    wrong = "; ".join(f"COPILOT_{'.'.join(map(str, part['loc'])).upper()}: {part['msg']}" for part in error.errors())
    return InvalidInput(f"Some settings cannot be used. {wrong}.", code="setting_invalid", settings=wrong)


def unreadable_settings(error: SettingsError) -> InvalidInput:
    """The same for a value that should be JSON and is not; the error names the field and shows no value."""
    field = re.search(r'"(\w+)"', str(error))
    name = f"COPILOT_{field.group(1).upper()}" if field else "COPILOT_*"
    return InvalidInput(f"{name} cannot be read: it is not JSON.", code="setting_invalid", settings=name)


def variable(settings: Settings, name: str) -> str:
    return f"{_prefix(settings)}{name.upper()}"


def shown(value: object) -> str | None:
    """A value as text, with secrets and the passwords inside URLs masked."""
    if value is None:
        return None
    if isinstance(value, SecretStr):
        return _masked(value.get_secret_value())
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, (list, tuple, dict)):
        return json.dumps(value, default=_plain, ensure_ascii=False)
    return without_password(str(value))


def without_password(text: str) -> str:
    """A URL without what is secret in it; any other text as it is."""
    if "://" not in text:
        return text
    # Up to the last @: a password that was not percent-encoded may have others, and slashes.
    text = re.sub(r"(://[^:/@]*):.*@", r"\1:***@", text)
    return _SECRET_PARAMETERS.sub(r"\1***", text)


def _plain(value: object) -> object:
    """What is given of a model of settings, nothing of its secrets."""
    if isinstance(value, BaseModel):
        given = {name: getattr(value, name) for name in type(value).model_fields if name in value.model_fields_set}
        return {name: without_password(each) if isinstance(each, str) else each for name, each in given.items()}
    return shown(value)


def _masked(secret: str) -> str:
    return f"***{secret[-SHOWN_OF_SECRET:]}" if len(secret) >= LONG_SECRET else "***"


def _origins(settings: Settings) -> Mapping[str, Source]:
    cls = type(settings)
    environment, dotenv = (source() for source in _sources(cls))
    without_options = _without_options(cls)

    def origin(name: str) -> Source:
        if without_options is None or getattr(settings, name) != getattr(without_options, name):
            return "option" if name in settings.model_fields_set else "default"
        if name in environment:
            return "environment"
        return ".env" if name in dotenv else "default"

    return {name: origin(name) for name in cls.model_fields}


def _without_options(cls: type[Settings]) -> Settings | None:
    """What would be in force without the options of the command line; ``None`` if that cannot even be read."""
    try:
        return cls()
    except ValidationError:
        return None


def _sources(cls: type[BaseSettings]) -> tuple[EnvSettingsSource, DotEnvSettingsSource]:
    return EnvSettingsSource(cls), DotEnvSettingsSource(cls)


def _prefix(settings: Settings) -> str:
    return settings.model_config.get("env_prefix", "")


def _unknown(name: str, known: set[str], prefix: str) -> Finding:
    # Without the prefix, which makes all of them look alike.
    close = difflib.get_close_matches(name.removeprefix(prefix), [other.removeprefix(prefix) for other in known], n=1)
    if close:
        return Finding("warning", "setting_misspelt", {"name": name, "close": f"{prefix}{close[0]}"})
    return Finding("warning", "setting_unknown", {"name": name})


def choices(annotation: object) -> Iterator[str]:
    """The values of a ``Literal`` annotation, as text; none for any other."""
    for argument in get_args(annotation):
        if isinstance(argument, str):
            yield argument
