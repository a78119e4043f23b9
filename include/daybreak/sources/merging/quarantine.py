"""Bad rows that were not loaded, and why."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Connection, select

from daybreak.warehouse.tables import load, quarantine


def quarantined(
    conn: Connection, *, load_id: int | None = None, limit: int = 100
) -> list[dict[str, Any]]:
    """The newest bad rows, or those of one load, each with the file it came from."""
    query = (
        select(quarantine, load.c.dataset, load.c.source, load.c.uri)
        .join(load, load.c.load_id == quarantine.c.load_id)
        .order_by(quarantine.c.load_id.desc(), quarantine.c.row_number)
        .limit(limit)
    )
    if load_id is not None:
        query = query.where(quarantine.c.load_id == load_id)
    return [dict(row) for row in conn.execute(query).mappings()]
