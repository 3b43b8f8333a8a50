"""``copilot bot`` and ``copilot dingtalk-sandbox``: plugged into the CLI by an entry point."""

import typer


def register(app: typer.Typer) -> None:
    """Add the commands."""
