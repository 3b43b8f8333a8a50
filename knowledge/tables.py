"""The tables of what we know. Every row carries its tenant.

``vectors`` is the ledger of what was written to the vector store: an id is recorded before the vector is
written and forgotten after it is deleted, so that no crash can leave a vector that nobody knows of.
Its ``model``, and ``embedding_model`` and ``next_model`` of a knowledge base, name a shelf (:mod:`knowledge.shelves`):
the model, and how often its collection was made anew. ``dead``: vectors deleted from the one it stands on.
``chunk_removals`` lets a lexical replica catch up from any epoch not before ``removals_after``.
``document_versions.pieces`` lists a version's chunks in order: [id, fingerprint, page, sheet, row]; None: not kept.
``knowledge_bases.tuning``: learned weights, see :mod:`knowledge.weights`; None: as shipped.
``cut`` says how the chunks were made (``Chunking.key``); NULL: by the defaults.
``document_versions.edits`` is what people changed of it (:mod:`knowledge.chunk_edits`); ``edit`` what a version was
made for, where that was a change of a chunk.
``documents.parts``: the pages, pictures or members that a run is reading, while it counts them.
``documents.settles``: an earlier version was made live again, and the vectors of what came back may be missing.
"""

from sqlalchemy import JSON, Boolean, Column, ForeignKey, Index, Integer, String, Table, Text, UniqueConstraint

from knowledge.database import Moment, metadata

tenants = Table(
    "tenants",
    metadata,
    Column("id", String(64), primary_key=True),
    Column("name", String(200), nullable=False),
    Column("created_at", Moment, nullable=False),
    Column("curated_revision", Integer, nullable=False, default=0),
)

knowledge_bases = Table(
    "knowledge_bases",
    metadata,
    Column("id", String(32), primary_key=True),
    Column("tenant", ForeignKey("tenants.id"), nullable=False),
    Column("name", String(120), nullable=False),
    Column("embedding_model", String(120), nullable=False),
    Column("next_model", String(120)),
    Column("dead", Integer, nullable=False, default=0),
    Column("removals_after", Integer, nullable=False, default=0),
    Column("mover", String(64)),
    Column("mover_until", Moment),
    Column("epoch", Integer, nullable=False, default=0),
    Column("created_at", Moment, nullable=False),
    Column("tuning", JSON(none_as_null=True)),
    Column("chunking", JSON(none_as_null=True)),
    UniqueConstraint("tenant", "name"),
)

documents = Table(
    "documents",
    metadata,
    Column("id", String(32), primary_key=True),
    Column("tenant", ForeignKey("tenants.id"), nullable=False),
    Column("kb_id", ForeignKey("knowledge_bases.id"), nullable=False),
    Column("name", String(500), nullable=False),
    Column("status", String(16), nullable=False, index=True),
    Column("content_hash", String(64), nullable=False),
    Column("size", Integer, nullable=False),
    Column("live_hash", String(64)),
    Column("version", Integer, nullable=False, default=0),
    Column("title", String(500)),
    Column("media_type", String(120)),
    Column("stage", String(24)),
    Column("progress", Integer, nullable=False, default=0),
    Column("parts_done", Integer),
    Column("parts", Integer),
    Column("reason", String(32)),
    Column("message", Text),
    Column("owner", String(64)),
    Column("lease_until", Moment),
    Column("attempts", Integer, nullable=False, default=0),
    Column("created_at", Moment, nullable=False),
    Column("updated_at", Moment, nullable=False),
    Column("valid_from", Moment),
    Column("valid_until", Moment),
    Column("received_by", String(120)),
    Column("settles", Boolean, nullable=False, default=False),
    Column("cut", String(40)),
    UniqueConstraint("kb_id", "name"),
    Index(None, "kb_id", "valid_from"),
    Index(None, "kb_id", "valid_until"),
)

document_versions = Table(
    "document_versions",
    metadata,
    Column("document_id", ForeignKey("documents.id"), primary_key=True),
    Column("number", Integer, primary_key=True),
    Column("tenant", ForeignKey("tenants.id"), nullable=False),
    Column("content_hash", String(64), nullable=False),
    Column("chunks", Integer, nullable=False),
    Column("embedded", Integer, nullable=False),
    Column("published_at", Moment, nullable=False),
    Column("published_by", String(120)),
    Column("restored_from", Integer),
    Column("title", String(500)),
    Column("media_type", String(120)),
    Column("size", Integer),
    Column("message", Text),
    Column("pieces", JSON(none_as_null=True)),
    Column("cut", String(40)),
    Column("edits", JSON(none_as_null=True)),
    Column("edit", String(16)),
    Index(None, "tenant", "published_at"),
)

