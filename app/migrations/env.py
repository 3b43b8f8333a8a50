"""Alembic's entry: it is given an open connection and its transaction (see app/database.py)."""

from alembic import context

from knowledge.database import metadata

context.configure(
    target_metadata=metadata,
    connection=context.config.attributes["connection"],
    render_as_batch=True,  # SQLite can't alter most things in place
)
context.run_migrations()
