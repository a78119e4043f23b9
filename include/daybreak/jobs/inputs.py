"""Is the business day complete? Asked again and again by a run that waits for its inputs."""

from __future__ import annotations

from datetime import date, datetime, timedelta

from sqlalchemy import Connection, func, select

from daybreak.clock import scheduled_cutoff
from daybreak.errors import InputsLate
from daybreak.jobs.addresses import RunAddress, day_of, queued_at_of
from daybreak.monitoring.steps import begin_run, record_step
from daybreak.runtime import Runtime, get_runtime
from daybreak.settings import Settings
from daybreak.warehouse.engine import begin
from daybreak.warehouse.tables import day_closed

STEP = "wait_for_inputs"


def day_is_ready(
    run: RunAddress, waiting_since: str | None = None, runtime: Runtime | None = None
) -> bool:
    """Whether all facts of the run's business day are known.

    ``waiting_since`` (ISO 8601) is when this try of the run first asked; None: it does so now.
    Raises ``InputsLate`` once it has waited longer than the settings allow. Notes the run on the
    first call, and how long it waited on the last.
    """
    runtime = runtime or get_runtime()
    now = runtime.clock()
    since = datetime.fromisoformat(waiting_since) if waiting_since else now
    day = day_of(run)
    with begin(runtime.engine) as conn:
        begin_run(
            conn,
            run_key=run["run_key"],
            model=run["model"],
            business_date=day,
            run_type=run["run_type"],
            queued_at=queued_at_of(run),
            now=now,
        )
        if closed_at(conn, day) is not None:
            record_step(conn, run_key=run["run_key"], step=STEP, started_at=since, ended_at=now)
            ready = True
        else:
            ready = False
            newest = newest_closed_day(conn)
    if ready:
        runtime.metrics.timing(f"{run['model']}.{STEP}.duration", (now - since).total_seconds())
        runtime.metrics.incr(f"{run['model']}.{STEP}.succeeded")
        return True
    if now - since >= timedelta(minutes=runtime.settings.wait_limit_minutes):
        runtime.metrics.incr(f"{run['model']}.{STEP}.failed")
        raise _late(day, newest, now - since)
    return False


def knowledge_cutoff(
    conn: Connection, run: RunAddress, settings: Settings, now: datetime
) -> datetime:
    """The latest knowledge time that a run may use.

    ``as_was``: when the day's run was due to start, or when the day was closed where that came
    later. A replay months afterwards gets the same moment, and so what the first run knew. A run
    that starts earlier than it is due knows what is known now. ``latest``: now.
    Raises ``InputsLate`` where the day is not closed.
    """
    day = day_of(run)
    closed = closed_at(conn, day)
    if closed is None:
        raise _late(day, newest_closed_day(conn), None)
    if run["knowledge"] == "latest":
        return now
    return min(now, max(scheduled_cutoff(day, settings.run_at, settings.timezone), closed))


def closed_at(conn: Connection, day: date) -> datetime | None:
    """When all facts of ``day`` were known (UTC); None where they are not yet."""
    return conn.scalar(select(day_closed.c.closed_at).where(day_closed.c.business_date == day))


def newest_closed_day(conn: Connection, through: date | None = None) -> date | None:
    """The latest business date (not after ``through``) that is closed; None where none is."""
    query = select(func.max(day_closed.c.business_date))
    if through is not None:
        query = query.where(day_closed.c.business_date <= through)
    newest: date | None = conn.scalar(query)
    return newest


def _late(day: date, newest: date | None, waited: timedelta | None) -> InputsLate:
    after = f" after a wait of {waited.total_seconds() / 60:.0f} minutes" if waited else ""
    known = f"the newest closed day is {newest}" if newest else "no day is closed yet"
    return InputsLate(
        f"Business day {day} is not closed{after}; {known}.",
        remedy="See that its files have arrived and run `daybreak ingest`, then run the day again "
        "(docs/runbook.md, «The forecast is late»).",
        business_date=day.isoformat(),
        newest_closed_day=newest.isoformat() if newest else None,
    )
