"""How many pages of a document are read; versions by the time of their publication."""

import sqlalchemy as sa
from alembic import op

revision = "0023"
down_revision = "0022"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("documents", sa.Column("parts_done", sa.Integer(), nullable=True))
    op.add_column("documents", sa.Column("parts", sa.Integer(), nullable=True))
    op.create_index(op.f("ix_document_versions_tenant_published_at"), "document_versions", ["tenant", "published_at"])


def downgrade() -> None:
    op.drop_index(op.f("ix_document_versions_tenant_published_at"), "document_versions")
    op.drop_column("documents", "parts")
    op.drop_column("documents", "parts_done")
