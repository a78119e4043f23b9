"""The last selling days of each series, side by side whatever days its store was closed."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from daybreak.features.panel import Panel

SELLING_DAYS = 56
LOOKBACK = 168
"""Calendar days within which the selling days are looked for; a store may close for a season."""
MEMORY = 420
"""Calendar days of history that any feature sees. A longer panel gives the same values."""
SERIES_PER_CHUNK = 4096

Matrix = NDArray[np.float64]


def chunks(series: int) -> Iterator[slice]:
    """Rows at a time, so that memory does not grow with the number of series; at least one."""
    for first in range(0, max(series, 1), SERIES_PER_CHUNK):
        yield slice(first, min(first + SERIES_PER_CHUNK, series))


@dataclass(frozen=True)
class Recent:
    """Up to ``SELLING_DAYS`` open days since the first sale, right-aligned; all (n, 56).

    ``units`` is 0 and ``known`` false where the series has fewer. ``weekday`` 0 is Monday.
    """

    units: Matrix
    known: NDArray[np.bool_]
    price: Matrix
    promotion: Matrix
    weekday: NDArray[np.int64]
    age: NDArray[np.int64]

    @property
    def count(self) -> NDArray[np.int64]:
        """Known days of each series (n,)."""
        return np.asarray(self.known.sum(axis=1), np.int64)


def selling_since(panel: Panel, origin: int, rows: slice) -> NDArray[np.int64]:
    """Column of the first sale within ``MEMORY`` days, or ``origin + 1`` where there is none.

    Zeros before it say nothing of a series: it may not have been on sale yet.
    """
    first = max(0, origin + 1 - MEMORY)
    sold = panel.units[rows, first : origin + 1] > 0
    return np.where(sold.any(axis=1), first + sold.argmax(axis=1), origin + 1)


def gather(panel: Panel, origin: int, rows: slice = slice(None)) -> Recent:
    """The selling days up to the column ``origin`` of the series in ``rows``."""
    first = max(0, origin + 1 - LOOKBACK)
    days = np.arange(first, origin + 1)
    since = selling_since(panel, origin, rows)
    selling = panel.open[rows, first : origin + 1] & (days >= since[:, None])
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
    return Recent(
        units=seen(panel.units),
        known=aligned(np.ones(len(series), dtype=bool), np.bool_),
        price=seen(panel.price),
        promotion=seen(panel.promotion),
        weekday=aligned((days[column] + monday) % 7, np.int64),
        age=origin + 1 - since,
    )


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
