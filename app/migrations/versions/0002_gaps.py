"""Questions that could not be answered."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "gaps",
        sa.Column("turn_id", sa.String(length=32), nullable=False),
        sa.Column("tenant", sa.String(length=64), nullable=False),
        sa.Column("question", sa.Text(), nullable=False),
        sa.Column("knowledge_bases", sa.JSON(), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["tenant"], ["tenants.id"], name=op.f("fk_gaps_tenant")),
        sa.ForeignKeyConstraint(["turn_id"], ["turns.id"], name=op.f("fk_gaps_turn_id")),
        sa.PrimaryKeyConstraint("turn_id", name=op.f("pk_gaps")),
    )
    op.create_index(op.f("ix_gaps_tenant_created_at"), "gaps", ["tenant", "created_at"])
