"""Was a business day's forecast out in time: the arithmetic, and the rows of ``ops.sla``.

A run lands when its generation is published. It is counted as met or missed when the business
was waiting for it; a backfill, and a later re-run of a day that is published already, is
``not_counted``. The first landing of a run decides; publishing again does not rewrite it.
"""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from enum import StrEnum
from typing import Any

from sqlalchemy import Connection, func, select, update
from sqlalchemy.dialects.postgresql import insert

from daybreak.monitoring.metrics import Metrics
from daybreak.run_types import BY_ITSELF
from daybreak.warehouse.tables import generation, published, run, sla, step

LATE_REPAIR = timedelta(days=1)
"""A manual run begun within this time after the due time repairs a day; a later one replays it."""


class Status(StrEnum):
    """What ``ops.sla`` says of a run."""

    MET = "met"
    MISSED = "missed"
    NOT_COUNTED = "not_counted"


def slack_seconds(due: datetime, landed: datetime) -> float:
    """Seconds to spare; negative is late. Elapsed time, whatever zones the two are written in."""
    return (due.astimezone(UTC) - landed.astimezone(UTC)).total_seconds()


def status_of(due: datetime, landed: datetime, *, counted: bool) -> Status:
    """Met at the due moment itself, missed after it, ``not_counted`` where it was not expected."""
    if not counted:
        return Status.NOT_COUNTED
    return Status.MET if slack_seconds(due, landed) >= 0 else Status.MISSED


def is_counted(
    run_type: str,
    begun_at: datetime,
    due: datetime,
    *,
    landed_before: bool,
    expected: bool = True,
) -> bool:
    """Whether a run is held against the due time.

    A scheduled run always is, a backfill never, nor any run for a business date that its model is
    not scored on (``expected``). Any other (manual, asset_triggered, cli) is counted when it is the
    first to land the day: no counted run landed it before, and it began no later than
    ``LATE_REPAIR`` after the due time.
    """
    if not expected:
        return False
    if run_type == "scheduled":
        return True
    if run_type == "backfill":
        return False
    return not landed_before and begun_at < due + LATE_REPAIR


def record_landing(
    conn: Connection,
    *,
    run_key: str,
    generation_id: int,
    due: datetime,
    now: datetime,
    expected: bool = True,
) -> dict[str, Any]:
    """Write the row of a run whose generation is published; return it as a dict.

    ``expected``: whether the model is scored on that business date.

    A miss that the deadline recorded gets its landing and stays a miss. A row that has its
    landing already is returned as it is. Needs the rows of ``ops.run`` and ``ops.step``.
    """
    ran = conn.execute(select(run).where(run.c.run_key == run_key)).one()
    made = conn.execute(
        select(generation.c.published_at, generation.c.rows).where(
            generation.c.generation_id == generation_id
        )
    ).one()
    counted = is_counted(
        ran.run_type,
        ran.queued_at or ran.started_at,
        due,
        landed_before=_landed_before(conn, ran.model, ran.business_date, run_key),
        expected=expected,
    )
    parts = _parts(conn, run_key, ran.queued_at, ran.started_at)
    score_seconds = parts["score_seconds"]
    row = {
        "model": ran.model,
        "business_date": ran.business_date,
        "run_key": run_key,
        "run_type": ran.run_type,
        "generation_id": generation_id,
        "due_at": due,
        "landed_at": made.published_at,
        "slack_seconds": slack_seconds(due, made.published_at),
        "status": status_of(due, made.published_at, counted=counted).value,
        **parts,
        "rows": made.rows,
        "rows_per_second": made.rows / score_seconds if score_seconds else None,
        "recorded_at": now,
    }
    statement = insert(sla).values(row)
    kept = {"model", "business_date", "run_key", "status"}
    conn.execute(
        statement.on_conflict_do_update(
            index_elements=list(sla.primary_key),
            set_={name: statement.excluded[name] for name in row if name not in kept},
            where=sla.c.landed_at.is_(None),
        )
    )
    return _row(conn, run_key)


