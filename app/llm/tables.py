"""What calls of language models used and cost. Rows outlive the turns and jobs that they were made for."""

from sqlalchemy import JSON, Boolean, Column, Float, ForeignKey, Index, Integer, String, Table

from knowledge.database import Moment, metadata

model_calls = Table(
    "model_calls",
    metadata,
    Column("id", String(32), primary_key=True),
    Column("tenant", ForeignKey("tenants.id"), nullable=False),
    Column("day", String(10), nullable=False),
    Column("turn_id", String(32)),
    Column("job_id", String(32)),
    Column("purpose", String(40), nullable=False),
    Column("prompt_version", String(32), nullable=False),
    Column("endpoint", String(300), nullable=False),
    Column("model", String(200), nullable=False),
    Column("outcome", String(64), nullable=False),
    Column("attempts", Integer, nullable=False),
    Column("failed_attempts", JSON, nullable=False),
    Column("taken_over", Boolean, nullable=False),
    Column("prompt_tokens", Integer, nullable=False),
    Column("completion_tokens", Integer, nullable=False),
    Column("counted_by", String(40), nullable=False),
    Column("first_token_ms", Float),
    Column("total_ms", Float, nullable=False),
    Column("amount", Float),
    Column("currency", String(8), nullable=False),
    Column("created_at", Moment, nullable=False),
    Index(None, "tenant", "day"),
    Index(None, "turn_id"),
    Index(None, "created_at"),
)
