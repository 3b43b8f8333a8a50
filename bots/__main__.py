"""``python -m bots``: the bot's process; see :mod:`bots.cli`."""

import typer

from app.cli.main import one_sentence
from app.processes.garbage import collect_rarely
from bots.cli import bot

if __name__ == "__main__":
    collect_rarely()
    with one_sentence():
        typer.run(bot)
