"""Sums over the series of an item, a category, a store: what one series alone is too noisy for.

One large series decides none of them: `influence` bounds what a series counts in a sum.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterable
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from daybreak.facts.names import numbered
from daybreak.facts.panel import Panel
from daybreak.models.sales_forecast.features.profile import cells
from daybreak.models.sales_forecast.features.recent import MEMORY, Matrix, chunks, first_sale

YEAR = 364
"""Days back to the same weekday of last year."""
SEASON_REACH = 7
"""The season of a day is taken from this many days around it, a year ago."""
BEFORE = 28
MOST_SERIES = 10.0
"""In a sum over its group a series counts at most like this many of the middle one."""
MOST_OF_LEVEL = 10.0
"""In the sums of a year a day counts at most this many times the series' own mean, or one unit."""


@dataclass(frozen=True)
class Groups:
    """Which group each series belongs to: numbers from 0, int (n,), in order of the names."""

    item: NDArray[np.intp]
    category: NDArray[np.intp]
    store: NDArray[np.intp]
    shelf: NDArray[np.intp]  # store and category


class Names(NamedTuple):
    """Whose a series is, object (n,) each; the category is "" where nobody knows."""

    store: NDArray[np.object_]
    item: NDArray[np.object_]
    category: NDArray[np.object_]


def names_of(panel: Panel) -> Names:
    """The names of the series of a panel."""
    return Names(panel.store_ids, panel.item_ids, panel.categories)


def groups_of(names: Names) -> Groups:
    """Number the items, categories, stores and shelves of some series."""
    item, category, store = (
        numbered(column)[1] for column in (names.item, names.category, names.store)
    )
    shelf = np.unique(store * (category.max(initial=0) + 1) + category, return_inverse=True)[1]
    return Groups(item, category, store, shelf)


def total(group: NDArray[np.intp], values: Matrix) -> Matrix:
    """Sum of ``values`` (n,) over each group, given back to each of its series."""
    return np.asarray(np.bincount(group, values)[group], np.float64)


def middle(group: NDArray[np.intp], values: Matrix) -> Matrix:
    """Lower median of the known values (n,) of each group, given back to each of its series.

    NaN where none is known. Of two values it is the smaller: the other may be the odd one.
    """
    order = np.lexsort((values, group))  # NaN is last in its group
    known = np.bincount(group, ~np.isnan(values)).astype(np.intp)
    sizes = np.bincount(group)
    place = np.cumsum(sizes) - sizes + np.maximum(known - 1, 0) // 2
    found: Matrix = values[order[place]][group]
    return found


def influence(level: Matrix, usual: Matrix) -> Matrix:
    """What the units of a series are multiplied by in a sum over a group, (n,), at most 1.

    ``level`` of the series and ``usual``, that of the middle series of its category, NaN where
    none is known.
    """
    return np.fmin(1.0, MOST_SERIES * usual / np.maximum(level, 1e-9))


def code(names: NDArray[np.object_]) -> NDArray[np.float32]:
    """A number for each name that stays the same whatever other names there are."""
    distinct, inverse = numbered(names)
    codes = np.array([zlib.crc32(name.encode()) % 65_521 for name in distinct], np.float32)
    return codes[inverse]


@dataclass(frozen=True)
class CategoryYear:
    """What a category did in the last ``MEMORY`` days, beside what its series sell on average.

    ``index`` (categories, MEMORY): units of a day over the sum of what the series that were open
    would have sold by their long-run means and the factors of the day; NaN where there were none.
    The last column is the origin. Series are weighed by their `influence`, and days before the
    first sale are left out.
    """

    index: Matrix


class YearDays(NamedTuple):
    """The last days up to the origin of some series, at most ``MEMORY``; all (n, days).

    ``units``: float32, NaN on days that do not count: closed, or before the first sale. ``cell``:
    weekday, and whether promoted (`profile`).
    """

    units: NDArray[np.float32]
    cell: NDArray[np.int64]


def year_days(panel: Panel, origin: int, rows: slice) -> YearDays:
    """What `category_year` looks at of the series in ``rows``."""
    days = slice(max(0, origin + 1 - MEMORY), origin + 1)
    since = first_sale(panel, origin, rows)
    selling = panel.open[rows, days] & (np.arange(days.start, days.stop) >= since[:, None])
    units = np.where(selling, panel.units[rows, days], np.float32(np.nan))
    return YearDays(units, cells(panel, days.start, origin, rows))


def category_year(
    days: Iterable[YearDays], category: NDArray[np.intp], usual: Matrix, factors: Matrix
) -> CategoryYear:
    """Index of each category, as of the last of ``days``.

    ``days``: of the series as `chunks` cuts them: the order in which sums are added. ``usual``
    (n,): level of the middle series of each series' category (`influence`). ``factors`` (n, 14).
    """
    categories = int(category.max(initial=0)) + 1
    sums: Matrix | None = None
    for rows, part in zip(chunks(len(category)), days, strict=True):
        if sums is None:
            sums = np.zeros((2, categories, part.units.shape[1]))
        order = np.argsort(category[rows], kind="stable")
        present, starts = np.unique(category[rows][order], return_index=True)
        for place, values in enumerate(_beside_usual(part, usual[rows], factors[rows])):
            sums[place, present] += np.add.reduceat(values[order], starts, axis=0)
    if sums is None:
        raise ValueError("A year has at least one chunk of days.")
    with np.errstate(divide="ignore", invalid="ignore"):
        index = np.where(sums[1] > 0, sums[0] / sums[1], np.nan)
    unseen = np.full((categories, MEMORY - index.shape[1]), np.nan)
    return CategoryYear(np.concatenate([unseen, index], axis=1))


def _beside_usual(days: YearDays, usual: Matrix, factors: Matrix) -> tuple[Matrix, Matrix]:
    """Units, and what the long-run mean and the day's factor give, on selling days: (n, days)."""
    selling = ~np.isnan(days.units)
    units = np.where(selling, days.units, 0.0)
    factor = np.take_along_axis(factors, days.cell, axis=1) * selling
    level = (units.sum(axis=1) / np.maximum(factor.sum(axis=1), 1e-9))[:, None]
    weight = influence(level, usual[:, None])
    np.minimum(units, np.maximum(MOST_OF_LEVEL * level, 1.0), out=units)
    return units * weight, factor * level * weight


def season(year: CategoryYear, horizon: int, step: int = 1) -> Matrix:
    """Last year's index around each of the ``horizon`` days ahead over that of the 28 days before.

    (categories, horizon); NaN where the data do not reach back. Days are weighed alike, so the
    week, which a window of 15 days does not quite even out, is left to other features. Columns are
    ``step`` days each.
    """
    last = MEMORY - 1 - YEAR // step  # the origin, a year ago
    reach = SEASON_REACH // step
    before = _mean(year.index[:, last + 1 - BEFORE // step : last + 1])
    around = np.stack(
        [
            _mean(year.index[:, last + day - reach : last + day + reach + 1])
            for day in range(1, horizon + 1)
        ],
        axis=1,
    )
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where(before[:, None] > 0, around / before[:, None], np.nan)


def _mean(values: Matrix) -> Matrix:
    """Mean of each row; NaN unless half of its days are known."""
    known = ~np.isnan(values)
    count = known.sum(axis=1)
    mean = np.where(known, values, 0.0).sum(axis=1) / np.maximum(count, 1)
    return np.where(2 * count >= values.shape[1], mean, np.nan)
