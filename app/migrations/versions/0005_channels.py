"""Users and their accounts, groups, what channels show and spend, handoffs, curated answers; retries of deliveries."""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "channel_calls",
        sa.Column("channel", sa.String(length=16), nullable=False),
        sa.Column("app", sa.String(length=64), nullable=False),
        sa.Column("day", sa.String(length=10), nullable=False),
        sa.Column("api", sa.String(length=40), nullable=False),
        sa.Column("calls", sa.Integer(), nullable=False),
        sa.Column("throttled", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("channel", "app", "day", "api", name=op.f("pk_channel_calls")),
    )
    op.create_table(
        "channel_groups",
        sa.Column("channel", sa.String(length=16), nullable=False),
        sa.Column("group_id", sa.String(length=128), nullable=False),
        sa.Column("tenant", sa.String(length=64), nullable=False),
        sa.Column("organisation", sa.String(length=64), nullable=False),
        sa.Column("title", sa.String(length=200), nullable=False),
        sa.Column("knowledge_bases", sa.JSON(), nullable=True),
        sa.Column("purpose", sa.String(length=16), nullable=False),
        sa.Column("changed_by", sa.String(length=120), nullable=True),
        sa.Column("changed_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["tenant"], ["tenants.id"], name=op.f("fk_channel_groups_tenant")),
        sa.PrimaryKeyConstraint("channel", "group_id", name=op.f("pk_channel_groups")),
    )
    op.create_index(op.f("ix_channel_groups_tenant_purpose"), "channel_groups", ["tenant", "purpose"], unique=False)
    op.create_table(
        "channel_replies",
        sa.Column("id", sa.String(length=32), nullable=False),
        sa.Column("tenant", sa.String(length=64), nullable=False),
        sa.Column("channel", sa.String(length=16), nullable=False),
        sa.Column("kind", sa.String(length=16), nullable=False),
        sa.Column("state", sa.String(length=16), nullable=False),
        sa.Column("place", sa.String(length=160), nullable=False),
        sa.Column("target", sa.JSON(), nullable=False),
        sa.Column("turn_id", sa.String(length=32), nullable=True),
        sa.Column("job_id", sa.String(length=32), nullable=True),
        sa.Column("card_id", sa.String(length=64), nullable=True),
        sa.Column("rung", sa.String(length=16), nullable=False),
        sa.Column("reason", sa.String(length=40), nullable=False),
        sa.Column("text", sa.Text(), nullable=True),
        sa.Column("calls", sa.Integer(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("closed_at", sa.DateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(["tenant"], ["tenants.id"], name=op.f("fk_channel_replies_tenant")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_channel_replies")),
    )
    op.create_index(op.f("ix_channel_replies_card_id"), "channel_replies", ["card_id"], unique=False)
    op.create_index(op.f("ix_channel_replies_channel_state"), "channel_replies", ["channel", "state"], unique=False)
    op.create_index(op.f("ix_channel_replies_place_state"), "channel_replies", ["place", "state"], unique=False)
    op.create_index(
        op.f("ix_channel_replies_tenant_created_at"), "channel_replies", ["tenant", "created_at"], unique=False
    )
    op.create_table(
        "curated_answers",
        sa.Column("id", sa.String(length=32), nullable=False),
        sa.Column("tenant", sa.String(length=64), nullable=False),
        sa.Column("state", sa.String(length=16), nullable=False),
        sa.Column("question", sa.Text(), nullable=False),
        sa.Column("answer", sa.Text(), nullable=False),
        sa.Column("knowledge_bases", sa.JSON(), nullable=True),
        sa.Column("source", sa.JSON(), nullable=False),
        sa.Column("created_by", sa.String(length=120), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["tenant"], ["tenants.id"], name=op.f("fk_curated_answers_tenant")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_curated_answers")),
    )
    op.create_index(op.f("ix_curated_answers_tenant_state"), "curated_answers", ["tenant", "state"], unique=False)
    op.create_table(
        "users",
        sa.Column("id", sa.String(length=32), nullable=False),
        sa.Column("tenant", sa.String(length=64), nullable=False),
        sa.Column("name", sa.String(length=120), nullable=False),
        sa.Column("role", sa.String(length=16), nullable=False),
        sa.Column("role_by", sa.String(length=120), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["tenant"], ["tenants.id"], name=op.f("fk_users_tenant")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_users")),
    )
    op.create_index(op.f("ix_users_tenant_role"), "users", ["tenant", "role"], unique=False)
    op.create_table(
        "accounts",
        sa.Column("channel", sa.String(length=16), nullable=False),
        sa.Column("organisation", sa.String(length=64), nullable=False),
        sa.Column("account", sa.String(length=120), nullable=False),
        sa.Column("user_id", sa.String(length=32), nullable=False),
        sa.Column("seen_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["user_id"], ["users.id"], name=op.f("fk_accounts_user_id")),
        sa.PrimaryKeyConstraint("channel", "organisation", "account", name=op.f("pk_accounts")),
    )
    op.create_index(op.f("ix_accounts_user_id"), "accounts", ["user_id"], unique=False)
    op.create_table(
        "channel_processes",
        sa.Column("channel", sa.String(length=16), nullable=False),
        sa.Column("process", sa.String(length=120), nullable=False),
        sa.Column("state", sa.String(length=16), nullable=False),
        sa.Column("reason", sa.String(length=64), nullable=False),
        sa.Column("since", sa.DateTime(timezone=True), nullable=False),
        sa.Column("seen_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("channel", "process", name=op.f("pk_channel_processes")),
    )
    op.create_table(
        "handoffs",
        sa.Column("id", sa.String(length=32), nullable=False),
        sa.Column("tenant", sa.String(length=64), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("channel", sa.String(length=16), nullable=False),
        sa.Column("turn_id", sa.String(length=32), nullable=False),
        sa.Column("state", sa.String(length=16), nullable=False),
        sa.Column("question", sa.Text(), nullable=False),
        sa.Column("answer", sa.Text(), nullable=False),
        sa.Column("evidence", sa.JSON(), nullable=False),
        sa.Column("knowledge_bases", sa.JSON(), nullable=True),
        sa.Column("asker", sa.String(length=120), nullable=True),
        sa.Column("target", sa.JSON(), nullable=False),
        sa.Column("reply", sa.Text(), nullable=True),
        sa.Column("replied_by", sa.String(length=120), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("replied_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("announced_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("told_at", sa.DateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(["tenant"], ["tenants.id"], name=op.f("fk_handoffs_tenant")),
        sa.ForeignKeyConstraint(["turn_id"], ["turns.id"], name=op.f("fk_handoffs_turn_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_handoffs")),
        sa.UniqueConstraint("tenant", "number", name=op.f("uq_handoffs_tenant_number")),
        sa.UniqueConstraint("turn_id", name=op.f("uq_handoffs_turn_id")),
    )
    op.create_index(op.f("ix_handoffs_tenant_state"), "handoffs", ["tenant", "state"], unique=False)
    op.add_column("deliveries", sa.Column("attempts", sa.Integer(), nullable=False, server_default="0"))
    op.add_column("deliveries", sa.Column("not_before", sa.DateTime(timezone=True), nullable=True))
    op.add_column("deliveries", sa.Column("owner", sa.String(length=120), nullable=True))
    op.add_column("deliveries", sa.Column("lease_until", sa.DateTime(timezone=True), nullable=True))
    op.add_column("deliveries", sa.Column("error_code", sa.String(length=64), nullable=True))
    op.add_column("deliveries", sa.Column("receipt", sa.JSON(), nullable=True))
    op.create_index(op.f("ix_jobs_kind_state_finished_at"), "jobs", ["kind", "state", "finished_at"], unique=False)
