"""The tables of the conflict radar: what live chunks state in figures, where alike facts meet, and what contradicts.

A conflict outlives its passages only where people closed it: so the same contradiction, found anew, stays closed.
"""

from sqlalchemy import JSON, Boolean, Column, ForeignKey, Index, Integer, String, Table, Text

from knowledge.database import Moment, metadata

facts = Table(
    "facts",
    metadata,
    Column("chunk_id", String(40), primary_key=True),
    Column("number", Integer, primary_key=True),
    Column("tenant", ForeignKey("tenants.id"), nullable=False),
    Column("kb_id", ForeignKey("knowledge_bases.id"), nullable=False),
    Column("document_id", ForeignKey("documents.id"), nullable=False),
    Column("measure", String(60), nullable=False),
    Column("value", String(60), nullable=False),
    Column("words", JSON, nullable=False),
    Column("directed", Boolean, nullable=False),
    Column("subject", Text, nullable=False),
    Column("start", Integer, nullable=False),
    Column("end", Integer, nullable=False),
    Column("scope", JSON, nullable=False),
    Column("above", JSON, nullable=False),
    Column("beside", JSON, nullable=False),
    Index(None, "document_id"),
    Index(None, "kb_id"),
)

fact_handles = Table(
    "fact_handles",
    metadata,
    Column("kb_id", String(32), primary_key=True),
    Column("handle", String(16), primary_key=True),
    Column("chunk_id", String(40), primary_key=True),
    Column("number", Integer, primary_key=True),
    Column("document_id", String(32), nullable=False),
    Index(None, "chunk_id"),
    Index(None, "document_id"),
)

conflicts = Table(
    "conflicts",
    metadata,
    Column("id", String(32), primary_key=True),
    Column("tenant", ForeignKey("tenants.id"), nullable=False),
    Column("kb_id", ForeignKey("knowledge_bases.id"), nullable=False),
    Column("state", String(16), nullable=False),
    Column("subject", Text, nullable=False),
    Column("measure", String(60), nullable=False),
    *(
        Column(f"{side}_{name}", kind, nullable=False)
        for side in ("left", "right")
        for name, kind in (
            ("document", String(32)),
            ("chunk", String(40)),
            ("start", Integer()),
            ("end", Integer()),
            ("value", String(60)),
        )
    ),
    Column("found_at", Moment, nullable=False),
    Column("closed_by", String(120)),
    Column("closed_at", Moment),
    Index(None, "tenant", "state"),
    Index(None, "kb_id"),
    Index(None, "left_chunk"),
    Index(None, "right_chunk"),
    Index(None, "left_document"),
    Index(None, "right_document"),
)
