"""Card templates that the organisation has: their variables, and which of them streams."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal, TypeAlias

VariableType: TypeAlias = Literal["text", "markdown", "json", "boolean", "number", "image"]

_OF_ALL = {"flowStatus", "config", "sys_full_json_obj"}  # understood by every AI template [S]


@dataclass(frozen=True, slots=True)
class Template:
    """Without ``variables`` anything goes; without ``streaming_key`` its cards are finished at once."""

    id: str
    variables: Mapping[str, VariableType]
    streaming_key: str | None

    def faults_of(self, values: Mapping[str, str]) -> list[str]:
        """What would not be shown as meant: unknown names, and values that are not of their variable's type."""
        if not self.variables:
            return []
        found = [f"it has no variable {name}" for name in values if name not in self.variables and name not in _OF_ALL]
        return found + [
            f"{name} is {kind}, not {values[name][:40]!r}"
            for name, kind in self.variables.items()
            if name in values and not _is(kind, values[name])
        ]


# [S] the templates that the official SDK's helpers use
STOCK = (
    Template("589420e2-c1e2-46ef-a5ed-b8728e654da9.schema", {}, None),
    Template("1366a1eb-bc54-4859-ac88-517c56a9acb1.schema", {}, None),
    Template("382e4302-551d-4880-bf29-a30acfab2e71.schema", {}, "msgContent"),
    Template("7f538f6d-ebb7-4533-a9ac-61a32da094cf.schema", {}, "msgContent"),
)


def _is(kind: VariableType, value: str) -> bool:
    if kind == "boolean":
        return value in {"true", "false"}
    if kind in {"json", "number"}:
        return _is_json(value, number=kind == "number")
    return True


def _is_json(value: str, *, number: bool) -> bool:
    if not value:
        return True
    try:
        read = json.loads(value)
    except ValueError:
        return False
    return isinstance(read, int | float) or not number
