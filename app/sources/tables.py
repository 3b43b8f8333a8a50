"""The tables of watched sources. A knowledge base that is forgotten takes its sources along."""

from sqlalchemy import JSON, Boolean, Column, ForeignKey, Index, Integer, String, Table, Text, UniqueConstraint

from knowledge.database import Moment, metadata

# ``owner`` runs it until ``lease_until``. ``wanted``: somebody asks for a run now; ``confirmed``: and has agreed that
# what is gone is deleted. ``done`` of ``total`` is how far the run under way is.
sources = Table(
    "sources",
    metadata,
    Column("id", String(32), primary_key=True),
    Column("tenant", ForeignKey("tenants.id"), nullable=False),
    Column("kb_id", ForeignKey("knowledge_bases.id", ondelete="CASCADE"), nullable=False),
    Column("name", String(120), nullable=False),
    Column("kind", String(16), nullable=False),
    Column("location", Text, nullable=False),
    Column("schedule", String(32), nullable=False),
    Column("include", JSON, nullable=False),
    Column("exclude", JSON, nullable=False),
    Column("enabled", Boolean, nullable=False),
    Column("wanted", Boolean, nullable=False),
    Column("confirmed", Boolean, nullable=False),
    Column("next_run_at", Moment, nullable=False),
    Column("owner", String(64)),
    Column("lease_until", Moment),
    Column("done", Integer, nullable=False),
    Column("total", Integer, nullable=False),
    Column("created_by", String(120)),
    Column("created_at", Moment, nullable=False),
    UniqueConstraint("tenant", "name"),
    Index(None, "next_run_at"),
)

# What was seen in a source. ``missing`` counts the listings in a row without it; ``mark`` and the validators are of
# what was last taken in. ``reason`` says why it could not be. A key may be longer than an index takes: its hash is one.
source_items = Table(
    "source_items",
    metadata,
    Column("source_id", ForeignKey("sources.id", ondelete="CASCADE"), primary_key=True),
    Column("key_hash", String(40), primary_key=True),
    Column("key", Text, nullable=False),
    Column("tenant", ForeignKey("tenants.id"), nullable=False),
    Column("document_id", ForeignKey("documents.id", ondelete="CASCADE"), index=True),
    Column("mark", String(200)),
    Column("etag", String(500)),
    Column("last_modified", String(100)),
    Column("content_hash", String(64)),
    Column("reason", String(32)),
    Column("missing", Integer, nullable=False),
    Column("seen_at", Moment, nullable=False),
)

# ``state``: running, done, asks, failed or interrupted. ``failures`` are the first ones, with key, reason and message.
source_runs = Table(
    "source_runs",
    metadata,
    Column("id", String(32), primary_key=True),
    Column("source_id", ForeignKey("sources.id", ondelete="CASCADE"), nullable=False),
    Column("tenant", ForeignKey("tenants.id"), nullable=False),
    Column("state", String(16), nullable=False),
    Column("started_at", Moment, nullable=False),
    Column("finished_at", Moment),
    Column("counts", JSON, nullable=False),
    Column("failures", JSON, nullable=False),
    Column("error_code", String(64)),
    Column("error_message", Text),
    Index(None, "source_id", "started_at"),
)
