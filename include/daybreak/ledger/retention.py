"""Deletes what nothing needs any more. Safe beside a run that publishes, and safe to kill.

Kept, whatever its age: what is published, what a rollback of it would return to, whatever is on
its way, and the snapshots that the endpoint may need. Rows of a generation or a snapshot go, its
line in ``ops`` stays with the moment, for the receipts that name it. A snapshot that went is made
again from the facts where its day is scored again.

Each month of a table is one transaction. It locks the month against writers, and the days that it
takes generations of against publishing and rollback.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from itertools import groupby
from typing import Any

import psycopg
from sqlalchemy import Connection, Engine, Table, delete, exists, select, text, update
from sqlalchemy.exc import DBAPIError

from daybreak.ledger.states import take_turn
from daybreak.warehouse.engine import begin, connect
from daybreak.warehouse.partitions import drop_partition, first_and_after, try_month
from daybreak.warehouse.tables import generation as generations
from daybreak.warehouse.tables import snapshot as snapshots
from daybreak.warehouse.tables import snapshot_context as contexts
from daybreak.warehouse.tables import snapshot_part as parts
from daybreak.warehouse.tables import snapshot_shard as shards

SETTLED = timedelta(days=2)
"""A snapshot as young, or of a day with a run as young, may be about to be used."""


@dataclass(frozen=True)
class Expired:
    """A generation or a snapshot whose rows nothing needs."""

    id: int
    model: str
    business_date: date
    rows: int | None


@dataclass(frozen=True)
class Windows:
    """``generations_before``: superseded and rolled-back generations that ended earlier go.

    ``snapshots_kept``: of how many published business dates of a model snapshots stay.
    """

    now: datetime
    generations_before: datetime
    snapshots_kept: int


_GENERATIONS = text(
    """
    SELECT generation_id AS id, model, business_date, rows
    FROM ops.generation AS old
    WHERE model = ANY (:models) AND state IN ('superseded', 'rolled_back')
        AND swept_at IS NULL AND ended_at < :before
        -- A rollback would return to the last one of its day that was published.
        AND (state = 'rolled_back' OR EXISTS (
            SELECT FROM ops.generation AS later
            WHERE later.model = old.model AND later.business_date = old.business_date
                AND later.state = 'superseded' AND later.swept_at IS NULL
                AND (later.published_at, later.generation_id)
                    > (old.published_at, old.generation_id)
        ))
    ORDER BY model, business_date, generation_id
    """
)

_SNAPSHOTS = text(
    """
    WITH since AS (
        SELECT model, min(business_date) AS day, count(*) AS days FROM (
            SELECT model, business_date,
                row_number() OVER (PARTITION BY model ORDER BY business_date DESC) AS place
            FROM ops.published
        ) AS ranked
        WHERE place <= :kept
        GROUP BY model
    )
    SELECT snapshot_id AS id, model, business_date, rows
    FROM ops.snapshot AS old
    WHERE model = ANY (:models) AND pruned_at IS NULL AND built_at < :settled
        AND NOT EXISTS (
            SELECT FROM ops.run LEFT JOIN ops.step USING (run_key)
            WHERE run.model = old.model AND run.business_date = old.business_date
                AND greatest(run.started_at, step.started_at) >= :settled
        )
        AND NOT EXISTS (
            SELECT FROM ops.generation
            WHERE generation.snapshot_id = old.snapshot_id
                AND generation.swept_at IS NULL AND generation.state <> 'rejected'
                AND generation.generation_id <> ALL (:without)
                AND (
                    generation.state NOT IN ('published', 'superseded', 'rolled_back')
                    -- The endpoint answers from the newest day, rollbacks lead to those before.
                    OR old.business_date >= coalesce(
                        (SELECT day FROM since WHERE since.model = old.model AND days = :kept),
                        old.business_date
                    )
                )
        )
    ORDER BY model, business_date, snapshot_id
    """
)


def expired_generations(
    conn: Connection, models: Iterable[str], windows: Windows
) -> tuple[Expired, ...]:
    """Superseded and rolled-back generations past their time, but those a rollback returns to."""
    found = conn.execute(
        _GENERATIONS, {"models": list(models), "before": windows.generations_before}
    )
    return tuple(Expired(**row) for row in found.mappings())


def expired_snapshots(
    conn: Connection, models: Iterable[str], windows: Windows, without: Iterable[int] = ()
) -> tuple[Expired, ...]:
    """Snapshots that no kept generation of a recent day was scored from.

    ``without``: generations to be taken for gone.
    """
    found = conn.execute(
        _SNAPSHOTS,
        {
            "models": list(models),
            "kept": windows.snapshots_kept,
            "settled": windows.now - SETTLED,
            "without": list(without),
        },
    )
    return tuple(Expired(**row) for row in found.mappings())


def prune_generations(
    engine: Engine, tables: Mapping[str, Table], windows: Windows
) -> tuple[Expired, ...]:
    """Delete the scores of ``expired_generations``; returns those that went.

    ``tables``: the score table of each model. Months that are being written to, or
    that a long query reads, wait for the next time.
    """
    with connect(engine) as conn:
        planned = expired_generations(conn, tables, windows)
    gone: list[Expired] = []
    for (model, month), group in _by_month(planned):
        with begin(engine) as conn:
            if not try_month(conn, tables[model], month):
                continue
            for day in sorted({one.business_date for one in group}):
                take_turn(conn, "day", model, day)
            ids = {one.id for one in group}
            still = [one for one in expired_generations(conn, [model], windows) if one.id in ids]
            if not still or not _remove(conn, tables[model], "generation_id", still):
                continue
            conn.execute(
                update(generations)
                .where(generations.c.generation_id.in_([one.id for one in still]))
                .values(swept_at=windows.now)
            )
        gone += still
    return tuple(gone)


def prune_snapshots(
    engine: Engine, tables: Mapping[str, Table], windows: Windows
) -> tuple[Expired, ...]:
    """Delete the rows and contexts of ``expired_snapshots``; returns those that went.

    ``tables``: the snapshot table of each model; the rest is as in ``prune_generations``.
    """
    with connect(engine) as conn:
        planned = expired_snapshots(conn, tables, windows)
    gone: list[Expired] = []
    for (model, month), group in _by_month(planned):
        with begin(engine) as conn:
            if not try_month(conn, tables[model], month):
                continue
            ids = {one.id for one in group}
            still = [one for one in expired_snapshots(conn, [model], windows) if one.id in ids]
            if not still or not _remove(conn, tables[model], "snapshot_id", still):
                continue
            names = [one.id for one in still]
            for table in (contexts, parts, shards):
                conn.execute(delete(table).where(table.c.snapshot_id.in_(names)))
            conn.execute(
                update(snapshots)
                .where(snapshots.c.snapshot_id.in_(names))
                .values(pruned_at=windows.now)
            )
        gone += still
    return tuple(gone)


def _remove(conn: Connection, table: Table, column: str, expired: list[Expired]) -> bool:
    """Delete rows, or drop the month where nothing else is in it. False where readers hold it."""
    first, after = first_and_after(expired[0].business_date)
    ids = [one.id for one in expired]
    in_month = (table.c.business_date >= first, table.c.business_date < after)
    if conn.scalar(select(exists().where(*in_month, table.c[column].not_in(ids)))):
        for one in expired:
            conn.execute(
                delete(table).where(
                    table.c.business_date == one.business_date, table.c[column] == one.id
                )
            )
        return True
    try:
        with conn.begin_nested():
            drop_partition(conn, table, first)
    except DBAPIError as error:
        if isinstance(error.orig, psycopg.errors.LockNotAvailable):
            return False
        raise
    return True


def _by_month(expired: Iterable[Expired]) -> list[tuple[tuple[str, date], list[Expired]]]:
    def month(one: Expired) -> tuple[str, date]:
        return one.model, one.business_date.replace(day=1)

    return [(key, list(group)) for key, group in groupby(sorted(expired, key=month), month)]


def as_json(expired: Iterable[Expired]) -> list[dict[str, Any]]:
    """JSON-ready, one object each."""
    return [
        {
            "id": one.id,
            "model": one.model,
            "business_date": one.business_date.isoformat(),
            "rows": one.rows,
        }
        for one in expired
    ]
