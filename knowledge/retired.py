"""Collections that no knowledge base stands on, or no longer: nothing is published for them alone, and they are noted
until they are dropped."""

from collections.abc import Collection, Mapping
from typing import Any

from sqlalchemy import Connection, Delete, bindparam, delete, insert, select

from knowledge.database import now
from knowledge.tables import knowledge_bases, retired_collections

_NAMES = ("id", "tenant", "embedding_model", "next_model")
_STANDS = (
    select(*(knowledge_bases.c[name] for name in _NAMES))
    .where(knowledge_bases.c.id == bindparam("of_id"))
    .with_for_update()
)


class ModelSwitched(Exception):
    """The knowledge base has moved to another embedding model since its vectors were written; embed for that one."""


def require_model(connection: Connection, kb_id: str, models: Collection[str]) -> None:
    """Raises ModelSwitched. The row stays locked: no switch comes between. What was written in vain is retired."""
    kb = connection.execute(_STANDS, {"of_id": kb_id}).one()
    if kb.embedding_model not in models:
        raise ModelSwitched(kb_id)
    for model in set(models) - {kb.embedding_model, kb.next_model}:
        retire(connection, kb, model)


def retire(connection: Connection, kb: Any, model: str) -> None:
    """Note, inside the transaction that leaves it, that a collection of a knowledge base's row is not needed."""
    connection.execute(unretire(kb.id, model))
    row: Mapping[str, Any] = {"kb_id": kb.id, "model": model, "tenant": kb.tenant, "retired_at": now()}
    connection.execute(insert(retired_collections).values(**row))


def unretire(kb_id: str, model: str) -> Delete:
    return delete(retired_collections).where(retired_collections.c.kb_id == kb_id, retired_collections.c.model == model)
