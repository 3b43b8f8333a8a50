"""How a knowledge base is cut into chunks, and how each of its documents and their versions was."""

import sqlalchemy as sa
from alembic import op

revision = "0021"
down_revision = "0019"
branch_labels = None
depends_on = None

CUT = ("documents", "document_versions")


def upgrade() -> None:
    op.add_column("knowledge_bases", sa.Column("chunking", sa.JSON(none_as_null=True), nullable=True))
    for table in CUT:
        op.add_column(table, sa.Column("cut", sa.String(length=40), nullable=True))


def downgrade() -> None:
    for table in CUT:
        op.drop_column(table, "cut")
    op.drop_column("knowledge_bases", "chunking")
