"""What live chunks state in figures, and what contradicts."""

import sqlalchemy as sa
from alembic import op

revision = "0014"
down_revision = "0013"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "facts",
        sa.Column("chunk_id", sa.String(length=40), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("tenant", sa.String(length=64), nullable=False),
        sa.Column("kb_id", sa.String(length=32), nullable=False),
        sa.Column("document_id", sa.String(length=32), nullable=False),
        sa.Column("measure", sa.String(length=60), nullable=False),
        sa.Column("value", sa.String(length=60), nullable=False),
        sa.Column("words", sa.JSON(), nullable=False),
        sa.Column("directed", sa.Boolean(), nullable=False),
        sa.Column("subject", sa.Text(), nullable=False),
        sa.Column("start", sa.Integer(), nullable=False),
        sa.Column("end", sa.Integer(), nullable=False),
        sa.Column("scope", sa.JSON(), nullable=False),
        sa.Column("above", sa.JSON(), nullable=False),
        sa.Column("beside", sa.JSON(), nullable=False),
        sa.ForeignKeyConstraint(["document_id"], ["documents.id"], name=op.f("fk_facts_document_id")),
        sa.ForeignKeyConstraint(["kb_id"], ["knowledge_bases.id"], name=op.f("fk_facts_kb_id")),
        sa.ForeignKeyConstraint(["tenant"], ["tenants.id"], name=op.f("fk_facts_tenant")),
        sa.PrimaryKeyConstraint("chunk_id", "number", name=op.f("pk_facts")),
    )
    op.create_index(op.f("ix_facts_document_id"), "facts", ["document_id"])
    op.create_index(op.f("ix_facts_kb_id"), "facts", ["kb_id"])
    op.create_table(
        "fact_handles",
        sa.Column("kb_id", sa.String(length=32), nullable=False),
        sa.Column("handle", sa.String(length=16), nullable=False),
        sa.Column("chunk_id", sa.String(length=40), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("document_id", sa.String(length=32), nullable=False),
        sa.PrimaryKeyConstraint("kb_id", "handle", "chunk_id", "number", name=op.f("pk_fact_handles")),
    )
    op.create_index(op.f("ix_fact_handles_chunk_id"), "fact_handles", ["chunk_id"])
    op.create_index(op.f("ix_fact_handles_document_id"), "fact_handles", ["document_id"])
    op.create_table(
        "conflicts",
        sa.Column("id", sa.String(length=32), nullable=False),
        sa.Column("tenant", sa.String(length=64), nullable=False),
        sa.Column("kb_id", sa.String(length=32), nullable=False),
        sa.Column("state", sa.String(length=16), nullable=False),
        sa.Column("subject", sa.Text(), nullable=False),
        sa.Column("measure", sa.String(length=60), nullable=False),
        *(column for side in ("left", "right") for column in _side(side)),
        sa.Column("found_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("closed_by", sa.String(length=120), nullable=True),
        sa.Column("closed_at", sa.DateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(["kb_id"], ["knowledge_bases.id"], name=op.f("fk_conflicts_kb_id")),
        sa.ForeignKeyConstraint(["tenant"], ["tenants.id"], name=op.f("fk_conflicts_tenant")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_conflicts")),
    )
    op.create_index(op.f("ix_conflicts_tenant_state"), "conflicts", ["tenant", "state"])
    for name in ("kb_id", "left_chunk", "right_chunk", "left_document", "right_document"):
        op.create_index(op.f(f"ix_conflicts_{name}"), "conflicts", [name])


def _side(side: str) -> list[sa.Column[object]]:
    return [
        sa.Column(f"{side}_document", sa.String(length=32), nullable=False),
        sa.Column(f"{side}_chunk", sa.String(length=40), nullable=False),
        sa.Column(f"{side}_start", sa.Integer(), nullable=False),
        sa.Column(f"{side}_end", sa.Integer(), nullable=False),
        sa.Column(f"{side}_value", sa.String(length=60), nullable=False),
    ]
