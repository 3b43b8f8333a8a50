"""``python -m bots.live``: asks before every step, and prints what it saw as one report at the end.

Off by default in every sense: nothing starts it but a person, and no step is made that was not agreed to. No other bot
of the same app may run meanwhile: DingTalk gives each message to one of an app's connections.
"""

from typing import Annotated

import typer

from app.cli.main import one_sentence, run, settings_for
from app.processes.words import preferred_language
from bots.dingtalk.addresses import Addresses
from bots.dingtalk.client import DingTalkClient
from bots.live.person import AtTheTerminal
from bots.live.report import rendered
from bots.live.steps import Smoke, Waits
from bots.wiring import credentials

Seconds = Annotated[float, typer.Option(min=1)]


def live(redelivery: Seconds = 150.0, pings: Seconds = 200.0) -> None:
    """Look at the real DingTalk, step by step; needs COPILOT_DINGTALK_CLIENT_ID and COPILOT_DINGTALK_CLIENT_SECRET."""
    run(_live(Waits(redelivery=redelivery, pings=pings)))


async def _live(waits: Waits) -> None:
    settings, language = settings_for(), preferred_language()
    client = DingTalkClient(credentials(settings), Addresses(settings.dingtalk_openapi_url, settings.dingtalk_oapi_url))
    try:
        seen = await Smoke(settings, client, AtTheTerminal(), language=language, waits=waits).run()
    finally:
        await client.close()
    typer.echo(rendered(seen, language))


if __name__ == "__main__":
    with one_sentence():
        typer.run(live)
