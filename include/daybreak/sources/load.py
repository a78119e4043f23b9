"""Loading a data set: each file wholly or not at all, and the same bytes only once.

A business day is closed only when every file of every section that could be found was loaded, so
that a run never starts on half a day.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime
from typing import Any
from uuid import uuid4

from sqlalchemy import Connection, Engine, Row, func, insert, select, update

from daybreak.errors import ConfigError, DatasetError
from daybreak.sources.closing import close_days
from daybreak.sources.contract.section import Section
from daybreak.sources.contract.spec import DatasetSpec
from daybreak.sources.merging.knowledge import Knowledge
from daybreak.sources.merging.shared import Merge, quarantine_repeats
from daybreak.sources.merging.staging import create_staging, stage, write_quarantine
from daybreak.sources.parsing.transform import Transform
from daybreak.sources.reading.origins import Origin, origins
from daybreak.sources.reading.readers import Rows
from daybreak.sources.report import FileReport, LoadReport
from daybreak.sources.sections.kind import Declared
from daybreak.sources.sections.table import kind_of
from daybreak.types import Progress
from daybreak.warehouse.engine import begin
from daybreak.warehouse.locks import hold
from daybreak.warehouse.tables import calendar, load

WORK_MEMORY = "128MB"


def _quiet(_message: str) -> None:
    """Does nothing."""


@dataclass(frozen=True)
class _Run:
    """One call of ``load_dataset``."""

    spec: DatasetSpec
    knowledge: Knowledge
    through: date | None
    progress: Progress

    def reading(self, section: Section) -> str:
        """How a section reads its bytes: another date to stop at is another reading."""
        return section.reading() + (f":{self.through}" if self.through else "")


def load_dataset(
    engine: Engine,
    spec: DatasetSpec,
    *,
    now: datetime,
    progress: Progress = _quiet,
    through: date | None = None,
    s3_endpoint_url: str | None = None,
) -> LoadReport:
    """Load what is new of every section, then fill the calendar and close the days.

    ``through``: load facts of business dates up to it only, and plans known by its end (for
    simulations). ``now`` is the clock for corrections, never for first knowledge of a day.

    Raises ``DatasetError`` for a file that is refused; the files before it stay loaded, nothing
    of it is, and no day is closed. Another load of the same data set waits.
    """
    if now.tzinfo is None:
        raise ConfigError(
            f"The moment of the load, {now.isoformat()}, has no time zone.",
            remedy="Give an aware datetime, such as 2026-01-02T02:00:00+00:00.",
            field="now",
        )
    knowledge = Knowledge(now, spec.calendar.zone, spec.arrival_lag, spec.calendar.days)
    run = _Run(spec, knowledge, through, progress)
    found = [
        origin for section in spec.sections for origin in origins(spec, section, s3_endpoint_url)
    ]
    report = LoadReport(spec.name)
    with begin(engine) as conn:
        _wait_for_turn(conn, spec)
        for section in spec.sections:
            declared = Declared(now, spec.calendar.timezone)
            kind_of(section).declare(conn, section, declared)
    for origin in found:
        with begin(engine) as conn:
            _wait_for_turn(conn, spec)
            report.files.append(_load_origin(conn, run, origin))
    with begin(engine) as conn:
        _wait_for_turn(conn, spec)
        report.days_closed, report.last_closed = close_days(conn, spec, knowledge, through)
    if report.last_closed is not None:
        for section in spec.sections:
            with begin(engine) as conn:
                declared = Declared(now, spec.calendar.timezone)
                kind_of(section).follow(conn, section, declared, report.last_closed)
    return report


def _wait_for_turn(conn: Connection, spec: DatasetSpec) -> None:
    """Hold the data set's lock until the transaction ends."""
    hold(conn, f"daybreak.load.{spec.name}")
    others = select(load.c.dataset).where(load.c.dataset != spec.name).limit(1)
    if (other := conn.scalar(others)) is not None:
        raise DatasetError(
            f"This warehouse holds the data set {other!r}; {spec.name!r} would mix with it.",
            remedy=f"Set DAYBREAK_DATASET={spec.name}; give its file a name of its own, as the "
            "embedded database is called after it; or set DAYBREAK_WAREHOUSE_URL to another one.",
            dataset=spec.name,
        )
    known = conn.execute(select(calendar.c.business_date, calendar.c.days).limit(1)).first()
    if known and (known.days, spec.calendar.end_of(known.business_date)) != (
        spec.calendar.days,
        known.business_date,
    ):
        raise DatasetError(
            f"This warehouse holds {spec.name} by {_named(known)}, which `calendar.period` and "
            "`week_starts` contradict now.",
            remedy="Set them back, or load the data set into a warehouse of its own "
            "(DAYBREAK_WAREHOUSE_URL).",
            field="calendar.period",
            dataset=spec.name,
        )


