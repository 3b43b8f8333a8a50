"""When documents are valid; the chunks of earlier versions, and who published them."""

import sqlalchemy as sa
from alembic import op

revision = "0013"
down_revision = "0011"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("documents", sa.Column("valid_from", sa.DateTime(timezone=True), nullable=True))
    op.add_column("documents", sa.Column("valid_until", sa.DateTime(timezone=True), nullable=True))
    op.add_column("documents", sa.Column("received_by", sa.String(length=120), nullable=True))
    op.add_column("documents", sa.Column("settles", sa.Boolean(), nullable=False, server_default=sa.false()))
    if op.get_bind().dialect.name != "sqlite":  # which cannot take the default away again
        op.alter_column("documents", "settles", server_default=None)
    op.create_index(op.f("ix_documents_kb_id_valid_from"), "documents", ["kb_id", "valid_from"])
    op.create_index(op.f("ix_documents_kb_id_valid_until"), "documents", ["kb_id", "valid_until"])
    op.add_column("document_versions", sa.Column("published_by", sa.String(length=120), nullable=True))
    op.add_column("document_versions", sa.Column("restored_from", sa.Integer(), nullable=True))
    op.add_column("document_versions", sa.Column("title", sa.String(length=500), nullable=True))
    op.add_column("document_versions", sa.Column("media_type", sa.String(length=120), nullable=True))
    op.add_column("document_versions", sa.Column("size", sa.Integer(), nullable=True))
    op.add_column("document_versions", sa.Column("message", sa.Text(), nullable=True))
    op.add_column("document_versions", sa.Column("pieces", sa.JSON(), nullable=True))
    op.create_table(
        "past_chunks",
        sa.Column("id", sa.String(length=40), nullable=False),
        sa.Column("fingerprint", sa.String(length=40), nullable=False),
        sa.Column("tenant", sa.String(length=64), nullable=False),
        sa.Column("kb_id", sa.String(length=32), nullable=False),
        sa.Column("document_id", sa.String(length=32), nullable=False),
        sa.Column("last_version", sa.Integer(), nullable=False),
        sa.Column("text", sa.Text(), nullable=False),
        sa.Column("heading", sa.Text(), nullable=False),
        sa.Column("indexed", sa.Text(), nullable=False),
        sa.Column("indexed_heading", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(["document_id"], ["documents.id"], name=op.f("fk_past_chunks_document_id")),
        sa.ForeignKeyConstraint(["kb_id"], ["knowledge_bases.id"], name=op.f("fk_past_chunks_kb_id")),
        sa.ForeignKeyConstraint(["tenant"], ["tenants.id"], name=op.f("fk_past_chunks_tenant")),
        sa.PrimaryKeyConstraint("id", "fingerprint", name=op.f("pk_past_chunks")),
    )
    op.create_index(op.f("ix_past_chunks_document_id_last_version"), "past_chunks", ["document_id", "last_version"])
    op.create_index(op.f("ix_past_chunks_kb_id"), "past_chunks", ["kb_id"])
