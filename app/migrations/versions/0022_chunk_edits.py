"""What people change of a document's chunks, kept with its versions."""

import sqlalchemy as sa
from alembic import op

revision = "0022"
down_revision = "0021"
branch_labels = None
depends_on = None


def upgrade() -> None:
    with op.batch_alter_table("document_versions") as batch_op:
        batch_op.add_column(sa.Column("edits", sa.JSON(none_as_null=True), nullable=True))
        batch_op.add_column(sa.Column("edit", sa.String(length=16), nullable=True))


def downgrade() -> None:
    with op.batch_alter_table("document_versions") as batch_op:
        batch_op.drop_column("edit")
        batch_op.drop_column("edits")