def _named(known: Row[Any, Any]) -> str:
    return "days" if known.days == 1 else f"weeks that end on a {known.business_date:%A}"


def _load_origin(conn: Connection, run: _Run, origin: Origin) -> FileReport:
    section = origin.section
    with origin.open() as rows:
        if rows.known_digest and _is_loaded(conn, run, section, rows.known_digest):
            return _already(run, section, origin.uri, rows.known_digest)
        attempt = conn.begin_nested()
        file = _load_rows(conn, run, section, rows)
        if _is_loaded(conn, run, section, file.sha256):  # a query, known only when it was read
            attempt.rollback()
            return _already(run, section, origin.uri, file.sha256)
        conn.execute(
            update(load)
            .where(load.c.load_id == file.load_id)
            .values(
                sha256=file.sha256,
                rows_read=file.rows,
                rows_loaded=file.loaded + file.planned,
                rows_quarantined=file.quarantined,
                **_lines(file),
                rules=file.rules,
                first_date=file.first_date,
                last_date=file.last_date,
            )
        )
        attempt.commit()
        return file


def _lines(file: FileReport) -> dict[str, int | None]:
    counts = file.lines or {}
    return {
        "lines_read": counts.get("total"),
        "lines_blank": counts.get("blank"),
        "lines_merged": counts.get("merged"),
        "lines_bad": counts.get("bad"),
    }


def _load_rows(conn: Connection, run: _Run, section: Section, rows: Rows) -> FileReport:
    now = run.knowledge.now
    kind, through = kind_of(section), run.through
    last_date = kind.last_date(section, through) if through else None
    transform = Transform(section, run.spec.calendar, rows, now, last_date)
    conn.execute(select(func.set_config("work_mem", WORK_MEMORY, True)))  # this transaction
    load_id = _open_load(conn, run, section, rows.uri)
    staged = create_staging(conn, transform.canonical)
    for chunk in rows.chunks:
        clean = transform.apply(chunk)
        stage(conn, staged, clean)
        write_quarantine(conn, clean.bad, load_id, now)
        run.progress(f"{section.kind} · {rows.uri}: {transform.tally.rows:,} rows read")
    merge = Merge(
        conn, load_id, kind.table, run.knowledge, run.spec.calendar, transform.tally, through
    )
    if keys := kind.unique(section, staged.c.keys()):
        write_quarantine(conn, quarantine_repeats(merge, staged, keys), load_id, now)
    transform.finish()
    run.progress(f"{section.kind} · {rows.uri}: merging {transform.tally.kept:,} rows")
    merged = kind.merge(merge, section, staged)
    transform.finish()  # a merge may have found bad rows, too
    file = FileReport.of(section.kind, rows, transform.tally)
    file.load_id, file.loaded, file.planned = load_id, merged.loaded, merged.planned
    file.first_date, file.last_date = merged.first_date, merged.last_date
    return file


def _open_load(conn: Connection, run: _Run, section: Section, uri: str) -> int:
    statement = insert(load).values(
        dataset=run.spec.name,
        source=section.kind,
        uri=uri,
        sha256=f"reading {uuid4()}",  # the true one follows in the same transaction
        reading=run.reading(section),
        rows_read=0,
        rows_loaded=0,
        rows_quarantined=0,
        rules={},
        finished_at=run.knowledge.now,
    )
    return int(conn.execute(statement.returning(load.c.load_id)).scalar_one())


def _is_loaded(conn: Connection, run: _Run, section: Section, sha256: str) -> bool:
    query = select(load.c.load_id).where(
        load.c.dataset == run.spec.name,
        load.c.source == section.kind,
        load.c.sha256 == sha256,
        load.c.reading == run.reading(section),
    )
    return conn.scalar(query) is not None


def _already(run: _Run, section: Section, uri: str, sha256: str) -> FileReport:
    run.progress(f"{section.kind} · {uri}: already loaded, nothing to do")
    return FileReport(section.kind, uri, sha256, already_loaded=True)
