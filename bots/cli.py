"""``copilot bot`` and ``copilot dingtalk-sandbox``: plugged into the CLI by an entry point."""

from typing import Annotated

import typer

from app.cli.main import Data, run, settings_for
from app.processes.garbage import settle

SandboxPort = Annotated[int, typer.Option(help="Port of the sandbox's page.", min=1, max=65535)]


def register(app: typer.Typer) -> None:
    """Add the commands."""
    app.command()(bot)
    app.command("dingtalk-sandbox")(dingtalk_sandbox)


def bot(data: Data = None) -> None:
    """Run the DingTalk bot; needs COPILOT_DINGTALK_CLIENT_ID and COPILOT_DINGTALK_CLIENT_SECRET."""
    from app import telemetry
    from bots.process import run_bot

    settings = settings_for(data)
    telemetry.configure(settings)
    settle()
    run(run_bot(settings))


def dingtalk_sandbox(
    data: Data = None,
    port: SandboxPort = 8020,
    samples: Annotated[bool, typer.Option(help="On an empty start take in the sample documents.")] = True,
    verbose: Annotated[bool, typer.Option("--verbose", "-v", help="Show what each part does.")] = False,
    alone: Annotated[bool, typer.Option(help="Only the sandbox and its bot.", hidden=True)] = False,
) -> None:
    """Try the bot without a DingTalk tenant: a group chat in the browser, its cards, and faults to switch on."""
    settings = settings_for(data)
    if alone:
        from app import telemetry
        from bots.sandbox_process import run_sandbox

        telemetry.configure(settings)
        settle()
        run(run_sandbox(settings, port=port))
        return
    from bots.sandbox_command import run_dingtalk_sandbox

    raise typer.Exit(
        run_dingtalk_sandbox(settings, port=port, samples=samples, verbose=verbose, chosen_folder=data is not None)
    )
