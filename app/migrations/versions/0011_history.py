"""Who began a conversation, its summary, and when it was last used."""

import sqlalchemy as sa
from alembic import op

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None

_LAST = """
UPDATE conversations SET last_turn_at = COALESCE(
  (SELECT MAX(turns.created_at) FROM turns WHERE turns.conversation_id = conversations.id), created_at)
"""


def upgrade() -> None:
    op.add_column("conversations", sa.Column("requester", sa.String(length=120), nullable=True))
    op.add_column("conversations", sa.Column("summary", sa.Text(), nullable=True))
    op.add_column("conversations", sa.Column("summary_to", sa.String(length=32), nullable=True))
    # SQLite adds no column without a value for the rows that are there, and cannot take the default away again.
    last = sa.Column("last_turn_at", sa.DateTime(timezone=True), nullable=False, server_default="1970-01-01 00:00:00")
    op.add_column("conversations", last)
    op.execute(_LAST)
    if op.get_bind().dialect.name != "sqlite":
        op.alter_column("conversations", "last_turn_at", server_default=None)
    op.create_index(op.f("ix_conversations_tenant_last_turn_at"), "conversations", ["tenant", "last_turn_at"])
    op.create_index(op.f("ix_conversations_tenant_requester"), "conversations", ["tenant", "requester"])
    op.create_index(op.f("ix_channel_replies_turn_id"), "channel_replies", ["turn_id"])
