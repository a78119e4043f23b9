"""The contents of a warehouse, for people and scripts."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Connection, Engine, text

from daybreak.errors import ConfigError
from daybreak.warehouse.engine import connect
from daybreak.warehouse.migrate import check_current, current_revision, head_revision
from daybreak.warehouse.model_tables import NOTHING, ModelRelations

_SIZES = text(
    """
    SELECT namespace.nspname || '.' || relation.relname AS name,
        -- A table without partitions is not in the tree of its own partitions.
        coalesce(
            (SELECT sum(pg_total_relation_size(relid)) FROM pg_partition_tree(relation.oid)),
            pg_total_relation_size(relation.oid)
        )::bigint AS bytes
    FROM pg_class AS relation
    JOIN pg_namespace AS namespace ON namespace.oid = relation.relnamespace
    WHERE namespace.nspname IN ('raw', 'feature', 'score', 'ops')
        AND relation.relkind IN ('r', 'p')
        AND NOT relation.relispartition
    ORDER BY name
    """
)


def warehouse_status(engine: Engine, relations: ModelRelations = NOTHING) -> dict[str, Any]:
    """JSON-ready: ``database``, ``revision``, ``needed``, ``current`` and ``problem``.

    Where the warehouse is current also ``bytes`` a table (partitions and indexes included),
    ``generations`` a state, and the rows of ``report.freshness``.
    """
    status: dict[str, Any] = {
        "database": engine.url.database,
        "revision": current_revision(engine),
        "needed": head_revision(),
        "current": True,
        "problem": None,
    }
    try:
        check_current(engine, relations)
    except ConfigError as error:
        return status | {"current": False, "problem": error.message}
    with connect(engine) as connection:
        return status | _contents(connection)


def _contents(connection: Connection) -> dict[str, Any]:
    states = text(
        "SELECT state, count(*) AS generations FROM ops.generation GROUP BY state ORDER BY state"
    )
    freshness = text("SELECT * FROM report.freshness ORDER BY model")
    return {
        "bytes": {row.name: row.bytes for row in connection.execute(_SIZES)},
        "generations": {row.state: row.generations for row in connection.execute(states)},
        "freshness": [
            {name: _as_json(value) for name, value in row.items()}
            for row in connection.execute(freshness).mappings()
        ],
    }


def _as_json(value: Any) -> Any:
    return value.isoformat() if hasattr(value, "isoformat") else value
