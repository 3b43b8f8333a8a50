"""``copilot ask``: a question from the terminal, streamed."""

import json
from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from typing import Annotated, Any

import typer
from rich.console import Console

from app.cli.backend import backend
from app.cli.main import Data, Json, run, settings_for
from app.settings import Settings
from knowledge.errors import CopilotError


def register(app: typer.Typer) -> None:
    app.command("ask")(ask)


def ask(
    question: Annotated[str, typer.Argument(help="The question.")],
    kb: Annotated[list[str] | None, typer.Option("--kb", help="Knowledge base; may be repeated. All, if none.")] = None,
    conversation: Annotated[str | None, typer.Option(help="Go on with this conversation.")] = None,
    reasoning: Annotated[bool, typer.Option(help="Show the model's reasoning.")] = False,
    data: Data = None,
    as_json: Json = False,
) -> None:
    """Answer a question from the documents, with citations. Exit code 1 if no answer could be made."""
    console = Console(quiet=as_json, highlight=False)
    done, passages = run(_ask(settings_for(data), question, kb, conversation, console, reasoning=reasoning))
    if as_json:
        cited = [passages[number - 1] for number in done["citations"]]
        typer.echo(json.dumps({**done, "citations": cited}, ensure_ascii=False))
    else:
        show_end(console, question, done, passages)


def show_end(console: Console, question: str, done: dict[str, Any], passages: list[dict[str, Any]]) -> None:
    """What stands under a streamed answer: its sources, the model, the time."""
    from app.chat.language import say
    from knowledge.language import language_of

    console.print()
    for number in done["citations"]:
        passage = passages[number - 1]
        where = " > ".join(part for part in (passage["document"], passage["heading"]) if part)
        page = f", p. {passage['page']}" if passage["page"] else ""
        console.print(f"[{number}] {where}{page}", style="cyan", markup=False)
    cut = done["finish"] if done["finish"] in ("length", "content_filter") else None
    if notice := cut or done["notice"]:
        console.print(say(notice, language_of(question)), style="dim", markup=False)
    usage = f" · {done['usage']['completion_tokens']} tokens" if done["usage"].get("completion_tokens") else ""
    console.print(f"{done['model']} · {done['timings_ms'].get('total', 0) / 1000:.2f} s{usage}", style="dim")


async def _ask(
    settings: Settings,
    question: str,
    kbs: Sequence[str] | None,
    conversation: str | None,
    console: Console,
    *,
    reasoning: bool,
) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    async with backend(settings) as connected:
        return await stream_to(console, connected.ask(question, kbs, conversation), reasoning=reasoning)


async def stream_to(
    console: Console, events: AsyncGenerator[tuple[str, dict[str, Any]], None], *, reasoning: bool = False
) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """Print an answer as it comes; → (the payload of done, the passages). Raises CopilotError when it failed."""
    passages: list[dict[str, Any]] = []
    async with aclosing(events):
        async for name, payload in events:
            match name:
                case "sources":
                    passages = payload["passages"]
                case "reasoning" if reasoning:
                    console.print(payload["text"], end="", style="dim", markup=False)
                case "token":
                    console.print(payload["text"], end="", markup=False, soft_wrap=True)
                case "done":
                    return payload, passages
                case "failed":
                    raise CopilotError(payload["message"], code=payload["code"])
    raise CopilotError("The answer was cut off. Ask again.", code="interrupted")
