"""The last selling days of each series, side by side whatever days its store was closed."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, fields
from typing import Any

import numpy as np
from numpy.typing import NDArray

from daybreak.facts.panel import Panel

SELLING_DAYS = 56
RECENCY = np.where(np.arange(SELLING_DAYS) < SELLING_DAYS - 28, 0.5, 1.0)
"""What each of them counts in the level."""
LOOKBACK = 168
"""Calendar days within which the selling days are looked for first."""
MEMORY = 420
"""Calendar days of history that any feature sees. A longer panel gives the same values."""
SERIES_PER_CHUNK = 256
"""Matrices of so many series and 420 days stay within a processor's cache."""
LEAST_CLOSURE = 14
"""Selling days. What is out of stock for a week will be so again: those zeros count."""
SURE = 10
"""Of so many sales that are to be expected, chance leaves none once in 20,000 times."""
DOUBT = 4

Matrix = NDArray[np.float64]
Rows = slice | NDArray[np.int64]
"""Some series of a panel."""


def chunks(series: int) -> Iterator[slice]:
    """Rows at a time, so that memory does not grow with the number of series; at least one."""
    for first in range(0, max(series, 1), SERIES_PER_CHUNK):
        yield slice(first, min(first + SERIES_PER_CHUNK, series))


@dataclass(frozen=True)
class Recent:
    """Up to ``SELLING_DAYS`` selling days (`selling_days`), right-aligned; all (n, 56).

    ``units`` is 0 and ``known`` false where the series has fewer. ``weekday`` 0 is Monday. Of each
    series (n,): ``age``, the days since its first row, and ``ever_sold`` within ``MEMORY`` days.
    """

    units: Matrix
    known: NDArray[np.bool_]
    price: Matrix
    promotion: Matrix
    weekday: NDArray[np.int64]
    age: NDArray[np.int64]
    ever_sold: NDArray[np.bool_]

    @property
    def count(self) -> NDArray[np.int64]:
        """Known days of each series (n,)."""
        return np.asarray(self.known.sum(axis=1), np.int64)


def first_row(panel: Panel, origin: int, rows: Rows) -> NDArray[np.int64]:
    """Column of the first row within ``MEMORY`` days, (n,); ``origin + 1`` where there is none.

    A row of 0 units is an observation. Only the days before the first row say nothing.
    """
    return _first(~np.isnan(_memory(panel, origin, rows)), origin)


def first_sale(panel: Panel, origin: int, rows: Rows) -> NDArray[np.int64]:
    """The same of the first sale: rows of 0 before it give a level, but no shape of a year."""
    return _first(_memory(panel, origin, rows) > 0, origin)


def selling_days(
    panel: Panel, origin: int, rows: Rows, since: NDArray[np.int64], lookback: int
) -> NDArray[np.bool_]:
    """Open days from the column ``since`` (n,) on, of the last ``lookback``, without closures."""
    days = slice(max(0, origin + 1 - lookback), origin + 1)
    selling = panel.open[rows, days] & (np.arange(days.start, days.stop) >= since[:, None])
    return selling & ~_closures(selling, selling & (panel.units[rows, days] > 0))


def gather(panel: Panel, origin: int, rows: Rows = slice(None), lookback: int = LOOKBACK) -> Recent:
    """The selling days up to the column ``origin`` of the series in ``rows``.

    They are looked for within ``lookback`` days, and further back for a series that has fewer
    than ``SELLING_DAYS`` there: what was closed for months opens with the level that it had.
    """
    first = max(0, origin + 1 - lookback)
    days = np.arange(first, origin + 1)
    since = first_row(panel, origin, rows)
    selling = selling_days(panel, origin, rows, since, lookback)
    # 0 for the latest selling day, 1 for the one before ...
    back = selling[:, ::-1].cumsum(axis=1)[:, ::-1] - 1
    series, column = np.nonzero(selling & (back < SELLING_DAYS))
    place = (series, SELLING_DAYS - 1 - back[series, column])

    def aligned(values: NDArray[Any], dtype: type[Any] = np.float64) -> NDArray[Any]:
        out = np.zeros((len(selling), SELLING_DAYS), dtype)
        out[place] = values
        return out

    def seen(values: NDArray[np.float32]) -> NDArray[Any]:
        return aligned(values[rows, first : origin + 1][series, column])

    monday = panel.first_date.weekday()
    recent = Recent(
        units=seen(panel.units),
        known=aligned(np.ones(len(series), dtype=bool), np.bool_),
        price=seen(panel.price),
        promotion=seen(panel.promotion),
        weekday=aligned((days[column] * panel.step + monday) % 7, np.int64),
        age=origin + 1 - since,
        ever_sold=first_sale(panel, origin, rows) <= origin,
    )
    short = (recent.count < SELLING_DAYS) & (since < first)
    if lookback < MEMORY and short.any():
        further = gather(panel, origin, np.arange(len(panel))[rows][short], MEMORY)
        for field in fields(Recent):
            getattr(recent, field.name)[short] = getattr(further, field.name)
    return recent


