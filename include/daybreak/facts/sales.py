"""Facts and plans as dense arrays, every read bounded on both clocks by ``AsOf``.

A row is visible when it was loaded within the cutoff; a sale also has to have happened by the
business date. Of several visible rows of the same day and series, the one loaded last holds as
a whole: a correction replaces, it does not add.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import date, timedelta
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import Connection

from daybreak.clock import AsOf
from daybreak.errors import NoData
from daybreak.facts.days import closed_moments, days_of_period
from daybreak.facts.names import numbered
from daybreak.facts.panel import LEAST_SLOTS, Panel
from daybreak.facts.pivot import Grid, carried_forward, latest, prefer
from daybreak.facts.plans import PLANNED, Cells, Plans, late_plans, lookup, whole_stores
from daybreak.facts.rows import (
    Bounds,
    Covariates,
    Series,
    extra,
    read_calendar,
    read_categories,
    read_covariates,
    read_rows,
    read_sold_before,
)
from daybreak.types import Float32
from daybreak.warehouse.packed import Rows
from daybreak.warehouse.tables import plan, sales

DAYS = 420
AHEAD = 28
MOST_SLOTS = 32
"""Covariates without a column of their own that are read at most."""


def read_panel(
    conn: Connection,
    as_of: AsOf,
    *,
    days: int = DAYS,
    ahead: int = AHEAD,
    stores: Sequence[str] | None = None,
    items: Sequence[str] | None = None,
    top_items: int | None = None,
    slots: int | None = None,
) -> Panel:
    """All series with a row of sales in the last ``days`` days, in bytewise order of their key.

    Columns are ``days`` periods (days, or weeks where the data set has them) up to the business
    date and ``ahead`` more. What is known ahead comes from the plan for the item, else from the
    plan for its whole store, else (in the past) from the sale itself. A day on which units were
    sold was open, whatever a plan said.
    ``top_items`` keeps the items that sold most units in these days, over all stores. ``slots``:
    how many covariates without a column of their own are read; default: all, up to ``MOST_SLOTS``.
    Raises ``NoData`` where nothing is visible.
    """
    business_date = as_of.business_date
    step = days_of_period(conn)
    first, last = (business_date + timedelta(days=step * periods) for periods in (1 - days, ahead))
    past = Bounds(as_of, first, business_date, stores, items, step)
    whole = Bounds(as_of, first, last, stores, items, step)

    found = read_covariates(conn, past, whole, MOST_SLOTS if slots is None else slots)
    covariates = found.names
    series, sold_rows = read_rows(conn, sales, past, covariates)
    if not series:
        raise no_sales(past)
    # The columns of the days ahead stay empty here.
    sold = latest((len(series), whole.periods), sold_rows.group, sold_rows.columns)
    planned = read_rows(conn, plan, whole, covariates)
    plans = Plans(
        series,
        _plan_grid(series, whole.periods, *planned),
        _plan_grid(whole_stores(series), whole.periods, *planned),
    )
    panel = compose(
        TimeAxis(past.first, days, *read_calendar(conn, whole), step),
        series,
        sold,
        plans,
        found,
        read_sold_before(conn, past),
        read_categories(conn, as_of),
        max(LEAST_SLOTS, len(found.names)) if slots is None else slots,
    )
    panel = replace(panel, known_from=late_plans(panel, planned, closed_moments(conn, past)))
    return panel if top_items is None else best_sellers(panel, top_items)


def no_sales(past: Bounds) -> NoData:
    """The error where no sale is visible."""
    cutoff = past.as_of.cutoff.isoformat()
    return NoData(
        f"No sales of {past.first} to {past.last} were known at {cutoff}.",
        remedy="Load the data set (`daybreak data load`), or choose a later business date.",
        business_date=past.as_of.business_date.isoformat(),
        cutoff=cutoff,
    )


def read_actuals(
    conn: Connection, as_of: AsOf, first: date, last: date, series: Sequence[Series]
) -> Float32:
    """Units of ``first`` to ``last``, float32 (n, periods), rows as in ``series``; 0 without a row.

    Raises ``ValueError`` where ``last`` is past the business date of ``as_of``.
    """
    if last > as_of.business_date:
        raise ValueError(f"actuals through {last} asked for as of {as_of.business_date}")
    stores = sorted({store for store, _ in series})
    items = sorted({name for _, name in series})
    bounds = Bounds(as_of, first, last, stores, items, days_of_period(conn))
    found, rows = read_rows(conn, sales, bounds, ())
    sold = latest((len(series), bounds.periods), lookup(found, series)[rows.group], rows.columns)
    return np.nan_to_num(sold.matrix("units"))


class TimeAxis(NamedTuple):
    """The columns of a panel: so many ``days`` of history from ``first`` on, and those ahead.

    ``step``: from one to the next, in days. ``business_open``, ``public_holiday``: of all columns,
    as in ``read_calendar``.
    """

    first: date
    days: int
    business_open: NDArray[np.bool_]
    public_holiday: NDArray[np.bool_]
    step: int = 1


def compose(  # noqa: PLR0917 - what was read, in the order in which it is
    columns: TimeAxis,
    series: Sequence[Series],
    sold: Cells,
    plans: Plans,
    covariates: Covariates,
    sold_before: Iterable[Series],
    categories: Mapping[str, str],
    slots: int = LEAST_SLOTS,
) -> Panel:
    """The panel of some series, from what was sold and planned of them."""
    days = columns.days
    planned = {name: plans.matrix(name) for name in PLANNED}

    def known(name: str) -> Float32:
        plan_of = planned[name] if name in planned else plans.matrix(name)
        return prefer(plan_of, sold.matrix(name))

    units = sold.matrix("units")
    # NaN != 0: open by default
    is_open = (known("open") != 0) & columns.business_open | (units > 0)
    units = np.where(np.isnan(units) | ~is_open, np.float32(0), units)[:, :days]
    before_first = np.arange(days) < sold.first_day()[:, None]
    before_first[_positions(sold_before, series)] = False
    units[before_first] = np.nan
    return Panel(
        store_ids=_objects(store for store, _ in series),
        item_ids=_objects(name for _, name in series),
        categories=_objects(categories.get(name, "") for _, name in series),
        first_date=columns.first,
        step=columns.step,
        units=units,
        price=carried_forward(known("price")),
        promotion=np.nan_to_num(known("promotion")),
        open=is_open,
        holiday=np.nan_to_num(known("holiday")),
        public_holiday=columns.public_holiday,
        business_open=columns.business_open,
        covariates={
            name: carried_forward(known(extra(name)))
            if name in covariates.sold
            else known(extra(name))
            for name in covariates.names
        },
        history_only=covariates.sold.intersection(covariates.names),
        left_out=covariates.left_out,
        slots=slots,
        planned=frozenset(name for name, values in planned.items() if not np.isnan(values).all()),
    )


def _plan_grid(wanted: Sequence[Series], days: int, planned: Sequence[Series], rows: Rows) -> Grid:
    return latest((len(wanted), days), lookup(planned, wanted)[rows.group], rows.columns)


def _positions(keys: Iterable[Series], series: Sequence[Series]) -> NDArray[np.int64]:
    found = lookup(list(keys), series)
    return found[found >= 0]


def best_sellers(panel: Panel, count: int) -> Panel:
    """The series of the items that sold most units, over all stores."""
    _, item_of = numbered(panel.item_ids)
    total = np.bincount(item_of, np.nansum(panel.units, axis=1, dtype=np.float64))
    best = np.argsort(-total, kind="stable")[:count]  # among equals the first by name
    return panel.of_series(np.isin(item_of, best))


def _objects(values: Iterable[str]) -> NDArray[np.object_]:
    return np.array(list(values), dtype=object)
