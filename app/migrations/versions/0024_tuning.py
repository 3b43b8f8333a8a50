"""Weights learned for a knowledge base."""

import sqlalchemy as sa
from alembic import op

revision = "0024"
down_revision = "0023"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("knowledge_bases", sa.Column("tuning", sa.JSON(), nullable=True))


def downgrade() -> None:
    op.drop_column("knowledge_bases", "tuning")
