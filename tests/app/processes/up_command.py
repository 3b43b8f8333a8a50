"""``copilot up`` with stand-ins for the API and the workers: ``up_command.py [--api OPTIONS] [--worker OPTIONS] …``.

The bot, where there is one, is the real one.

Settings come from the environment, as ever; the callbacks print what they are called with.
"""

import argparse
import asyncio
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from app.processes.children import ChildSpec
from app.processes.embedded import Services
from app.processes.runtime import Running
from app.processes.up import copilot_children, run_up
from app.settings import Settings
from knowledge.errors import Unavailable

STAND_IN = str(Path(__file__).with_name("stand_in.py"))


def main() -> int:
    parser = argparse.ArgumentParser()
    parser.add_argument("--verbose", action="store_true")
    parser.add_argument("--api", default="")
    parser.add_argument("--worker", default="")
    parser.add_argument("--migration-fails", action="store_true")
    parser.add_argument("--long-first-run", action="store_true")
    parser.add_argument("--language", default="en")
    options = parser.parse_args()

    def children(settings: Settings, services: Services, port: int) -> Sequence[ChildSpec]:
        extra = {"api": options.api.split(), "worker": options.worker.split(), "images": []}
        return [
            replace(spec, argv=(sys.executable, STAND_IN, spec.name, *extra[spec.name])) if spec.name in extra else spec
            for spec in copilot_children(settings, services, port)
        ]

    async def migrate() -> None:
        if options.migration_fails:
            raise Unavailable("The database does not answer.")

    async def first_run(running: Running) -> None:
        print("first run at", running.url, flush=True)
        if options.long_first_run:
            await asyncio.sleep(600)

    return run_up(
        Settings(),
        migrate=migrate,
        first_run=first_run,
        children=children,
        verbose=options.verbose,
        language=options.language,
    )


if __name__ == "__main__":
    sys.exit(main())
