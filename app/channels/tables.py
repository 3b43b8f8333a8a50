"""What a channel such as DingTalk is bound to, has open, has spent, and has handed to people."""

from sqlalchemy import JSON, Column, ForeignKey, Index, Integer, String, Table, Text, UniqueConstraint

from knowledge.database import Moment, metadata

# A group chat, as an operator set it up. ``knowledge_bases`` None is all of the tenant's; ``purpose`` is answers, or
# operators for the group that questions are handed to.
channel_groups = Table(
    "channel_groups",
    metadata,
    Column("channel", String(16), primary_key=True),
    Column("group_id", String(128), primary_key=True),
    Column("tenant", ForeignKey("tenants.id"), nullable=False),
    Column("organisation", String(64), nullable=False),
    Column("title", String(200), nullable=False, default=""),
    Column("knowledge_bases", JSON),
    Column("purpose", String(16), nullable=False),
    Column("changed_by", String(120)),
    Column("changed_at", Moment, nullable=False),
    Index(None, "tenant", "purpose"),
)

# What people see of an answer or a job: one row a message or job. Closed when nothing more will change.
channel_replies = Table(
    "channel_replies",
    metadata,
    Column("id", String(32), primary_key=True),
    Column("tenant", ForeignKey("tenants.id"), nullable=False),
    Column("channel", String(16), nullable=False),
    Column("kind", String(16), nullable=False),
    Column("state", String(16), nullable=False),
    Column("place", String(160), nullable=False),
    Column("target", JSON, nullable=False),
    Column("turn_id", String(32)),
    Column("job_id", String(32)),
    Column("card_id", String(64)),
    Column("rung", String(16), nullable=False),
    Column("reason", String(40), nullable=False),
    Column("text", Text),
    Column("calls", Integer, nullable=False, default=0),
    Column("created_at", Moment, nullable=False),
    Column("closed_at", Moment),
    Index(None, "channel", "state"),
    Index(None, "place", "state"),
    Index(None, "card_id"),
    Index(None, "turn_id"),
    Index(None, "tenant", "created_at"),
)

# Calls of an API in a day, as counted; ``day`` is YYYY-MM-DD in the organisation's time.
channel_calls = Table(
    "channel_calls",
    metadata,
    Column("channel", String(16), primary_key=True),
    Column("app", String(64), primary_key=True),
    Column("day", String(10), primary_key=True),
    Column("api", String(40), primary_key=True),
    Column("calls", Integer, nullable=False),
    Column("throttled", Integer, nullable=False, default=0),
)

# A question that went to people. ``number`` is what people type: it counts from 1 in a tenant.
handoffs = Table(
    "handoffs",
    metadata,
    Column("id", String(32), primary_key=True),
    Column("tenant", ForeignKey("tenants.id"), nullable=False),
    Column("number", Integer, nullable=False),
    Column("channel", String(16), nullable=False),
    Column("turn_id", ForeignKey("turns.id"), nullable=False, unique=True),
    Column("state", String(16), nullable=False),
    Column("question", Text, nullable=False),
    Column("answer", Text, nullable=False),
    Column("evidence", JSON, nullable=False),
    Column("knowledge_bases", JSON),
    Column("asker", String(120)),
    Column("target", JSON, nullable=False),
    Column("reply", Text),
    Column("replied_by", String(120)),
    Column("created_at", Moment, nullable=False),
    Column("replied_at", Moment),
    Column("announced_at", Moment),
    Column("told_at", Moment),
    UniqueConstraint("tenant", "number"),
    Index(None, "tenant", "state"),
)

# A process of a channel, as it last said of itself. ``state``: connected, degraded or stopped; ``reason`` is a code.
channel_processes = Table(
    "channel_processes",
    metadata,
    Column("channel", String(16), primary_key=True),
    Column("process", String(120), primary_key=True),
    Column("state", String(16), nullable=False),
    Column("reason", String(64), nullable=False),
    Column("since", Moment, nullable=False),
    Column("seen_at", Moment, nullable=False),
)
