"""Curated answers with other wordings, a time and a revision; turns answered with one; gaps that were closed."""

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None


def upgrade() -> None:
    moment = sa.DateTime(timezone=True)
    op.add_column("tenants", sa.Column("curated_revision", sa.Integer(), nullable=False, server_default="0"))
    op.add_column("curated_answers", sa.Column("variants", sa.JSON(), nullable=False, server_default="[]"))
    op.add_column("curated_answers", sa.Column("valid_from", moment, nullable=True))
    op.add_column("curated_answers", sa.Column("valid_until", moment, nullable=True))
    op.add_column("curated_answers", sa.Column("updated_by", sa.String(length=120), nullable=True))
    op.add_column("curated_answers", sa.Column("updated_at", moment, nullable=True))
    op.add_column("turns", sa.Column("curated", sa.String(length=32), nullable=True))
    op.add_column("gaps", sa.Column("vector", sa.Text(), nullable=True))
    op.add_column("gaps", sa.Column("embedded_by", sa.String(length=120), nullable=True))
    op.add_column("gaps", sa.Column("state", sa.String(length=16), nullable=False, server_default="open"))
    op.add_column("gaps", sa.Column("curated", sa.String(length=32), nullable=True))
    op.add_column("gaps", sa.Column("closed_by", sa.String(length=120), nullable=True))
    op.add_column("gaps", sa.Column("closed_at", moment, nullable=True))
