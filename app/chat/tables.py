"""Conversations, their turns, what people thought of them, and the questions that could not be answered."""

from collections.abc import Mapping
from functools import cache
from typing import Any

from sqlalchemy import (
    JSON,
    Boolean,
    Column,
    ForeignKey,
    Index,
    Insert,
    Integer,
    String,
    Table,
    Text,
    bindparam,
    exists,
    insert,
    select,
)

from knowledge.database import Change, Moment, metadata

# ``requester`` is who began it. ``summary`` is of its turns up to ``summary_to``: see :mod:`app.chat.summaries`.
conversations = Table(
    "conversations",
    metadata,
    Column("id", String(32), primary_key=True),
    Column("tenant", ForeignKey("tenants.id"), nullable=False),
    Column("channel", String(16), nullable=False),
    Column("requester", String(120)),
    Column("summary", Text),
    Column("summary_to", String(32)),
    Column("created_at", Moment, nullable=False),
    Column("last_turn_at", Moment, nullable=False),
    Index(None, "tenant", "last_turn_at"),
    Index(None, "tenant", "requester"),
)

turns = Table(
    "turns",
    metadata,
    Column("id", String(32), primary_key=True),
    Column("tenant", ForeignKey("tenants.id"), nullable=False),
    Column("conversation_id", ForeignKey("conversations.id"), nullable=False),
    Column("regenerates", String(32)),
    Column("status", String(16), nullable=False),
    Column("finish", String(16)),
    Column("question", Text, nullable=False),
    Column("condensed", Text, nullable=False),
    Column("knowledge_bases", JSON),
    Column("attachments", JSON),
    Column("answer", Text, nullable=False, default=""),
    Column("citations", JSON, nullable=False),
    Column("evidence", JSON, nullable=False),
    Column("refused", Boolean, nullable=False, default=False),
    Column("error_code", String(64)),
    Column("model", String(200), nullable=False, default=""),
    Column("prompt_version", String(32)),
    Column("prompt_tokens", Integer),
    Column("completion_tokens", Integer),
    Column("timings_ms", JSON, nullable=False),
    Column("cached", String(16)),  # exact or evidence: where the answer came from; None: it was made
    Column("saved_tokens", Integer),
    Column("curated", String(32)),  # id of the curated answer that it was answered with
    Column("created_at", Moment, nullable=False),
    Index(None, "conversation_id", "created_at"),
    Index(None, "tenant", "created_at"),
)

feedback = Table(
    "feedback",
    metadata,
    Column("turn_id", ForeignKey("turns.id"), primary_key=True),
    Column("tenant", ForeignKey("tenants.id"), nullable=False),
    Column("rating", String(8), nullable=False),
    Column("reason", String(32)),
    Column("comment", Text),
    Column("created_at", Moment, nullable=False),
)

# What a turn leaves for its receipt (app.chat.trail), for as long as the log of model calls is kept.
receipts = Table(
    "receipts",
    metadata,
    Column("turn_id", ForeignKey("turns.id", ondelete="CASCADE"), primary_key=True),
    Column("tenant", ForeignKey("tenants.id"), nullable=False),
    Column("trail", Text, nullable=False),  # JSON as it is: escaped, a Chinese prompt takes twice as much
    Column("created_at", Moment, nullable=False),
    Index(None, "created_at"),
)

# Whether an answer that was given by a similar question was right, as far as one that was made anew says so.
second_looks = Table(
    "second_looks",
    metadata,
    Column("turn_id", ForeignKey("turns.id", ondelete="CASCADE"), primary_key=True),
    Column("tenant", ForeignKey("tenants.id"), nullable=False),
    Column("right", Boolean, nullable=False),
    Column("created_at", Moment, nullable=False),
    Index(None, "tenant", "created_at"),
)

gaps = Table(
    "gaps",
    metadata,
    Column("turn_id", ForeignKey("turns.id"), primary_key=True),
    Column("tenant", ForeignKey("tenants.id"), nullable=False),
    Column("question", Text, nullable=False),
    Column("knowledge_bases", JSON),
    Column("created_at", Moment, nullable=False),
    Column("vector", Text),  # as app.chat.cache.packed writes it
    Column("embedded_by", String(120)),
    Column("state", String(16), nullable=False, default="open"),  # open, dismissed or resolved
    Column("curated", String(32)),  # id of the curated answer that resolved it
    Column("closed_by", String(120)),
    Column("closed_at", Moment),
    Index(None, "tenant", "created_at"),
)


def if_it_stands(table: Table, row: Mapping[str, Any]) -> Change:
    """The row's insertion, if the turn that it is of has not been deleted meanwhile."""
    return _if_it_stands(table, tuple(row)), row


@cache
def _if_it_stands(table: Table, names: tuple[str, ...]) -> Insert:
    values = (bindparam(name, type_=table.c[name].type) for name in names)
    stands = exists().where(turns.c.id == bindparam("turn_id", type_=String(32)))
    return insert(table).from_select(names, select(*values).where(stands))


# Whether a tenant has its answers kept; who is not here has the default.
cache_switches = Table(
    "cache_switches",
    metadata,
    Column("tenant", ForeignKey("tenants.id"), primary_key=True),
    Column("on", Boolean, nullable=False),
    Column("changed_by", String(120)),
    Column("changed_at", Moment, nullable=False),
)