def _memory(panel: Panel, origin: int, rows: Rows) -> NDArray[np.float32]:
    return panel.units[rows, max(0, origin + 1 - MEMORY) : origin + 1]


def _first(true: NDArray[np.bool_], origin: int) -> NDArray[np.int64]:
    """Column of the first true one of each row of a matrix whose last column is ``origin``."""
    return np.where(true.any(axis=1), origin + 1 - true.shape[1] + true.argmax(axis=1), origin + 1)


def _closures(selling: NDArray[np.bool_], sold: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """The days without a sale that are no demand of 0, both (n, days).

    A shop that is closed for weeks, or not yet there, may be written as rows of 0. Such a run of
    ``LEAST_CLOSURE`` or more is known by its end: had the series sold on as many days as it did
    since then, ``SURE`` sales were to be expected in it. The sale that ended the run is left out
    of that share, which begins with ``DOUBT`` days without one. A run that has not ended is demand
    of 0: it may never end.
    """
    never = np.int16(2 * MEMORY)
    day = selling.cumsum(axis=1, dtype=np.int16)  # number of the selling day, from 1
    sales = sold.cumsum(axis=1, dtype=np.int16)
    coming = np.where(sold, day, never)  # selling day of the next sale
    coming = np.minimum.accumulate(coming[:, ::-1], axis=1)[:, ::-1]
    run = coming - np.maximum.accumulate(np.where(sold, day, np.int16(0)), axis=1) - 1
    long = (run >= LEAST_CLOSURE) & (coming < never)
    series, column = np.nonzero(long)
    expected = run[long].astype(np.int32) * (sales[series, -1] - sales[long] - 1)
    long[series, column] = expected >= SURE * (day[series, -1] - coming[long] + DOUBT)
    return long


def around_each(values: Matrix, reach: int) -> Matrix:
    """Sum of the values within ``reach`` columns of each, (n, days)."""
    days = values.shape[1]
    padded = np.zeros((len(values), days + 2 * reach + 1))
    np.cumsum(values, axis=1, out=padded[:, reach + 1 : reach + 1 + days])
    padded[:, reach + 1 + days :] = padded[:, [reach + days]]
    return np.asarray(padded[:, 2 * reach + 1 :] - padded[:, :days])


def quantiles(values: Matrix, known: NDArray[np.bool_], levels: tuple[float, ...]) -> Matrix:
    """Linear-interpolated quantiles of the known values of each row, (n, len(levels)).

    0 where nothing is known. ``numpy.nanquantile`` gives the same, a hundred times slower.
    """
    count = known.sum(axis=1)
    ordered = np.sort(np.where(known, values, np.inf), axis=1)
    place = np.asarray(levels) * np.maximum(count - 1, 0)[:, None]
    lower = np.floor(place).astype(np.int64)
    upper = np.minimum(lower + 1, np.maximum(count - 1, 0)[:, None])
    low = np.take_along_axis(ordered, lower, axis=1)
    high = np.take_along_axis(ordered, upper, axis=1)
    with np.errstate(invalid="ignore"):  # inf - inf where nothing is known
        found = low + (high - low) * (place - lower)
    return np.where(count[:, None] > 0, found, 0.0)
