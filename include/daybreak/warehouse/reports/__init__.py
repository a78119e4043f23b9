"""The views of the schema ``report``, which analysts read.

Here are those of the platform; models have their own. Views are not part of the migrations'
history. They are put in place as a whole after the last revision, whenever the text of one differs
from what the database holds; a list of the views with a hash of their text stands in the schema's
comment.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from psycopg import sql
from sqlalchemy import Connection, text

from daybreak.warehouse.reports.view import View, views_of
from daybreak.warehouse.tables import READER_ROLE

BEFORE = views_of(__name__, "version_gate", "basis")
"""Views of the platform that those of models may use."""

_PRICES = ("price_history", "price_low_30d", "price_was")

_DATA = ("day", "item", "load", "quarantine", "sales", "step", "period_report")

AFTER = views_of(
    __name__, "freshness", "sla_daily", "drift", "run", "canary", "model_history", *_PRICES, *_DATA
)

_LISTED = re.compile(r"(\w+) ([0-9a-f]{16})")

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


def report_views(of_models: Sequence[View] = ()) -> tuple[View, ...]:
    """All views, in the order in which they build on one another."""
    return (*BEFORE, *of_models, *AFTER)


def apply_views(connection: Connection, of_models: Sequence[View] = ()) -> None:
    """Replace all views in the caller's transaction, unless they are as they should be.

    Views of models that are not installed any more go with them.
    """
    if views_are_current(connection, of_models):
        return
    views = report_views(of_models)
    # Also what a release before the list put in place.
    names_in_order = dict.fromkeys([*_listed(connection), *(view.name for view in views)])
    for name in reversed(names_in_order):
        _run(connection, sql.SQL("DROP VIEW IF EXISTS {}").format(sql.Identifier("report", name)))
    for view in views:
        # As the driver takes it: no bound values, so that no % or : in it means anything.
        connection.exec_driver_sql(view.definition, execution_options={"no_parameters": True})
        if view.described_as:
            source = sql.Literal(f"report.{view.described_as}")
            names = {"view": sql.Literal(view.name), "source": source}
            _run(connection, sql.SQL(_DESCRIBE_AS).format(**names))
    reader = sql.Identifier(READER_ROLE)
    _run(connection, sql.SQL("GRANT SELECT ON ALL TABLES IN SCHEMA report TO {}").format(reader))
    listing = ", ".join(f"{view.name} {view.digest}" for view in views)
    comment = sql.Literal(f"What analysts may read: {listing}")
    _run(connection, sql.SQL("COMMENT ON SCHEMA report IS {}").format(comment))


def views_are_current(connection: Connection, of_models: Sequence[View] = ()) -> bool:
    """Whether the database has these views as they are in this version."""
    found = _listed(connection)
    return all(found.get(view.name) == view.digest for view in report_views(of_models))


def _listed(connection: Connection) -> dict[str, str]:
    """The views that were put in place, in order, each with the hash of its text."""
    comment = connection.scalar(
        text("SELECT obj_description(to_regnamespace('report'), 'pg_namespace')")
    )
    return dict(_LISTED.findall(comment or ""))


def _run(connection: Connection, statement: sql.Composed) -> None:
    connection.exec_driver_sql(statement.as_string(), execution_options={"no_parameters": True})
