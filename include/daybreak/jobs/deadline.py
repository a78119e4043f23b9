"""What happens when a run's deadline passes: the miss is written down, and counted once.

Airflow imports this when it parses the DAGs, so everything heavy is imported inside. The
callback runs in the triggerer's event loop, where blocking calls go to a thread.
"""

from __future__ import annotations

import asyncio
from datetime import date, datetime
from typing import TYPE_CHECKING, Any

from daybreak.jobs.addresses import run_key

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from daybreak.runtime import Runtime


async def record_missed_deadline(
    model: str, context: dict[str, Any], runtime: Runtime | None = None
) -> str:
    """Callback of the deadline alert of a scoring DAG; returns what became of it, in words.

    Airflow 3.3.2 keeps the answer in a text column: anything else ends its triggerer.

    ``context["dag_run"]`` is Airflow's description of the run. The alert counts from the moment
    the run was queued, and so may come before the due time (a run that was started early, a zone
    whose clocks go forward on one night of the year); then this waits for the due time itself.
    """
    from daybreak.runtime import get_runtime

    runtime = runtime or get_runtime()
    dag_run = context["dag_run"]
    day, due = await asyncio.to_thread(_day_and_due, runtime, model, dag_run)
    await asyncio.sleep(max(0.0, (due - runtime.clock()).total_seconds()))
    missed = await asyncio.to_thread(_record, runtime, model, dag_run, day, due)
    return f"{model} of {day}: {'missed' if missed else 'no miss'}"


def _day_and_due(runtime: Runtime, model: str, dag_run: dict[str, Any]) -> tuple[date, datetime]:
    from daybreak.jobs.dates import resolve_business_date
    from daybreak.jobs.due import due_of
    from daybreak.run_types import BY_ASSET
    from daybreak.warehouse.engine import connect

    settings = runtime.settings
    with connect(runtime.engine) as conn:
        # Airflow does not give the asset events of a run here.
        events = (
            [_event_of(conn, model, dag_run)]
            if dag_run["run_type"] == BY_ASSET and dag_run["logical_date"] is None
            else []
        )
        day = resolve_business_date(
            logical_date=_moment(dag_run["logical_date"]),
            conf=dag_run["conf"],
            run_type=dag_run["run_type"],
            timezone=settings.timezone,
            run_at=settings.run_at,
            events=events,
        )
        return day, due_of(conn, settings, model, day)


def _event_of(conn: Connection, model: str, dag_run: dict[str, Any]) -> dict[str, Any]:
    """The business date of a run that an asset started.

    As its first look noted it; for a run that never looked, the newest day that its inputs have.
    """
    from sqlalchemy import func, select

    from daybreak.facts.days import newest_closed_day
    from daybreak.models import get_model
    from daybreak.warehouse.tables import published, run

    key = run_key(dag_run["dag_id"], dag_run["dag_run_id"])
    noted = conn.scalar(select(run.c.business_date).where(run.c.run_key == key))
    newest = select(func.max(published.c.business_date))
    inputs = [
        conn.scalar(newest.where(published.c.model == one.model)) for one in get_model(model).inputs
    ]
    days = [day for day in inputs or [newest_closed_day(conn)] if day is not None]
    day = noted or min(days, default=None)
    return {"business_date": day.isoformat() if day else None}


def _record(
    runtime: Runtime, model: str, dag_run: dict[str, Any], day: date, due: datetime
) -> bool:
    from daybreak.models import interval_of
    from daybreak.monitoring.sla import record_miss
    from daybreak.warehouse.engine import begin

    now = runtime.clock()
    with begin(runtime.engine) as conn:
        missed = record_miss(
            conn,
            run_key=run_key(dag_run["dag_id"], dag_run["dag_run_id"]),
            model=model,
            business_date=day,
            run_type=dag_run["run_type"],
            begun_at=_moment(dag_run["queued_at"]) or now,
            due=due,
            now=now,
            expected=interval_of(model, runtime.settings).includes(day),
        )
    if missed:
        runtime.metrics.incr(f"{model}.sla.deadline_missed")
    return missed


def _moment(value: datetime | str | None) -> datetime | None:
    return datetime.fromisoformat(value) if isinstance(value, str) else value
