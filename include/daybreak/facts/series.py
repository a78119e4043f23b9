"""Series of a business date, some at a time: what ``sales.read_panel`` reads, in bounded memory."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import timedelta
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import Connection

from daybreak.clock import AsOf
from daybreak.facts.days import closed_moments, days_of_period
from daybreak.facts.panel import BY_SERIES, LEAST_SLOTS, Panel
from daybreak.facts.plans import Plans, late_plans, whole_stores
from daybreak.facts.rows import (
    Bounds,
    Series,
    read_calendar,
    read_categories,
    read_covariates,
    read_rows,
    read_sold_before,
    read_sold_series,
)
from daybreak.facts.sales import (
    AHEAD,
    DAYS,
    MOST_SLOTS,
    TimeAxis,
    compose,
    no_sales,
)
from daybreak.facts.sheets import read_sheet
from daybreak.warehouse.tables import plan, sales

SERIES_AT_ONCE = 2_000


def read_series(conn: Connection, as_of: AsOf, *, days: int = DAYS) -> list[Series]:
    """The series of ``read_panel``, in bytewise order. Raises ``NoData`` where there are none."""
    past = _past(conn, as_of, days)
    found = read_sold_series(conn, past)
    if not found:
        raise no_sales(past)
    return found


def read_panels(
    conn: Connection,
    as_of: AsOf,
    series: Sequence[Series],
    *,
    days: int = DAYS,
    ahead: int = AHEAD,
    slots: int = LEAST_SLOTS,
    at_once: int = SERIES_AT_ONCE,
) -> Iterator[Panel]:
    """Panels of the rows that ``read_panel`` would have for ``series``, ``at_once`` rows each.

    ``series`` in bytewise order, each with a visible row; those between two of them are best all
    that there are. But for ``planned``, which says of its own series only which covariates come
    from plans, a panel is the rows of that of all series.
    """
    past = _past(conn, as_of, days)
    whole = _whole(past, ahead)
    found = read_covariates(conn, past, whole, slots)
    covariates = found.names
    columns = TimeAxis(past.first, days, *read_calendar(conn, whole), past.step)
    categories = read_categories(conn, as_of)
    for first in range(0, len(series), at_once):
        some = series[first : first + at_once]
        stores = whole_stores(some)
        yield compose(
            columns,
            some,
            read_sheet(conn, sales, past, covariates, some, whole.periods),
            Plans(
                some,
                read_sheet(conn, plan, whole, covariates, some, whole.periods),
                read_sheet(conn, plan, whole, covariates, stores, whole.periods),
            ),
            found,
            read_sold_before(conn, past, some),
            categories,
            slots,
        )


def read_all(
    conn: Connection,
    as_of: AsOf,
    *,
    days: int = DAYS,
    ahead: int = AHEAD,
    slots: int | None = None,
    at_once: int = SERIES_AT_ONCE,
) -> Panel:
    """The panel of ``read_panel`` of all series, in the memory of that panel and of some series.

    Raises ``NoData`` where nothing is visible.
    """
    series = read_series(conn, as_of, days=days)
    past = _past(conn, as_of, days)
    whole = _whole(past, ahead)
    if slots is None:
        names = read_covariates(conn, past, whole, MOST_SLOTS).names
        slots = max(LEAST_SLOTS, len(names))
    closed = closed_moments(conn, past)
    parts = read_panels(conn, as_of, series, days=days, ahead=ahead, slots=slots, at_once=at_once)
    joined: Panel | None = None
    for first, part in zip(range(0, len(series), at_once), parts, strict=True):
        stores, items = (sorted({*names}) for names in (part.store_ids, part.item_ids))
        narrow = replace(whole, stores=stores, items=items)
        planned = read_rows(conn, plan, narrow, part.covariates)
        joined = joined or _empty(part, len(series))
        rows = slice(first, first + len(part))
        for name in BY_SERIES:
            getattr(joined, name)[rows] = getattr(part, name)
        for name, values in part.covariates.items():
            joined.covariates[name][rows] = values
        for name, values in late_plans(part, planned, closed).items():
            if name not in joined.known_from:
                joined.known_from[name] = np.full(joined.price.shape, np.nan, np.float32)
            joined.known_from[name][rows] = values
        joined = replace(joined, planned=joined.planned | part.planned)
    if joined is None:
        raise no_sales(past)
    return joined


def _empty(like: Panel, series: int) -> Panel:
    """A panel of so many series, to be filled."""

    def room(values: NDArray[Any]) -> NDArray[Any]:
        return np.empty((series, *values.shape[1:]), values.dtype)

    arrays: dict[str, Any] = {name: room(getattr(like, name)) for name in BY_SERIES}
    covariates = {name: room(values) for name, values in like.covariates.items()}
    return replace(like, **arrays, covariates=covariates, known_from={})


def _whole(past: Bounds, ahead: int) -> Bounds:
    """What a read may see of plans: the past, and ``ahead`` periods more."""
    return replace(past, last=past.last + timedelta(days=past.step * ahead))


def _past(conn: Connection, as_of: AsOf, days: int) -> Bounds:
    step = days_of_period(conn)
    first = as_of.business_date - timedelta(days=step * (days - 1))
    return Bounds(as_of, first, as_of.business_date, step=step)
