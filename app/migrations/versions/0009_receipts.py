"""What answers leave for their receipts, found by age as old calls of models are; second looks at kept answers."""

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "receipts",
        sa.Column("turn_id", sa.String(length=32), nullable=False),
        sa.Column("tenant", sa.String(length=64), nullable=False),
        sa.Column("trail", sa.Text(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["tenant"], ["tenants.id"], name=op.f("fk_receipts_tenant")),
        sa.ForeignKeyConstraint(["turn_id"], ["turns.id"], name=op.f("fk_receipts_turn_id"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("turn_id", name=op.f("pk_receipts")),
    )
    op.create_index(op.f("ix_receipts_created_at"), "receipts", ["created_at"], unique=False)
    op.create_index(op.f("ix_model_calls_created_at"), "model_calls", ["created_at"], unique=False)
    op.create_table(
        "second_looks",
        sa.Column("turn_id", sa.String(length=32), nullable=False),
        sa.Column("tenant", sa.String(length=64), nullable=False),
        sa.Column("right", sa.Boolean(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["tenant"], ["tenants.id"], name=op.f("fk_second_looks_tenant")),
        sa.ForeignKeyConstraint(["turn_id"], ["turns.id"], name=op.f("fk_second_looks_turn_id"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("turn_id", name=op.f("pk_second_looks")),
    )
    op.create_index(op.f("ix_second_looks_tenant_created_at"), "second_looks", ["tenant", "created_at"], unique=False)