def record_miss(
    conn: Connection,
    *,
    run_key: str,
    model: str,
    business_date: date,
    run_type: str,
    begun_at: datetime,
    due: datetime,
    now: datetime,
    expected: bool = True,
) -> bool:
    """Write down that the due time passed with nothing published; returns whether it is a miss.

    No miss: a day that any run has published, a backfill, and a run that a person started and that
    was refused at its first look. Running it again changes nothing.
    """
    begun = conn.scalar(select(run.c.run_key).where(run.c.run_key == run_key)) is not None
    if run_type not in BY_ITSELF and not begun:
        return False
    out = conn.scalar(
        select(published.c.generation_id).where(
            published.c.model == model, published.c.business_date == business_date
        )
    )
    counted = is_counted(run_type, begun_at, due, landed_before=False, expected=expected)
    if out is not None or not counted:
        return False
    conn.execute(
        insert(sla)
        .values(
            model=model,
            business_date=business_date,
            run_key=run_key,
            run_type=run_type,
            due_at=due,
            status=Status.MISSED.value,
            recorded_at=now,
            deadline_fired_at=now,
        )
        .on_conflict_do_nothing()
    )
    # A landing that was recorded a moment ago stays; only the alarm is noted.
    conn.execute(
        update(sla)
        .where(sla.c.run_key == run_key, sla.c.deadline_fired_at.is_(None))
        .values(deadline_fired_at=now)
    )
    return True


def record_unproven(
    conn: Connection, *, run_key: str, due: datetime, now: datetime, expected: bool = True
) -> bool:
    """Write down that decisions of the day could not be proven; returns whether it is a miss.

    A backfill is none. Whenever the run lands, before or after, it stays a miss.
    """
    ran = conn.execute(select(run).where(run.c.run_key == run_key)).one()
    begun_at = ran.queued_at or ran.started_at
    if not is_counted(ran.run_type, begun_at, due, landed_before=False, expected=expected):
        return False
    statement = insert(sla).values(
        model=ran.model,
        business_date=ran.business_date,
        run_key=run_key,
        run_type=ran.run_type,
        due_at=due,
        status=Status.MISSED.value,
        recorded_at=now,
    )
    conn.execute(
        statement.on_conflict_do_update(
            index_elements=list(sla.primary_key), set_={"status": Status.MISSED.value}
        )
    )
    return True


def send_landing(metrics: Metrics, row: dict[str, Any]) -> None:
    """The row as statsd metrics. Gauges of freshness come from counted runs only."""
    model, status = row["model"], row["status"]
    metrics.incr(f"{model}.sla.{status}")
    for part in ("queue", "wait", "score", "publish"):
        if row[f"{part}_seconds"] is not None:
            metrics.timing(f"{model}.run.{part}", row[f"{part}_seconds"])
    metrics.gauge(f"{model}.rows", row["rows"])
    if row["rows_per_second"] is not None:
        metrics.gauge(f"{model}.rows_per_second", row["rows_per_second"])
    if status != Status.NOT_COUNTED:
        metrics.gauge(f"{model}.sla.slack_seconds", row["slack_seconds"])


def _parts(
    conn: Connection, run_key: str, queued_at: datetime | None, started_at: datetime
) -> dict[str, float | None]:
    """Where the time of a run went, in seconds of elapsed time, None where it is not known.

    queue: from the moment the run was due to start until its first step; wait: for the day to be
    closed; score: from the snapshot to the last shard; publish: from the audit to the pointer.
    """
    first = {}
    last = {}
    for name, begun, ended in conn.execute(
        select(step.c.step, func.min(step.c.started_at), func.max(step.c.ended_at))
        .where(step.c.run_key == run_key)
        .group_by(step.c.step)
    ):
        first[name], last[name] = begun, ended

    def between(begin: str, end: str) -> float | None:
        if begin not in first or end not in last:
            return None
        return float((last[end] - first[begin]).total_seconds())

    return {
        "queue_seconds": (started_at - queued_at).total_seconds() if queued_at else None,
        "wait_seconds": between("wait_for_inputs", "wait_for_inputs"),
        "score_seconds": between("plan_snapshot", "score_shard"),
        "publish_seconds": between("audit", "publish"),
    }


def _landed_before(conn: Connection, model: str, business_date: date, run_key: str) -> bool:
    return bool(
        conn.scalar(
            select(func.count())
            .select_from(sla)
            .where(
                sla.c.model == model,
                sla.c.business_date == business_date,
                sla.c.run_key != run_key,
                sla.c.status != Status.NOT_COUNTED.value,
                sla.c.landed_at.is_not(None),
            )
        )
    )


def _row(conn: Connection, run_key: str) -> dict[str, Any]:
    return dict(conn.execute(select(sla).where(sla.c.run_key == run_key)).mappings().one())
