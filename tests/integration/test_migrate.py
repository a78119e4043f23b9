from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from sqlalchemy import Engine

from daybreak.warehouse.migrations import VERSION_OPTIONS
from daybreak.warehouse.tables import metadata


def test_migrations_give_what_the_tables_describe(warehouse: Engine) -> None:
    with warehouse.connect() as connection:
        context = MigrationContext.configure(
            connection,
            opts={
                "include_schemas": True,
                **VERSION_OPTIONS,
                "compare_server_default": True,
            },
        )
        assert compare_metadata(context, metadata) == []
