"""Facts and plans as dense arrays, every read bounded on both clocks by ``AsOf``.

A row is visible when it was loaded within the cutoff; a sale also has to have happened by the
business date. Of several visible rows of the same day and series, the one loaded last holds as
a whole: a correction replaces, it does not add.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import date, timedelta
from typing import NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import Connection

from daybreak.clock import AsOf
from daybreak.errors import NoData
from daybreak.facts.days import days_of_period
from daybreak.facts.names import numbered
from daybreak.facts.panel import Panel
from daybreak.facts.pivot import NEVER, Grid, carried_forward, known_since, latest, prefer
from daybreak.facts.rows import (
    WHOLE_STORE,
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

_DAY = 86_400_000_000
"""In microseconds."""

DAYS = 420
AHEAD = 28
LEAST_SLOTS = 4
MOST_SLOTS = 32
"""Room for covariates without a column of their own: as many as there are, within these bounds."""


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
    date and ``ahead`` more. What is known
    ahead comes from the plan for the item, else from the plan for its whole store, else (in the
    past) from the sale itself. A day on which units were sold was open, whatever a plan said.
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
        Horizon(past.first, days, *read_calendar(conn, whole), step),
        series,
        sold,
        plans,
        found,
        read_sold_before(conn, past),
        read_categories(conn, as_of),
        max(LEAST_SLOTS, len(found.names)) if slots is None else slots,
    )
    panel = replace(panel, known_from=late_plans(panel, planned))
    return panel if top_items is None else _best_sellers(panel, top_items)


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


class Cells(Protocol):
    """Facts or plans as matrices [series x days], one row in force a cell at most."""

    def matrix(self, name: str) -> Float32:
        """A column, NaN in cells without a row, or with an unknown value."""
        ...

    def first_day(self) -> NDArray[np.int64]:
        """Day of the first row of each series; the number of days where it has none."""
        ...


class Plans:
    """Plans for items over plans for whole stores, as matrices in the order of the series."""

    def __init__(self, series: Sequence[Series], of_items: Cells, of_stores: Cells) -> None:
        self._store = numbered(_objects(store for store, _ in series))[1]
        self._of_items, self._of_stores = of_items, of_stores

    def matrix(self, name: str) -> Float32:
        """Float32 (n, days), NaN where nothing is planned."""
        of_items, of_stores = self._of_items.matrix(name), self._of_stores.matrix(name)
        if np.isnan(of_stores).all():  # the usual case, and each matrix is megabytes
            return of_items
        return prefer(of_items, of_stores[self._store])


class Horizon(NamedTuple):
    """The columns of a panel: so many ``days`` of history from ``first`` on, and those ahead.

    ``step``: from one to the next, in days.

    ``business_open``, ``public_holiday``: of all columns, as in ``read_calendar``.
    """

    first: date
    days: int
    business_open: NDArray[np.bool_]
    public_holiday: NDArray[np.bool_]
    step: int = 1


def compose(  # noqa: PLR0917 - what was read, in the order in which it is
    columns: Horizon,
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
    own = ("price", "promotion", "holiday", "open")
    planned = {name: plans.matrix(name) for name in own}

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


def late_plans(panel: Panel, planned: tuple[Sequence[Series], Rows]) -> dict[str, Float32]:
    """``Panel.known_from``, of the names of which some value was known less than ``ahead`` before.

    ``planned``: the visible plans (``read_rows``). One that is known from its own date on or later
    is a correction of the past: what was known before it may be anything, so it is taken as if it
    had been known all the time.
    """
    own = [name for name in ("price", "promotion", "holiday", "open") if name in panel.planned]
    extras = [extra(name) for name in panel.covariates if name not in panel.history_only]
    columns = planned[1].columns
    if not _late(columns["day"], _known_from(panel, columns["loaded_at"]), panel.ahead).any():
        return {}  # nearly always, and sorting all plans takes long
    found = {}
    series = list(zip(panel.store_ids.tolist(), panel.item_ids.tolist(), strict=True))
    stores = whole_stores(series)
    store_of = numbered(panel.store_ids)[1]
    periods = panel.days + panel.ahead
    for name in (*own, *extras):
        of_items = _since(series, periods, planned, name)
        of_stores = _since(stores, periods, planned, name)[store_of]
        known_from = _known_from(panel, np.where(of_items < NEVER, of_items, of_stores))
        late = _late(np.arange(periods), known_from, panel.ahead)
        if late[:, : panel.days].any():
            own_name = name.removeprefix(extra(""))
            found[own_name] = np.where(late, known_from, np.nan).astype(np.float32)
    return found


def _known_from(panel: Panel, since: NDArray[np.int64]) -> NDArray[np.float64]:
    """The first column whose run knew what became known then (microseconds since 1970).

    Plans become known at local midnights, from which UTC's is half a day away at most. The run for
    the day before has its cutoff after that midnight.
    """
    first = int(np.datetime64(panel.first_date, "us").astype(np.int64))
    day = np.floor((since - first) / _DAY + 0.5)
    return np.asarray(np.ceil((day - 1) / panel.step))


def _late(
    column: NDArray[np.int64], known_from: NDArray[np.float64], ahead: int
) -> NDArray[np.bool_]:
    """Whether a plan for ``column`` was known, but less than ``ahead`` columns before it."""
    return (column - known_from < ahead) & (known_from < column)


def _since(
    wanted: Sequence[Series], periods: int, planned: tuple[Sequence[Series], Rows], name: str
) -> NDArray[np.int64]:
    keys, rows = planned
    of = lookup(keys, wanted)[rows.group]
    return known_since((len(wanted), periods), of, rows.columns, name)


def whole_stores(series: Sequence[Series]) -> list[Series]:
    """The keys of plans for the stores of some series, in bytewise order."""
    return [(store, WHOLE_STORE) for store in sorted({store for store, _ in series})]


def _plan_grid(wanted: Sequence[Series], days: int, planned: Sequence[Series], rows: Rows) -> Grid:
    return latest((len(wanted), days), lookup(planned, wanted)[rows.group], rows.columns)


def lookup(keys: Sequence[Series], series: Sequence[Series]) -> NDArray[np.int64]:
    """Position of each key in ``series``, int64 (len(keys),), -1 where it is not there."""
    position = {key: index for index, key in enumerate(series)}
    return np.array([position.get(key, -1) for key in keys], np.int64)


def _positions(keys: Iterable[Series], series: Sequence[Series]) -> NDArray[np.int64]:
    found = lookup(list(keys), series)
    return found[found >= 0]


def _best_sellers(panel: Panel, count: int) -> Panel:
    _, item_of = numbered(panel.item_ids)
    total = np.bincount(item_of, np.nansum(panel.units, axis=1, dtype=np.float64))
    best = np.argsort(-total, kind="stable")[:count]  # among equals the first by name
    return panel.of_series(np.isin(item_of, best))


def _objects(values: Iterable[str]) -> NDArray[np.object_]:
    return np.array(list(values), dtype=object)
