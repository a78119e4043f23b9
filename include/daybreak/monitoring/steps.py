"""How long each step of a run took: a row in ``ops.step``, and a timing and a counter by statsd."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date, datetime

from sqlalchemy import Connection, Engine, Table
from sqlalchemy.dialects.postgresql import Insert, insert

from daybreak.monitoring.metrics import Metrics
from daybreak.warehouse.engine import begin
from daybreak.warehouse.tables import run as run_table
from daybreak.warehouse.tables import step as step_table

WHOLE = -1
"""The ``shard`` of a step that is not sharded."""


@dataclass
class Timed:
    """What a step reports while it runs."""

    rows: int | None = None


def begin_run(
    conn: Connection,
    *,
    run_key: str,
    model: str,
    business_date: date,
    run_type: str,
    queued_at: datetime | None,
    now: datetime,
    interval: str = "daily",
) -> None:
    """Note that a run has begun. Called again it keeps ``started_at`` and takes the new type:
    a backfill that reprocesses a scheduled run turns it into a backfill run.
    """
    statement = insert(run_table).values(
        run_key=run_key,
        model=model,
        business_date=business_date,
        run_type=run_type,
        queued_at=queued_at,
        started_at=now,
        interval=interval,
    )
    _upsert(conn, statement, run_table, change=("run_type",))


def record_step(
    conn: Connection,
    *,
    run_key: str,
    step: str,
    shard: int = WHOLE,
    started_at: datetime,
    ended_at: datetime,
    rows: int | None = None,
    processor_seconds: float | None = None,
) -> None:
    """Write the row of a finished step; the last try of a step is the one that stays."""
    statement = insert(step_table).values(
        run_key=run_key,
        step=step,
        shard=shard,
        started_at=started_at,
        ended_at=ended_at,
        rows=rows,
        processor_seconds=processor_seconds,
    )
    change = ("started_at", "ended_at", "rows", "processor_seconds")
    _upsert(conn, statement, step_table, change=change)


@contextmanager
def timed_step(
    engine: Engine,
    metrics: Metrics,
    clock: Callable[[], datetime],
    *,
    run_key: str,
    model: str,
    step: str,
    shard: int = WHOLE,
) -> Iterator[Timed]:
    """Time the block. It is recorded after its own transaction and only where it succeeds:
    a failed try leaves a counter and no row. Its processor seconds are those of the process, all
    threads together.
    """
    timed = Timed()
    processor = time.process_time()
    with measured(metrics, clock, f"{model}.{step}") as started_at:
        yield timed
        with begin(engine) as conn:
            record_step(
                conn,
                run_key=run_key,
                step=step,
                shard=shard,
                started_at=started_at,
                ended_at=clock(),
                rows=timed.rows,
                processor_seconds=time.process_time() - processor,
            )


@contextmanager
def measured(metrics: Metrics, clock: Callable[[], datetime], name: str) -> Iterator[datetime]:
    """Send ``<name>.duration`` and count ``<name>.succeeded`` or ``<name>.failed``.

    Yields the moment at which the block began.
    """
    started_at = clock()
    try:
        yield started_at
    except BaseException:
        metrics.incr(f"{name}.failed")
        raise
    metrics.timing(f"{name}.duration", (clock() - started_at).total_seconds())
    metrics.incr(f"{name}.succeeded")


def _upsert(conn: Connection, statement: Insert, table: Table, change: tuple[str, ...]) -> None:
    conn.execute(
        statement.on_conflict_do_update(
            index_elements=list(table.primary_key),
            set_={name: statement.excluded[name] for name in change},
        )
    )
