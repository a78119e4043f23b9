"""Migrate a database to the tables and views of this version of Daybreak."""

from __future__ import annotations

from importlib.resources import files

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from alembic.script.revision import RevisionError
from alembic.util import CommandError
from sqlalchemy import Connection, Engine, inspect, text

from daybreak.errors import ConfigError
from daybreak.warehouse import migrations
from daybreak.warehouse.engine import begin, connect
from daybreak.warehouse.locks import hold
from daybreak.warehouse.migrations import VERSION_OPTIONS, VERSION_SCHEMA
from daybreak.warehouse.model_tables import NOTHING, ModelRelations
from daybreak.warehouse.reports import apply_views, views_are_current
from daybreak.warehouse.roles import apply_privileges, create_roles

REMEDY = "Run `daybreak warehouse migrate`."


def migrate(engine: Engine, revision: str = "head", relations: ModelRelations = NOTHING) -> str:
    """Upgrade to ``revision`` in one transaction; put report views and privileges in place.

    ``relations``: tables and views of the models (``models.model_relations``). Tables that are
    missing after the last revision are created, others stay as they are.

    Returns the revision reached. Safe to run twice and from several processes at once: they
    wait for one another. Raises ``ConfigError`` where the database was migrated by a later
    version of Daybreak and where roles are missing that this user may not create,
    ``WarehouseUnavailable`` where it does not answer.
    """
    with begin(engine) as connection:
        hold(connection, "daybreak.migrate")
        create_roles(connection)
        _upgrade(connection, revision)
        reached = _revision_of(connection)
        if reached == head_revision():
            for table in relations.tables:
                table.create(connection, checkfirst=True)
            apply_views(connection, relations.views)
            apply_privileges(connection)
    return reached or ""


def current_revision(engine: Engine) -> str | None:
    """The revision that the database is at, or None before the first migration."""
    with connect(engine) as connection:
        return _revision_of(connection)


def head_revision() -> str:
    """The revision that this version of Daybreak works with."""
    return ScriptDirectory.from_config(_config()).get_current_head() or ""


def check_current(engine: Engine, relations: ModelRelations = NOTHING) -> None:
    """Raise ``ConfigError`` unless tables and report views are those of this version.

    ``relations``: as for ``migrate``; all of it has to be there.
    """
    head = head_revision()
    with connect(engine) as connection:
        current = _revision_of(connection)
        if current != head:
            raise ConfigError(
                f"The warehouse is at revision {current or 'none'}, this version of Daybreak "
                f"needs {head}.",
                remedy=REMEDY,
                current=current,
                needed=head,
            )
        present = inspect(connection)
        missing = [
            str(t) for t in relations.tables if not present.has_table(t.name, schema=t.schema)
        ]
        if missing:
            raise ConfigError(
                f"The warehouse lacks {', '.join(missing)}, which a model keeps its rows in.",
                remedy=REMEDY,
                tables=missing,
            )
        if not views_are_current(connection, relations.views):
            raise ConfigError(
                "The report views of the warehouse are not those of this version of Daybreak.",
                remedy=REMEDY,
            )


def _config() -> Config:
    config = Config()
    config.set_main_option("script_location", str(files(migrations)))
    config.set_main_option("path_separator", "os")
    return config


def _upgrade(connection: Connection, revision: str) -> None:
    connection.execute(text(f"CREATE SCHEMA IF NOT EXISTS {VERSION_SCHEMA}"))
    config = _config()
    # migrations/env.py takes it from here, so that all happens in the caller's transaction.
    config.attributes["connection"] = connection
    try:
        command.upgrade(config, revision)
    except (CommandError, RevisionError) as error:
        raise ConfigError(
            f"The warehouse cannot be migrated to {revision}: {error}.",
            remedy="It was migrated by a later version of Daybreak; upgrade this one.",
        ) from error


def _revision_of(connection: Connection) -> str | None:
    context = MigrationContext.configure(connection, opts=VERSION_OPTIONS)
    return context.get_current_revision()
