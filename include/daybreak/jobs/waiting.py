"""A run waits for its business day: one look, and when there is nothing to wait for.

The timetable's runs wait up to the limit, as the day may close at any minute. A run that a person
started is refused at once where waiting cannot help: a run that hangs for hours goes unnoticed.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from sqlalchemy import Connection, select

from daybreak.clock import local_moment
from daybreak.errors import DatasetError, InputsNotComing
from daybreak.facts.days import closed_at, first_closed_day, newest_closed_day
from daybreak.jobs.addresses import RunAddress, day_of, queued_at_of
from daybreak.jobs.inputs import (
    expect_end_of_period,
    inputs_late,
    own_cutoff,
    upstream_late,
    upstream_published,
)
from daybreak.models import get_model, interval_of
from daybreak.monitoring.steps import begin_run, record_step
from daybreak.run_types import BY_ASSET, FROM_THE_TIMETABLE
from daybreak.runtime import Runtime, get_runtime
from daybreak.warehouse.engine import begin, connect
from daybreak.warehouse.tables import generation, published

STEP = "wait_for_inputs"
log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Look:
    """What one look found: whether the day is closed, and a line for people."""

    ready: bool
    text: str


def maybe() -> bool:
    """Facts may come at any time: the answer where nothing is known."""
    return True


def look_for_inputs(
    run: RunAddress,
    waiting_since: str | None = None,
    on_its_way: Callable[[], bool] = maybe,
    runtime: Runtime | None = None,
) -> Look:
    """Look once whether all facts of the run's business day are known, and log what was found.

    ``waiting_since`` (ISO 8601) is when this try of the run first looked; None: it does so now.
    ``on_its_way`` says whether something loads facts now or will do so by itself. Notes the run on
    the first look, and how long it waited on the last.

    Raises ``InputsLate`` once the run has waited longer than the settings allow. Raises
    ``InputsNotComing``, and notes nothing, where the run is not the timetable's and its day is not
    over, or is not closed with nothing on its way; also for a day before the first closed one,
    unless the clock started the run.
    """
    runtime = runtime or get_runtime()
    now = runtime.clock()
    since = datetime.fromisoformat(waiting_since) if waiting_since else now
    give_up = since + timedelta(minutes=runtime.settings.wait_limit_minutes)
    day = day_of(run)
    # Asked first: an ingest that ends in between has closed the day.
    coming = run["run_type"] in FROM_THE_TIMETABLE or on_its_way()
    with begin(runtime.engine) as conn:
        closed = closed_at(conn, day)
        newest = newest_closed_day(conn)
        missing = "" if closed else _missing(conn, day, runtime)
        late = _late(conn, run, closed, runtime, now) if closed else []
        ready = closed is not None and not late
        if closed is None:
            expect_end_of_period(conn, day)
            _refuse_in_vain(conn, run, newest, None if coming else missing, runtime)
        begin_run(
            conn,
            run_key=run["run_key"],
            model=run["model"],
            business_date=day,
            run_type=run["run_type"],
            queued_at=queued_at_of(run),
            now=now,
            interval=str(interval_of(run["model"], runtime.settings)),
        )
        if ready:
            record_step(conn, run_key=run["run_key"], step=STEP, started_at=since, ended_at=now)
    if ready:
        runtime.metrics.timing(f"{run['model']}.{STEP}.duration", (now - since).total_seconds())
        runtime.metrics.incr(f"{run['model']}.{STEP}.succeeded")
        return _said(ready=True, text=f"Business day {day} is closed.")
    if now >= give_up:
        runtime.metrics.incr(f"{run['model']}.{STEP}.failed")
        raise (
            upstream_late(day, late, now - since) if late else inputs_late(day, newest, now - since)
        )
    if late:
        missing = f"{', '.join(late)} has not published it"
    return _said(
        ready=False,
        text=f"Waiting for business day {day}: {missing}; newest closed day: {newest or 'none'}; "
        f"gives up at {give_up:%Y-%m-%d %H:%M} UTC.",
    )


def needless(run: RunAddress, runtime: Runtime | None = None) -> str | None:
    """Why a run that an asset started has nothing to do; None where it has.

    Its model is not scored on that weekday; or it is scored as data land, and what landed are
    corrections of a day that another run has published.
    """
    runtime = runtime or get_runtime()
    if run["run_type"] != BY_ASSET:
        return None
    model, day = run["model"], day_of(run)
    interval = interval_of(model, runtime.settings)
    if not interval.includes(day):
        return f"{model} is scored {interval}, and business day {day} is a {day:%A}."
    if not interval.on_data or get_model(model).inputs:
        return None
    with connect(runtime.engine) as conn:
        by_run = conn.scalar(
            select(generation.c.run_key)
            .join(published, published.c.generation_id == generation.c.generation_id)
            .where(published.c.model == model, published.c.business_date == day)
        )
    if by_run in {None, run["run_key"]}:
        return None
    return f"Business day {day} is published already, and no later day is closed."


def _said(*, ready: bool, text: str) -> Look:
    log.info(text)
    return Look(ready, text)


def _late(
    conn: Connection, run: RunAddress, closed: datetime, runtime: Runtime, now: datetime
) -> list[str]:
    """The models upstream whose scores of the day are not out."""
    model, day = run["model"], day_of(run)
    own = own_cutoff(
        model, day, closed, settings=runtime.settings, now=now, knowledge=run["knowledge"]
    )
    published = upstream_published(conn, model, day, own)
    return [name for name, moment in published.items() if moment is None]


def _missing(conn: Connection, day: date, runtime: Runtime) -> str:
    """Why ``day`` is not closed, as far as the data set and its loads say."""
    # They read data sets, which takes a second to import, and most days are closed.
    from daybreak.jobs.ingest import dataset  # noqa: PLC0415
    from daybreak.sources.closing import awaited  # noqa: PLC0415

    try:
        spec = dataset(runtime)
    except DatasetError as error:  # the ingest reports it too
        return f"the data set cannot be read ({error.message})"
    lacking = awaited(conn, spec, day, runtime.clock())
    if not lacking:
        loaded = " and ".join(spec.closing)
        return f"its {loaded} are loaded, but the ingest that closes the day has not ended well"
    live = ", and it is not over for one that is live" if "streams" in lacking else ""
    return f"no file with its {' or '.join(lacking)} is loaded{live}"


def _refuse_in_vain(
    conn: Connection,
    run: RunAddress,
    newest: date | None,
    in_vain: str | None,
    runtime: Runtime,
) -> None:
    """Raise ``InputsNotComing`` where a wait for the open day of ``run`` would be in vain.

    ``in_vain``: what is missing and not on its way; None where it may come.
    """
    if run["run_type"] == "scheduled":
        return
    day, timezone = day_of(run), runtime.settings.timezone
    first = first_closed_day(conn)
    instead = (
        f"Start a run with Business date {newest}, the newest closed day"
        if newest
        else "Load data (`daybreak ingest`), as no day is closed yet"
    )
    over = local_moment(day + timedelta(days=1), time(0), timezone)
    if first is not None and day < first:
        raise InputsNotComing(
            f"There are no facts of business day {day}: the first closed day is {first}.",
            remedy=f"{instead}, or with another day from then on.",
            business_date=day.isoformat(),
        )
    if run["run_type"] in FROM_THE_TIMETABLE:
        return
    if runtime.clock() < over:
        ends = over.astimezone(ZoneInfo(timezone))
        raise InputsNotComing(
            f"Business day {day} is not over before {ends:%Y-%m-%d %H:%M} ({timezone}).",
            remedy=f"{instead}, or wait for that.",
            business_date=day.isoformat(),
        )
    if in_vain is not None:
        raise InputsNotComing(
            f"Business day {day} is not closed and nothing is on its way: {in_vain}, and no "
            "ingest runs or is scheduled.",
            remedy=f"{instead}, or run `ingest` (or unpause it) first.",
            business_date=day.isoformat(),
        )
