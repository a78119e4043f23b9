"""Series of a business date, some at a time: what ``sales.read_panel`` reads, in bounded memory."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import timedelta

from sqlalchemy import Connection

from daybreak.clock import AsOf
from daybreak.facts.days import days_of_period
from daybreak.facts.panel import LEAST_SLOTS, Panel
from daybreak.facts.plans import Plans, whole_stores
from daybreak.facts.rows import (
    Bounds,
    Series,
    read_calendar,
    read_categories,
    read_covariates,
    read_sold_before,
    read_sold_series,
)
from daybreak.facts.sales import (
    AHEAD,
    DAYS,
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
    last = as_of.business_date + timedelta(days=past.step * ahead)
    whole = Bounds(as_of, past.first, last, step=past.step)
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


def _past(conn: Connection, as_of: AsOf, days: int) -> Bounds:
    step = days_of_period(conn)
    first = as_of.business_date - timedelta(days=step * (days - 1))
    return Bounds(as_of, first, as_of.business_date, step=step)
