"""Embedding models: what a knowledge base moves to, vectors by model, and how a model was configured."""

import sqlalchemy as sa
from alembic import op

revision = "0015"
down_revision = "0014"
branch_labels = None
depends_on = None

_KEPT = "chunk_id, tenant, kb_id, document_id, fingerprint, written"
_COPY = f"""
INSERT INTO vectors ({_KEPT}, model)
SELECT {", ".join(f"old.{name}" for name in _KEPT.split(", "))}, knowledge_bases.embedding_model
FROM vectors_of_one_model AS old JOIN knowledge_bases ON knowledge_bases.id = old.kb_id
"""  # noqa: S608 (names of columns)


def upgrade() -> None:
    moment = sa.DateTime(timezone=True)
    op.add_column("knowledge_bases", sa.Column("next_model", sa.String(length=120), nullable=True))
    op.add_column("knowledge_bases", sa.Column("mover", sa.String(length=64), nullable=True))
    op.add_column("knowledge_bases", sa.Column("mover_until", moment, nullable=True))
    op.create_table(
        "embedding_models",
        sa.Column("id", sa.String(length=120), nullable=False),
        sa.Column("recipe", sa.JSON(), nullable=False),
        sa.Column("seen_at", moment, nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_embedding_models")),
    )
    op.create_table(
        "retired_collections",
        sa.Column("kb_id", sa.String(length=32), nullable=False),
        sa.Column("model", sa.String(length=120), nullable=False),
        sa.Column("tenant", sa.String(length=64), nullable=False),
        sa.Column("retired_at", moment, nullable=False),
        sa.ForeignKeyConstraint(["kb_id"], ["knowledge_bases.id"], name=op.f("fk_retired_collections_kb_id")),
        sa.ForeignKeyConstraint(["tenant"], ["tenants.id"], name=op.f("fk_retired_collections_tenant")),
        sa.PrimaryKeyConstraint("kb_id", "model", name=op.f("pk_retired_collections")),
    )
    _vectors_by_model()


def _vectors_by_model() -> None:
    """SQLite changes no primary key, so the rows are copied; the names of what belongs to a table are free after it."""
    op.rename_table("vectors", "vectors_of_one_model")
    op.drop_index(op.f("ix_vectors_document_id"), table_name="vectors_of_one_model")
    if op.get_bind().dialect.name != "sqlite":
        op.drop_constraint("pk_vectors", "vectors_of_one_model", type_="primary")
    op.create_table(
        "vectors",
        sa.Column("chunk_id", sa.String(length=40), nullable=False),
        sa.Column("model", sa.String(length=120), nullable=False),
        sa.Column("tenant", sa.String(length=64), nullable=False),
        sa.Column("kb_id", sa.String(length=32), nullable=False),
        sa.Column("document_id", sa.String(length=32), nullable=False),
        sa.Column("fingerprint", sa.String(length=40), nullable=False),
        sa.Column("written", sa.Boolean(), nullable=False),
        sa.ForeignKeyConstraint(["document_id"], ["documents.id"], name=op.f("fk_vectors_document_id")),
        sa.ForeignKeyConstraint(["kb_id"], ["knowledge_bases.id"], name=op.f("fk_vectors_kb_id")),
        sa.ForeignKeyConstraint(["tenant"], ["tenants.id"], name=op.f("fk_vectors_tenant")),
        sa.PrimaryKeyConstraint("chunk_id", "model", name=op.f("pk_vectors")),
    )
    op.execute(_COPY)
    op.drop_table("vectors_of_one_model")
    op.create_index(op.f("ix_vectors_document_id"), "vectors", ["document_id"])
    op.create_index(op.f("ix_vectors_kb_id_model"), "vectors", ["kb_id", "model"])
