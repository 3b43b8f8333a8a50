"""``copilot reindex``: the lexical replicas of this host, made anew from SQL while what runs here goes on answering."""

import json
from typing import Annotated

import typer

from app.cli.main import Data, Json, run, settings_for
from app.settings import Settings
from knowledge.errors import NotFound
from knowledge.models import KnowledgeBase


def register(app: typer.Typer) -> None:
    app.command("reindex")(reindex)


def reindex(
    kb: Annotated[str | None, typer.Option(help="Only the knowledge bases of this name.")] = None,
    data: Data = None,
    as_json: Json = False,
) -> None:
    """Make this host's index of words anew. Each takes the place of the old one when it is whole."""
    made = run(_reindex(settings_for(data), kb))
    if as_json:
        typer.echo(json.dumps({"knowledge_bases": made}, ensure_ascii=False))
        return
    for base in made:
        typer.echo(f"{base['name']}: {base['chunks']} chunks")


async def _reindex(settings: Settings, name: str | None) -> list[dict[str, object]]:
    """Raises NotFound ``knowledge_base_not_found``."""
    from app.database import migrate
    from knowledge.catalog import Catalog
    from knowledge.database import Database
    from knowledge.wiring import lexical_index

    database = Database(settings.database)
    try:
        await migrate(database)
        catalog = Catalog(database)
        index, bases = lexical_index(settings, catalog), await catalog.every(name)
        if name is not None and not bases:
            raise NotFound(f"There is no knowledge base “{name}”.", code="knowledge_base_not_found", name=name)
        return [_made(base, await index.rebuild(base)) for base in bases]
    finally:
        await database.close()


def _made(base: KnowledgeBase, chunks: int) -> dict[str, object]:
    return {"tenant": base.tenant, "name": base.name, "chunks": chunks}
