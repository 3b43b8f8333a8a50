"""How many vectors were deleted from where a knowledge base's vectors stand, and the removals that are forgotten."""

import sqlalchemy as sa
from alembic import op

revision = "0025"
down_revision = "0024"
branch_labels = None
depends_on = None


def upgrade() -> None:
    for name in ("dead", "removals_after"):
        op.add_column("knowledge_bases", sa.Column(name, sa.Integer(), nullable=False, server_default="0"))


def downgrade() -> None:
    for name in ("removals_after", "dead"):
        op.drop_column("knowledge_bases", name)
