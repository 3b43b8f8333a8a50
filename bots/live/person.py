"""Who does what only a person can: write in a group, look at a screen, agree to what costs calls."""

import asyncio
from typing import Protocol

import typer


class Person(Protocol):
    """``key`` names the question, whatever language it is asked in."""

    async def agree(self, key: str, question: str) -> bool: ...

    async def ask(self, key: str, question: str) -> str:
        """What they typed; empty if nothing."""

    async def tell(self, key: str, text: str) -> None: ...


class AtTheTerminal:
    """Whoever started us. Questions wait in a thread: the connection goes on meanwhile."""

    async def agree(self, key: str, question: str) -> bool:  # noqa: ARG002 (for scripts)
        return await asyncio.to_thread(typer.confirm, question, default=False)

    async def ask(self, key: str, question: str) -> str:  # noqa: ARG002 (as above)
        return str(await asyncio.to_thread(typer.prompt, question, default="", show_default=False)).strip()

    async def tell(self, key: str, text: str) -> None:  # noqa: ARG002 (as above)
        typer.echo(text)
