"""``copilot kb``: knowledge bases, and what is set, learned and kept for them."""

import json
from pathlib import Path
from typing import Annotated, Any
from urllib.parse import quote

import httpx
import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from app.cli import kb_chunking, kb_history
from app.cli.connected import with_service
from app.cli.main import Data, Json, run, settings_for
from app.cli.remote import requested
from app.settings import Settings
from knowledge.errors import InvalidInput

PATH = "/v1/knowledge-bases"
SECONDS = 600  # a thousand questions on a busy machine

commands = typer.Typer(help="Knowledge bases, and what is set, learned and kept for them.", no_args_is_help=True)
Named = Annotated[str, typer.Argument(help="Its name or id.")]
Questions = Annotated[
    Path,
    typer.Option("--questions", help='A line each: {"question": "…", "documents": ["…"]}; none where none answers.'),
]


def register(app: typer.Typer) -> None:
    kb_chunking.register(commands)
    kb_history.register(commands)
    app.add_typer(commands, name="kb")


@commands.command("list")
def list_bases(data: Data = None, as_json: Json = False) -> None:
    """All of them."""
    found = run(_call(settings_for(data), "GET", PATH))["knowledge_bases"]
    if as_json:
        typer.echo(json.dumps(found, ensure_ascii=False))
        return
    table = Table("name", "documents", "chunks", "embedding model", "weights")
    for base in found:
        cells = (base["name"], base["documents"], base["chunks"], base["embedding_model"], _weights(base["tuning"]))
        table.add_row(*(escape(str(cell)) for cell in cells))
    Console().print(table if found else "No knowledge bases yet.")


@commands.command("show")
def show(kb: Named, data: Data = None, as_json: Json = False) -> None:
    """One, with what was learned for it."""
    base = run(_call(settings_for(data), "GET", _path(kb)))
    if as_json:
        typer.echo(json.dumps(base, ensure_ascii=False))
        return
    typer.echo(f"{base['name']}: {base['documents']} documents, {base['chunks']} chunks, {base['embedding_model']}")
    typer.echo(f"weights: {_weights(base['tuning'])}")
    if base["tuning"]:
        typer.echo(_report(base["tuning"]))


@commands.command("tune")
def tune(
    kb: Named,
    questions: Questions,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Learn and measure; keep nothing.")] = False,
    data: Data = None,
    as_json: Json = False,
) -> None:
    """Learn how passages are ordered and refused from your questions; kept where surely better on those left out."""
    from app.tuning import exemplars_of

    try:
        exemplars = exemplars_of(questions.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError) as exc:
        raise InvalidInput(
            f"“{questions}” cannot be read as text ({exc}).", code="questions_unreadable", file=str(questions)
        ) from exc
    asked = [
        {"question": each.question, "documents": sorted(each.documents), "answerable": each.answerable}
        for each in exemplars
    ]
    body = {"questions": asked, "dry_run": dry_run}
    learned = run(_call(settings_for(data), "POST", f"{_path(kb)}/tuning", json=body, timeout=SECONDS))
    typer.echo(json.dumps(learned, ensure_ascii=False) if as_json else _told(learned, dry_run=dry_run))


@commands.command("reset")
def reset(kb: Named, data: Data = None) -> None:
    """Take what was learned away: weights as shipped."""
    run(_call(settings_for(data), "DELETE", f"{_path(kb)}/tuning"))
    typer.echo("Weights as shipped.")


def _path(kb: str) -> str:
    return f"{PATH}/{quote(kb, safe='')}"


async def _call(settings: Settings, method: str, path: str, **request: Any) -> dict[str, Any]:
    async def work(http: httpx.AsyncClient, _: object) -> dict[str, Any]:
        return await requested(http, method, path, **request)

    found: dict[str, Any] = await with_service(settings, work)
    return found


def _told(learned: dict[str, Any], *, dry_run: bool) -> str:
    surely = any(part and part["low"] > 0 for part in (learned["order"], learned["refusals"]))
    end = "Kept: in force from now on." if learned["kept"] else "Nothing was surely better: kept as it was."
    return f"{_report(learned)}\n{'Better, and not kept: a dry run.' if surely and dry_run else end}"


def _report(tuning: dict[str, Any]) -> str:
    lines = [
        f"{tuning['questions']} questions, {tuning['unanswerable']} without an answer; measured on those left out",
        f"{'':<22}{'shipped':>8} {'learned':>8}   gain, 95 %",
        _line("order (MRR)", tuning["order"]),
    ]
    if tuning["refusals"]:
        lines.append(_line("wrong refusals, answers", tuning["refusals"]))
    weights = ", ".join(f"{name} {value:g}" for name, value in tuning["weights"].items())
    return "\n".join([*lines, f"weights: {weights}"])


def _line(name: str, part: dict[str, Any]) -> str:
    gained = "{gain:+.3f} [{low:+.3f}, {high:+.3f}]".format(**part)
    return f"{name:<24}{part['shipped']:>6.3f} {part['learned']:>8.3f}   {gained}"


def _weights(tuning: dict[str, Any] | None) -> str:
    if not tuning:
        return "as shipped"
    day = str(tuning["learned_at"])[:10]
    if not tuning["in_force"]:
        return f"as shipped (learned {day} with another embedding model)"
    return f"learned {day} from {tuning['questions']} questions"
