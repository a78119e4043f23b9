"""Alembic runs this file for every command; the connection comes from ``migrate.py``."""

from __future__ import annotations

from alembic import context

from daybreak.warehouse.migrations import VERSION_OPTIONS
from daybreak.warehouse.tables import metadata

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=metadata,
    **VERSION_OPTIONS,
)
with context.begin_transaction():
    context.run_migrations()
