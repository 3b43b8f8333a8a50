"""Where an answer came from, what that saved, and the cache's switch."""

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("turns", sa.Column("cached", sa.String(length=16), nullable=True))
    op.add_column("turns", sa.Column("saved_tokens", sa.Integer(), nullable=True))
    op.create_table(
        "cache_switches",
        sa.Column("tenant", sa.String(length=64), nullable=False),
        sa.Column("on", sa.Boolean(), nullable=False),
        sa.Column("changed_by", sa.String(length=120), nullable=True),
        sa.Column("changed_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["tenant"], ["tenants.id"], name=op.f("fk_cache_switches_tenant")),
        sa.PrimaryKeyConstraint("tenant", name=op.f("pk_cache_switches")),
    )
