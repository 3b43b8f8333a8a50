"""Users with their accounts, and keys: secret ones are kept as a hash, publishable ones as they are."""

from sqlalchemy import JSON, Column, ForeignKey, Index, String, Table

from knowledge.database import Moment, metadata

api_keys = Table(
    "api_keys",
    metadata,
    Column("id", String(32), primary_key=True),
    Column("tenant", ForeignKey("tenants.id"), nullable=False),
    Column("name", String(120), nullable=False),
    Column("kind", String(16), nullable=False),
    Column("hash", String(64), nullable=False, unique=True),
    Column("hint", String(64), nullable=False),
    Column("scopes", JSON, nullable=False),
    Column("origins", JSON, nullable=False),
    Column("created_at", Moment, nullable=False),
    Column("revoked_at", Moment),
)

users = Table(
    "users",
    metadata,
    Column("id", String(32), primary_key=True),
    Column("tenant", ForeignKey("tenants.id"), nullable=False),
    Column("name", String(120), nullable=False),
    Column("role", String(16), nullable=False),
    Column("role_by", String(120)),  # who gave it; None: it follows the organisation
    Column("created_at", Moment, nullable=False),
    Index(None, "tenant", "role"),
)

# Who a user is in a channel: an organisation's id (DingTalk: corpId) and the account in it (staffId).
accounts = Table(
    "accounts",
    metadata,
    Column("channel", String(16), primary_key=True),
    Column("organisation", String(64), primary_key=True),
    Column("account", String(120), primary_key=True),
    Column("user_id", ForeignKey("users.id"), nullable=False),
    Column("seen_at", Moment, nullable=False),
    Index(None, "user_id"),
)
