"""The job ledger. A row is written before a message is sent, so nothing that was promised can be forgotten.

``tenant_turns`` remembers when a tenant was last served in a queue, for round-robin between tenants.
"""

from sqlalchemy import JSON, Boolean, Column, Float, ForeignKey, Index, Integer, String, Table, Text, UniqueConstraint

from knowledge.database import Moment, metadata

jobs = Table(
    "jobs",
    metadata,
    Column("id", String(32), primary_key=True),
    Column("tenant", ForeignKey("tenants.id"), nullable=False),
    Column("kind", String(40), nullable=False),
    Column("queue", String(16), nullable=False),
    Column("state", String(16), nullable=False),
    Column("priority", Integer, nullable=False),
    Column("subject", String(64)),
    Column("request", JSON, nullable=False),
    Column("requester", String(120)),
    Column("channel", JSON),
    Column("conversation_id", String(32)),
    Column("idempotency_key", String(200)),
    Column("retry_of", String(32)),
    Column("estimate", JSON),
    Column("cost", JSON),
    Column("amount", Float, nullable=False, default=0.0),
    Column("result", JSON),
    Column("error_code", String(64)),
    Column("error_message", Text),
    Column("error_params", JSON),
    Column("attempts", Integer, nullable=False, default=0),
    Column("max_attempts", Integer, nullable=False),
    Column("not_before", Moment),
    Column("owner", String(120)),
    Column("lease_until", Moment),
    Column("cancel_requested", Boolean, nullable=False, default=False),
    Column("percent", Integer, nullable=False, default=0),
    Column("stage", String(40)),
    Column("review", String(16)),
    Column("review_reason", Text),
    Column("reviewed_by", String(120)),
    Column("reviewed_at", Moment),
    Column("created_at", Moment, nullable=False),
    Column("started_at", Moment),
    Column("finished_at", Moment),
    UniqueConstraint("tenant", "idempotency_key"),
    Index(None, "queue", "state", "tenant", "priority", "created_at"),
    Index(None, "tenant", "created_at"),
    Index(None, "state", "lease_until"),
    Index(None, "conversation_id"),
    Index(None, "subject"),
    Index(None, "kind", "state", "finished_at"),
)

artifacts = Table(
    "artifacts",
    metadata,
    Column("id", String(32), primary_key=True),
    Column("tenant", ForeignKey("tenants.id"), nullable=False),
    Column("job_id", ForeignKey("jobs.id")),
    Column("ordinal", Integer, nullable=False, default=0),
    Column("content_hash", String(64), nullable=False),
    Column("size", Integer, nullable=False),
    Column("media_type", String(120), nullable=False),
    Column("name", String(300), nullable=False),
    Column("about", JSON, nullable=False),
    Column("created_at", Moment, nullable=False),
    UniqueConstraint("job_id", "ordinal"),
    Index(None, "tenant", "content_hash"),
)

deliveries = Table(
    "deliveries",
    metadata,
    Column("job_id", ForeignKey("jobs.id"), primary_key=True),
    Column("channel", String(16), primary_key=True),
    Column("tenant", ForeignKey("tenants.id"), nullable=False),
    Column("target", JSON, nullable=False),
    Column("state", String(16), nullable=False),
    Column("created_at", Moment, nullable=False),
    Column("delivered_at", Moment),
    Column("attempts", Integer, nullable=False, default=0),
    Column("not_before", Moment),
    Column("owner", String(120)),
    Column("lease_until", Moment),
    Column("error_code", String(64)),
    Column("receipt", JSON),
    Index(None, "channel", "state"),
)

tenant_turns = Table(
    "tenant_turns",
    metadata,
    Column("tenant", ForeignKey("tenants.id"), primary_key=True),
    Column("queue", String(16), primary_key=True),
    Column("served_at", Moment, nullable=False),
)

tenant_limits = Table(
    "tenant_limits",
    metadata,
    Column("tenant", ForeignKey("tenants.id"), primary_key=True),
    Column("concurrency", Integer),
    Column("daily_jobs", Integer),
    Column("daily_amount", Float),
    Column("approval_over", Float),
)
