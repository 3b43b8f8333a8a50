"""``copilot eval`` and ``copilot bench``: plugged into the CLI by an entry point; nothing of ours imports this.

A command's module is imported when the command is asked for, so that ``copilot up`` pays nothing for them.
"""

from importlib import import_module
from typing import Any

import typer
from typer.core import TyperGroup

EVAL = {
    "retrieval": "evals.commands:retrieval",
    "answers": "evals.commands:answers",
    "parsing": "evals.commands:parsing",
    "sheets": "evals.commands:sheets",
    "cache": "evals.commands:cache",
    "conflicts": "evals.commands:conflicts",
}
BENCH = {
    "streaming": "evals.bench.streaming:main",
    "embedding": "evals.bench.embedding:run",
    "retrieval": "evals.bench.retrieval:main",
    "cache": "evals.bench.cache:main",
    "ingest": "evals.bench.ingest:main",
    "jobs": "evals.bench.jobs:main",
    "diffusion": "evals.bench.diffusion:run",
    "churn": "evals.bench.churn:main",
    "dingtalk": "evals.bench.dingtalk_soak:main",
}


def register(app: typer.Typer) -> None:
    """Add the two groups."""
    app.add_typer(_group(EVAL, "Is it good: on data with expected results, BM25 beside."), name="eval")
    app.add_typer(_group(BENCH, "Is it fast: always beside a plain baseline in the same run."), name="bench")


def _group(commands: dict[str, str], summary: str) -> typer.Typer:
    class Lazy(TyperGroup):
        def list_commands(self, ctx: Any) -> list[str]:  # noqa: ARG002 (Typer's interface)
            return list(commands)

        def get_command(self, ctx: Any, cmd_name: str) -> Any:  # noqa: ARG002 (as above)
            if cmd_name not in commands:
                return None
            module, function = commands[cmd_name].split(":")
            alone = typer.Typer(add_completion=False)
            alone.command(cmd_name)(getattr(import_module(module), function))
            return typer.main.get_command(alone)

    group = typer.Typer(cls=Lazy, help=summary, no_args_is_help=True)
    group.callback()(lambda: None)
    return group
