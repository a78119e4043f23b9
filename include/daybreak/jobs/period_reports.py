"""Reports of models over periods: made, listed, fetched, and which are due."""

from __future__ import annotations

import logging
import shutil
import uuid
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import date, datetime
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, text

from daybreak.errors import InvalidRequest, PeriodOpen
from daybreak.models import get_model, model_names, schedules
from daybreak.models.base import AnyModel, Progress, logged, quiet
from daybreak.models.offered import carried, expect_carried
from daybreak.period import DAY, Period
from daybreak.reporting import kept
from daybreak.reporting.answers import answer
from daybreak.reporting.general import SECTIONS
from daybreak.reporting.kept import PAGE, Report
from daybreak.reporting.page import About, page
from daybreak.runtime import Runtime, get_runtime
from daybreak.warehouse.engine import connect, make_engine
from daybreak.warehouse.reports.reading import begin_reading
from daybreak.warehouse.reports.section import Section

logger = logging.getLogger(__name__)

MOST_NAMED = 7
"""Open days that an error names."""

_CLOSED = text(
    """
    SELECT business_date, days FROM report.day
    WHERE closed_at IS NOT NULL AND business_date BETWEEN :first AND CAST(:last AS date) + 6
    """
)
_NEWEST = text("SELECT max(business_date) FROM report.day WHERE closed_at IS NOT NULL")
_NIGHTS = text(
    """
    SELECT count(DISTINCT business_date) FROM report.run
    WHERE model = :model AND business_date BETWEEN :first AND :last AND outcome = 'published'
    """
)


def make_report(
    model: str, period: str, progress: Progress = quiet, runtime: Runtime | None = None
) -> Report:
    """Make the report of a model over ``2026-07-20``, ``2026-W30`` or ``2026-07``, and keep it.

    All numbers are read in one read-only transaction, as the reader. Reports of the period that
    were made before stay. Raises ``NotFound`` for a model that is not installed, ``NotCarried``,
    ``InvalidRequest`` for what is no period, ``PeriodOpen`` where not all of its days are closed,
    and what the registry's store raises.
    """
    runtime = runtime or get_runtime()
    asked, found = Period.parse(period), get_model(model)
    expect_carried(model, runtime.settings.dataset)
    with _reading(runtime) as conn:
        known_at = runtime.clock()
        values = {"model": model, "first": asked.first, "last": asked.last}
        values["step"] = _expect_closed(conn, asked)
        about = About(model, asked, known_at, conn.scalar(_NIGHTS, values) or 0)
        answers = answer(conn, sections_of(found), values, progress)
    progress("writing")
    said = {"model": model, "period": asked.name, "known_at": known_at.isoformat()}
    files = {
        f"{one.section.id}.parquet": one.as_parquet({**said, "section": one.section.id})
        for one in answers
    }
    files[PAGE] = page(about, answers).encode()
    made = kept.keep(runtime.registry, about, files)
    logger.info("The report of %s over %s lies at %s/%s", model, asked, made.uri, PAGE)
    return made


def sections_of(model: AnyModel) -> Sequence[Section]:
    """Those that it declares, and those of every model."""
    return (*model.sections, *SECTIONS)


def list_reports(
    model: str | None = None, period: str | None = None, runtime: Runtime | None = None
) -> list[Report]:
    """The reports that there are, those of the newest period first. Raises ``NotFound`` for a model
    that is not installed, ``InvalidRequest`` for what is no period."""
    runtime = runtime or get_runtime()
    named = [get_model(model).name] if model else list(model_names())
    with connect(runtime.engine) as conn:
        return kept.reports(conn, named, Period.parse(period).name if period else "")


def find_report(model: str, period: str, name: str = "", runtime: Runtime | None = None) -> Report:
    """A report; without a ``name`` the newest of its period. Raises ``NotFound``."""
    runtime = runtime or get_runtime()
    with connect(runtime.engine) as conn:
        return kept.find(conn, get_model(model).name, Period.parse(period).name, name)


def write_out(report: Report, folder: Path, runtime: Runtime | None = None) -> Path:
    """Copy the files of a report into a new folder of ``folder``, all of them or none.

    Returns the new folder, ``<model>-<period>-<name>``. Raises ``InvalidRequest`` where it cannot
    be made or is there already.
    """
    runtime = runtime or get_runtime()
    target = folder / f"{report.model}-{report.period}-{report.name}"
    part = folder / f".{target.name}.{uuid.uuid4().hex[:8]}.part"
    files = {file: kept.read(runtime.registry.store, report, file) for file in report.files}
    try:
        part.mkdir(parents=True)
        for file, data in files.items():
            (part / file).write_bytes(data)
        part.rename(target)
    except OSError as error:
        raise InvalidRequest(
            f"{target} cannot be written: {error.strerror}.",
            remedy="Name a folder that you may write to, and that does not hold the report yet.",
            field="out",
        ) from None
    finally:
        shutil.rmtree(part, ignore_errors=True)
    return target


