"""Alembic's entry: it is given an open connection and its transaction (see app/database.py)."""

from alembic import context

from app.database import target_metadata

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=target_metadata,
    render_as_batch=True,  # SQLite can't alter most things in place
)
context.run_migrations()
