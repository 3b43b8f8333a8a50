"""What the doctor found, as a value, as JSON and as text."""

import io
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, TypeAlias

from rich.console import Console
from rich.table import Table
from rich.text import Text

from app.processes.words import Language, Param, load_catalog, preferred_language

Level: TypeAlias = Literal["ok", "note", "warning", "error"]
Source: TypeAlias = Literal["default", "environment", ".env", "option"]

CATALOG = Path(__file__).with_name("messages.json")
MARKS: Mapping[Level, tuple[str, str]] = {
    "ok": ("✓", "green"),
    "note": ("·", "cyan"),
    "warning": ("!", "yellow"),
    "error": ("✗", "bold red"),
}
WIDTH = 120


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing looked at. ``code`` is stable and names its sentence, which says what to do where something is wrong.

    ``note`` is worth knowing, ``warning`` works but may not be meant, ``error`` does not work.
    """

    level: Level
    code: str
    params: Mapping[str, Param] = field(default_factory=dict)

    def sentence(self, language: Language) -> str:
        return load_catalog(CATALOG)[self.code][language].format(**self.params)


@dataclass(frozen=True, slots=True)
class SettingInForce:
    """``value`` is as it may be shown: secrets are masked, ``None`` is unset."""

    name: str
    value: str | None
    source: Source


@dataclass(frozen=True, slots=True)
class Report:
    version: str
    python: str
    settings: tuple[SettingInForce, ...]
    findings: tuple[Finding, ...]

    @property
    def healthy(self) -> bool:
        return all(finding.level != "error" for finding in self.findings)

    def json(self) -> dict[str, Any]:
        """``message`` is English, ``message_zh`` Chinese; both say the same."""
        return {
            "version": self.version,
            "python": self.python,
            "healthy": self.healthy,
            "settings": [
                {"name": setting.name, "value": setting.value, "source": setting.source} for setting in self.settings
            ],
            "findings": [
                {
                    "level": finding.level,
                    "code": finding.code,
                    "message": finding.sentence("en"),
                    "message_zh": finding.sentence("zh"),
                }
                for finding in self.findings
            ],
        }


def render(report: Report, language: Language | None = None, *, colour: bool = False) -> str:
    """Text for a terminal: settings, then findings, the worst last, where they are seen."""
    language = language or preferred_language()
    console = Console(file=io.StringIO(), width=WIDTH, force_terminal=colour, highlight=False)
    with console.capture() as captured:
        console.print(f"Merchant Copilot {report.version} · Python {report.python}\n")
        console.print(_settings(report, language))
        console.print(_findings(report, language))
    return "\n".join(line.rstrip() for line in captured.get().splitlines())


def _settings(report: Report, language: Language) -> Table:
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0))
    for code in ("column_setting", "column_value", "column_source"):
        table.add_column(_word(code, language), overflow="fold")
    for setting in report.settings:
        value = _word("unset", language) if setting.value is None else setting.value
        style = "dim" if setting.source == "default" else ""
        source = _word(f"source_{setting.source.removeprefix('.')}", language)
        table.add_row(Text(setting.name), Text(value), Text(source), style=style)
    return table


def _findings(report: Report, language: Language) -> Table:
    table = Table(box=None, show_header=False, pad_edge=False, padding=(0, 1, 0, 0))
    table.add_row("", "")
    order = list(MARKS)
    for finding in sorted(report.findings, key=lambda finding: order.index(finding.level)):
        mark, style = MARKS[finding.level]
        table.add_row(Text(mark, style), Text(finding.sentence(language)))
    return table


def _word(code: str, language: Language) -> str:
    return load_catalog(CATALOG)[code][language]