# Chunks that earlier versions have and the live one has not, as they were indexed. ``last_version`` had it.
past_chunks = Table(
    "past_chunks",
    metadata,
    Column("id", String(40), primary_key=True),
    Column("fingerprint", String(40), primary_key=True),
    Column("tenant", ForeignKey("tenants.id"), nullable=False),
    Column("kb_id", ForeignKey("knowledge_bases.id"), nullable=False),
    Column("document_id", ForeignKey("documents.id"), nullable=False),
    Column("last_version", Integer, nullable=False),
    Column("text", Text, nullable=False),
    Column("heading", Text, nullable=False),
    Column("indexed", Text, nullable=False),
    Column("indexed_heading", Text, nullable=False),
    Index(None, "document_id", "last_version"),
    Index(None, "kb_id"),
)

chunks = Table(
    "chunks",
    metadata,
    Column("id", String(40), primary_key=True),
    Column("tenant", ForeignKey("tenants.id"), nullable=False),
    Column("kb_id", ForeignKey("knowledge_bases.id"), nullable=False),
    Column("document_id", ForeignKey("documents.id"), nullable=False),
    Column("ordinal", Integer, nullable=False),
    Column("text", Text, nullable=False),
    Column("heading", Text, nullable=False, default=""),
    Column("page", Integer),
    Column("sheet", String(200)),
    Column("row", Integer),
    Column("indexed", Text, nullable=False),
    Column("indexed_heading", Text, nullable=False),
    Column("fingerprint", String(40), nullable=False),
    Column("epoch", Integer, nullable=False),
    Index(None, "document_id", "ordinal"),
    Index(None, "kb_id", "epoch"),
)

chunk_removals = Table(
    "chunk_removals",
    metadata,
    Column("kb_id", ForeignKey("knowledge_bases.id"), primary_key=True),
    Column("epoch", Integer, primary_key=True),
    Column("chunk_id", String(40), primary_key=True),
    Column("tenant", ForeignKey("tenants.id"), nullable=False),
)

vectors = Table(
    "vectors",
    metadata,
    Column("chunk_id", String(40), primary_key=True),
    Column("model", String(120), primary_key=True),
    Column("tenant", ForeignKey("tenants.id"), nullable=False),
    Column("kb_id", ForeignKey("knowledge_bases.id"), nullable=False),
    Column("document_id", ForeignKey("documents.id"), nullable=False, index=True),
    Column("fingerprint", String(40), nullable=False),
    Column("written", Boolean, nullable=False, default=False),
    Index(None, "kb_id", "model"),
)

# How an embedding model was configured, without its key: so that questions can still be embedded with it.
embedding_models = Table(
    "embedding_models",
    metadata,
    Column("id", String(120), primary_key=True),
    Column("recipe", JSON, nullable=False),
    Column("seen_at", Moment, nullable=False),
)

# Collections that no knowledge base stands on any more, dropped a while later: a question may still be looking.
retired_collections = Table(
    "retired_collections",
    metadata,
    Column("kb_id", ForeignKey("knowledge_bases.id"), primary_key=True),
    Column("model", String(120), primary_key=True),
    Column("tenant", ForeignKey("tenants.id"), nullable=False),
    Column("retired_at", Moment, nullable=False),
)

# An answer that people wrote. ``state``: proposed, live or retired. ``source`` says where it came from. Every change
# counts up the tenant's ``curated_revision``, so that every process sees it at its next question.
curated_answers = Table(
    "curated_answers",
    metadata,
    Column("id", String(32), primary_key=True),
    Column("tenant", ForeignKey("tenants.id"), nullable=False),
    Column("state", String(16), nullable=False),
    Column("question", Text, nullable=False),
    Column("variants", JSON, nullable=False, default=list),
    Column("answer", Text, nullable=False),
    Column("knowledge_bases", JSON),
    Column("valid_from", Moment),
    Column("valid_until", Moment),
    Column("source", JSON, nullable=False),
    Column("created_by", String(120)),
    Column("created_at", Moment, nullable=False),
    Column("updated_by", String(120)),
    Column("updated_at", Moment),
    Index(None, "tenant", "state"),
)
