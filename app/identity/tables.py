"""Keys: secret ones are kept as a hash only; publishable ones are public by nature and kept as they are."""

from sqlalchemy import JSON, Column, ForeignKey, String, Table

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
