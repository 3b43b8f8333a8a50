"""Versions of prompt templates, and which of them is live."""

from sqlalchemy import Column, ForeignKey, Integer, String, Table, Text, UniqueConstraint

from knowledge.database import Moment, metadata

# A draft until ``published_at``; from then on the text stays as it is.
prompt_versions = Table(
    "prompt_versions",
    metadata,
    Column("id", String(32), primary_key=True),
    Column("tenant", ForeignKey("tenants.id"), nullable=False),
    Column("name", String(40), nullable=False),
    Column("number", Integer, nullable=False),
    Column("text", Text, nullable=False),
    Column("digest", String(12), nullable=False),
    Column("note", String(200), nullable=False),
    Column("based_on", Integer, nullable=False),
    Column("changed_by", String(120), nullable=False),
    Column("changed_at", Moment, nullable=False),
    Column("published_by", String(120)),
    Column("published_at", Moment),
    UniqueConstraint("tenant", "name", "number"),
)

# Answers that show how to answer. Copies: the turn itself may be forgotten.
prompt_examples = Table(
    "prompt_examples",
    metadata,
    Column("turn_id", String(32), primary_key=True),
    Column("tenant", ForeignKey("tenants.id"), nullable=False, index=True),
    Column("question", Text, nullable=False),
    Column("answer", Text, nullable=False),
    Column("embedding_model", String(200), nullable=False),
    Column("vector", Text, nullable=False),
    Column("marked_by", String(120), nullable=False),
    Column("marked_at", Moment, nullable=False),
)

# What a tenant is answered with; what is not here, or has number 0, is the shipped one.
live_prompts = Table(
    "live_prompts",
    metadata,
    Column("tenant", ForeignKey("tenants.id"), primary_key=True),
    Column("name", String(40), primary_key=True),
    Column("number", Integer, nullable=False),
    Column("changed_by", String(120), nullable=False),
    Column("changed_at", Moment, nullable=False),
)
