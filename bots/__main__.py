"""``python -m bots``: the bot's process; see :mod:`bots.cli`."""

import typer

from bots.cli import bot

if __name__ == "__main__":
    typer.run(bot)
