"""What the command line shows of past runs."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from typing import Any

from sqlalchemy import select

from daybreak.runtime import Runtime, get_runtime
from daybreak.warehouse.engine import connect
from daybreak.warehouse.tables import sla


def sla_rows(
    model: str | None = None, last: int = 14, runtime: Runtime | None = None
) -> list[dict[str, Any]]:
    """The ``last`` rows of ``ops.sla``, newest business date first, JSON-able."""
    runtime = runtime or get_runtime()
    query = select(sla).order_by(sla.c.business_date.desc(), sla.c.recorded_at.desc()).limit(last)
    if model:
        query = query.where(sla.c.model == model)
    with connect(runtime.engine) as conn:
        return [as_json(dict(row)) for row in conn.execute(query).mappings()]


def as_json(row: Mapping[str, Any]) -> dict[str, Any]:
    """A row with dates and moments as ISO 8601 text."""
    return {
        name: value.isoformat() if isinstance(value, date) else value for name, value in row.items()
    }
