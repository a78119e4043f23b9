"""A warehouse to load into: creates the database where it is missing, and its tables."""

from __future__ import annotations

from daybreak.models import model_relations
from daybreak.runtime import Runtime, get_runtime
from daybreak.warehouse.databases import create_database
from daybreak.warehouse.engine import make_engine
from daybreak.warehouse.migrate import current_revision
from daybreak.warehouse.migrate import migrate as upgrade


def migrate(runtime: Runtime | None = None) -> tuple[str | None, str]:
    """Create the database where it is missing, and migrate its tables.

    Returns the revisions before and after. Raises ``ConfigError`` where the user may not.
    """
    runtime = runtime or get_runtime()
    dsn = runtime.settings.dsn_for("migrations")
    create_database(dsn)
    engine = make_engine(dsn)
    try:
        return current_revision(engine), upgrade(engine, relations=model_relations())
    finally:
        engine.dispose()


def make_warehouse(runtime: Runtime | None = None) -> bool:
    """Create and migrate a database that is not there; one that is there stays as it is.

    Returns whether it was created. An upgrade is a command of its own.
    """
    runtime = runtime or get_runtime()
    created = create_database(runtime.settings.dsn_for("migrations"))
    if created:
        migrate(runtime)
    return created