def due(
    business_date: date | None,
    published: Sequence[tuple[str, date]] = (),
    *,
    model: str | None = None,
    period: str | None = None,
    runtime: Runtime | None = None,
) -> list[dict[str, str]]:
    """Which reports a run of the DAG makes: ``model`` and ``period`` of each, by name.

    What a person asks for is made, also again. Else those that are not there yet, of models that
    have published in the period: of days that were just ``published``, or where there are none of
    the last whole week up to ``business_date``. Raises what ``make_report`` raises of its names.
    """
    runtime = runtime or get_runtime()
    named = list(carried(schedules(), runtime.settings.dataset))
    if model is not None:
        expect_carried(get_model(model).name, runtime.settings.dataset)
        named = [model]
    if period is not None:
        asked = Period.parse(period)
        made = [one for one in named if model or _has(runtime, one, asked)]
        return [{"model": one, "period": asked.name} for one in made]
    wanted = [(one, Period.day(day)) for one, day in sorted(set(published)) if one in named]
    if not published and business_date is not None:
        wanted = [(one, Period.last_week(business_date)) for one in named]
    return [
        {"model": one, "period": span.name}
        for one, span in wanted
        if _has(runtime, one, span) and not list_reports(one, span.name, runtime)
    ]


def make_once(
    model: str,
    period: str,
    since: datetime | None,
    airflow_url: str | None = None,
    runtime: Runtime | None = None,
) -> dict[str, Any]:
    """The address of a report: of one that is known ``since`` then, or else of one made now.

    So a task that is tried again makes none twice. ``airflow_url``: where the page is. Raises what
    ``make_report`` raises.
    """
    runtime = runtime or get_runtime()
    there = list_reports(model, period, runtime)
    if since is not None and there and there[0].known_at >= since:
        return address_of(there[0], airflow_url)
    return address_of(make_report(model, period, logged, runtime), airflow_url)


def address_of(report: Report, airflow_url: str | None) -> dict[str, Any]:
    """What travels of a report between tasks and with its asset event, as JSON.

    ``page``: its address on the page: in Airflow where its address is known, else relative to the
    prediction service.
    """
    base = f"{airflow_url.rstrip('/')}/daybreak" if airflow_url else ""
    return {
        "model": report.model,
        "period": report.period,
        "name": report.name,
        "known_at": report.known_at.isoformat(),
        "nights": report.nights,
        "uri": report.uri,
        "page": f"{base}/ui/reports/{report.model}/{report.period}/{report.name}",
    }


def _has(runtime: Runtime, model: str, period: Period) -> bool:
    values = {"model": model, "first": period.first, "last": period.last}
    with connect(runtime.engine) as conn:
        return bool(conn.scalar(_NIGHTS, values))


@contextmanager
def _reading(runtime: Runtime) -> Iterator[Connection]:
    """One transaction in which nothing changes, with the rights of who reads reports."""
    engine = make_engine(runtime.settings.dsn_for("reports"))
    try:
        with connect(engine.execution_options(isolation_level="REPEATABLE READ")) as conn:
            begin_reading(conn)
            yield conn
    finally:
        engine.dispose()


def _expect_closed(conn: Connection, period: Period) -> int:
    """The days of a business date: 7 where the data set has weeks. Raises ``PeriodOpen``."""
    asked = {"first": period.first, "last": period.last}
    closed: list[tuple[date, int]] = [
        (row.business_date, row.days) for row in conn.execute(_CLOSED, asked)
    ]
    covered = {day - n * DAY for day, days in closed for n in range(days)}
    open_days = [day for day in period.days if day not in covered]
    if open_days:
        named = ", ".join(map(str, open_days[:MOST_NAMED]))
        more = len(open_days) - MOST_NAMED
        newest = conn.scalar(_NEWEST)
        raise PeriodOpen(
            f"{period} is not closed: {named}{f' and {more} more' if more > 0 else ''} "
            f"{'is' if len(open_days) == 1 else 'are'} open.",
            remedy=f"The newest closed day is {newest or 'none'}. `daybreak ingest` closes days "
            "once all their facts are loaded; then make the report.",
            period=period.name,
            open=[day.isoformat() for day in open_days],
        )
    return max(days for _, days in closed)
