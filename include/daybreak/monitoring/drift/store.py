"""Histograms, figures and alarms in the warehouse. All in the caller's transaction."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict
from datetime import date, datetime, timedelta
from itertools import groupby
from typing import Any

import numpy as np
from sqlalchemy import Connection, TextClause, delete, insert, select, text
from sqlalchemy.dialects.postgresql import insert as upsert

from daybreak.histogram import Histogram, Name
from daybreak.ledger.states import Generation
from daybreak.monitoring.drift.alarms import Change, past_of
from daybreak.monitoring.drift.figures import WEEKS, Figure, Night, Past
from daybreak.monitoring.drift.limits import MOST_USUAL
from daybreak.warehouse.bulk import copy_in
from daybreak.warehouse.locks import hold
from daybreak.warehouse.tables import (
    asked_histogram,
    calendar,
    drift,
    drift_alarm,
    drift_histogram,
    generation,
    model_version,
    published,
)

OLDEST = timedelta(weeks=2 * WEEKS)
"""Of nights that a night is compared with: some may be missing."""

ONE_DAY = timedelta(days=1)

_EARLIER = text(
    """
    WITH night AS (
        SELECT pointer.business_date, pointer.generation_id
        FROM ops.published AS pointer
        WHERE pointer.model = :model AND pointer.business_date < :day
            AND pointer.business_date >= :oldest
            AND extract(isodow FROM pointer.business_date) = extract(isodow FROM :day)
            AND EXISTS (
                SELECT FROM ops.drift_histogram AS kept
                WHERE kept.generation_id = pointer.generation_id
            )
        ORDER BY pointer.business_date DESC
        LIMIT :weeks
    )
    SELECT night.business_date, kept.kind, kept.name, kept.bins, kept.counts
    FROM night
    JOIN ops.drift_histogram AS kept USING (generation_id)
    WHERE kept.kind <> 'row'  -- nights are not compared by these
    ORDER BY night.business_date DESC
    """
)

_HOLIDAYS = text(
    """
    SELECT pointer.business_date, kept.kind, kept.name, kept.bins, kept.counts
    FROM ops.published AS pointer
    JOIN ops.drift_histogram AS kept USING (generation_id)
    JOIN raw.calendar AS calendar USING (business_date)
    WHERE pointer.model = :model AND pointer.business_date < :day
        AND pointer.business_date >= :oldest AND calendar.holiday IS NOT NULL
        AND kept.kind <> 'row'
    ORDER BY pointer.business_date
    """
)

_PAST = text(
    """
    WITH night AS (
        SELECT pointer.business_date, pointer.generation_id
        FROM ops.published AS pointer
        WHERE pointer.model = :model AND pointer.business_date < :day
            AND EXISTS (
                SELECT FROM ops.drift AS measured
                WHERE measured.generation_id = pointer.generation_id
            )
        ORDER BY pointer.business_date DESC
        LIMIT :nights
    )
    SELECT measured.kind, measured.name, measured.value, measured.value_earlier,
        measured.distance, measured.raise_at, measured.earlier_nights, measured.state,
        night.business_date
    FROM night
    JOIN ops.drift AS measured USING (generation_id)
    ORDER BY night.business_date
    """
)

_IN_ALARM = text(
    """
    SELECT kind, name
    FROM (
        SELECT DISTINCT ON (kind, name) kind, name, event
        FROM ops.drift_alarm
        WHERE model = :model AND business_date < :day
        ORDER BY kind, name, business_date DESC, alarm_id DESC
    ) AS newest
    WHERE event = 'raised'
    """
)


def take_turn(conn: Connection, model: str) -> None:
    """Nights of a model are measured one after the other: each looks at those before it."""
    hold(conn, f"drift {model}")


def manifest_of(conn: Connection, model: str, version: str) -> dict[str, Any]:
    """The manifest of a registered version, as the ledger has it."""
    query = select(model_version.c.manifest).where(
        model_version.c.model == model, model_version.c.version == version
    )
    found: dict[str, Any] = conn.scalars(query).one()
    return found


def write_histograms(
    conn: Connection, generation: Generation, histograms: Mapping[Name, Histogram], keep: int
) -> None:
    """Those of a generation, in place of what there was; of business dates before the ``keep``
    newest published ones they go, with what was asked about these."""
    table = drift_histogram
    conn.execute(delete(table).where(table.c.generation_id == generation.generation_id))
    packed = [(*name, *found.to_bytes()) for name, found in histograms.items()]
    columns = zip(*packed, strict=True)
    named = zip(("kind", "name", "bins", "counts"), columns, strict=True)
    generation_id = np.broadcast_to(np.int64(generation.generation_id), len(packed))
    objects = {name: _objects(values) for name, values in named}
    copy_in(conn, table, {"generation_id": generation_id, **objects})
    _forget(conn, generation.model, keep)


def _forget(conn: Connection, model: str, keep: int) -> None:
    p, g = published.c, generation.c
    newest = select(p.business_date).where(p.model == model).order_by(p.business_date.desc())
    oldest = newest.offset(keep - 1).limit(1).scalar_subquery()
    for table in (drift_histogram, asked_histogram):
        of_model = (table.c.generation_id == g.generation_id, g.model == model)
        conn.execute(delete(table).where(*of_model, g.business_date < oldest))


def earlier_nights(conn: Connection, model: str, day: date) -> list[Night]:
    """The newest nights of the weekday of ``day`` before it, ``WEEKS`` at most, without values."""
    asked = {"model": model, "day": day, "oldest": day - OLDEST, "weeks": WEEKS}
    return _nights(conn, _EARLIER, asked)


def holiday_nights(conn: Connection, model: str, day: date) -> list[Night]:
    """Nights of public holidays in the ``WEEKS`` weeks before ``day``, without values."""
    return _nights(
        conn, _HOLIDAYS, {"model": model, "day": day, "oldest": day - timedelta(weeks=WEEKS)}
    )


def is_beside_holiday(conn: Connection, day: date) -> bool:
    """Whether the day before or after is a public holiday."""
    query = select(calendar.c.business_date).where(
        calendar.c.business_date.in_((day - ONE_DAY, day + ONE_DAY)),
        calendar.c.holiday.is_not(None),
    )
    return conn.execute(query.limit(1)).first() is not None


def _nights(conn: Connection, query: TextClause, asked: dict[str, Any]) -> list[Night]:
    found: dict[date, dict[Name, Histogram]] = defaultdict(dict)
    for row in conn.execute(query, asked):
        histogram = Histogram.from_bytes(row.bins, row.counts)
        found[row.business_date][Name(row.kind, row.name)] = histogram
    return [Night(0, histograms) for histograms in found.values()]


def read_past(conn: Connection, model: str, day: date) -> dict[Name, Past]:
    """What is known of each name before ``day``, by the nights that are published now."""
    asked = {"model": model, "day": day, "nights": MOST_USUAL}
    rows = conn.execute(_PAST, asked).all()
    nights = {night: list(of_day) for night, of_day in groupby(rows, lambda r: r.business_date)}
    raised = conn.execute(_IN_ALARM, {"model": model, "day": day})
    return past_of(nights, {Name(row.kind, row.name) for row in raised}, day)


def write_figures(
    conn: Connection, generation: Generation, figures: Iterable[Figure], now: datetime
) -> None:
    """The rows of ``ops.drift`` of a generation, in place of what there was."""
    of = {
        "generation_id": generation.generation_id,
        "model": generation.model,
        "business_date": generation.business_date,
        "measured_at": now,
    }
    conn.execute(delete(drift).where(drift.c.generation_id == generation.generation_id))
    rows = [asdict(figure) | {"state": figure.state.value} | of for figure in figures]
    if rows:
        conn.execute(insert(drift), rows)


def is_newest(conn: Connection, generation: Generation) -> bool:
    """Whether no later business date of the model is measured and published: a backfill of a day
    long past raises no alarm."""
    later = (
        select(drift.c.business_date)
        .join(published, published.c.generation_id == drift.c.generation_id)
        .where(drift.c.model == generation.model, drift.c.business_date > generation.business_date)
    )
    return conn.execute(later.limit(1)).first() is None


def write_alarms(
    conn: Connection, generation: Generation, changes: Iterable[Change], now: datetime
) -> list[Change]:
    """Append what was raised and cleared on a night; returns what was not written before."""
    new = []
    for change in changes:
        statement = upsert(drift_alarm).values(
            model=generation.model,
            business_date=generation.business_date,
            generation_id=generation.generation_id,
            kind=change.name.kind,
            name=change.name.name,
            event=change.event,
            distance=change.distance,
            raise_at=change.raise_at,
            recorded_at=now,
        )
        written = conn.execute(
            statement.on_conflict_do_nothing().returning(drift_alarm.c.alarm_id)
        ).first()
        if written is not None:
            new.append(change)
    return new


def _objects(values: Sequence[Any]) -> np.ndarray[Any, Any]:
    found = np.empty(len(values), object)
    found[:] = values
    return found
