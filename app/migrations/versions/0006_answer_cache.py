"""Where an answer came from, the cache's switch, and what checking it has shown."""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"
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
    op.create_table(
        "cache_checks",
        sa.Column("turn_id", sa.String(length=32), nullable=False),
        sa.Column("tenant", sa.String(length=64), nullable=False),
        sa.Column("differs", sa.Boolean(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["tenant"], ["tenants.id"], name=op.f("fk_cache_checks_tenant")),
        sa.ForeignKeyConstraint(["turn_id"], ["turns.id"], name=op.f("fk_cache_checks_turn_id")),
        sa.PrimaryKeyConstraint("turn_id", name=op.f("pk_cache_checks")),
    )
    op.create_index(op.f("ix_cache_checks_tenant_created_at"), "cache_checks", ["tenant", "created_at"])
