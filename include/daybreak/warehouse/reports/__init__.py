"""The views of the schema ``report``, one ``.sql`` file each: the analysts' door.

Views are not part of the migrations' history. They are put in place as a whole after the last
revision, whenever their text differs from what the database holds; a hash of the text stands in
the schema's comment.
"""

from __future__ import annotations

import hashlib
from importlib.resources import files

from psycopg import sql
from sqlalchemy import Connection, text

from daybreak.warehouse.tables import READER_ROLE

VIEWS = (
    "version_gate",
    "forecast_vintages",
    "forecast",
    "forecast_actual",
    "forecast_accuracy",
    "recommendation_vintages",
    "recommendation",
    "recommendation_hits",
    "freshness",
    "sla_daily",
    "model_history",
)
"""In the order in which they build on one another."""

_WITH_THE_COLUMNS_OF = {
    "forecast": "forecast_vintages",
    "recommendation": "recommendation_vintages",
}
"""Views that select all of another one: their columns are described as there."""

_DESCRIBE_AS = """
DO $$
DECLARE
    described record;
BEGIN
    FOR described IN
        SELECT attname, col_description(attrelid, attnum) AS comment
        FROM pg_attribute
        WHERE attrelid = {source}::regclass AND attnum > 0
    LOOP
        EXECUTE format('COMMENT ON COLUMN report.%I.%I IS %L', {view}, described.attname,
                       described.comment);
    END LOOP;
END
$$
"""


def apply_views(connection: Connection) -> None:
    """Replace all views in the caller's transaction, unless they are as they should be."""
    if views_are_current(connection):
        return
    for view in reversed(VIEWS):
        _run(connection, sql.SQL("DROP VIEW IF EXISTS {}").format(sql.Identifier("report", view)))
    for view in VIEWS:
        # As the driver takes it: no bound values, so that no % or : in it means anything.
        connection.exec_driver_sql(_definition(view), execution_options={"no_parameters": True})
        if source := _WITH_THE_COLUMNS_OF.get(view):
            names = {"view": sql.Literal(view), "source": sql.Literal(f"report.{source}")}
            _run(connection, sql.SQL(_DESCRIBE_AS).format(**names))
    reader = sql.Identifier(READER_ROLE)
    _run(connection, sql.SQL("GRANT SELECT ON ALL TABLES IN SCHEMA report TO {}").format(reader))
    _run(connection, sql.SQL("COMMENT ON SCHEMA report IS {}").format(sql.Literal(_comment())))


def views_are_current(connection: Connection) -> bool:
    """Whether the views of the database are those of this version."""
    comment = connection.scalar(
        text("SELECT obj_description(to_regnamespace('report'), 'pg_namespace')")
    )
    return bool(comment == _comment())


def _definition(view: str) -> str:
    return (files(__name__) / f"{view}.sql").read_text()


def _comment() -> str:
    definitions = "".join(map(_definition, VIEWS))
    digest = hashlib.sha256(definitions.encode()).hexdigest()[:16]
    return f"What analysts may read (definition {digest})"


def _run(connection: Connection, statement: sql.Composed) -> None:
    connection.exec_driver_sql(statement.as_string(), execution_options={"no_parameters": True})
