"""``copilot bot`` and ``copilot dingtalk-sandbox``: plugged into the CLI by an entry point."""

import typer

from app.cli.main import Data, run, settings_for


def register(app: typer.Typer) -> None:
    """Add the commands."""
    app.command()(bot)


def bot(data: Data = None) -> None:
    """Run the DingTalk bot; needs COPILOT_DINGTALK_CLIENT_ID and COPILOT_DINGTALK_CLIENT_SECRET."""
    from app import telemetry
    from bots.process import run_bot

    settings = settings_for(data)
    telemetry.configure(settings)
    run(run_bot(settings))
