"""What a kind of day sells beside the level of its series: each weekday, promoted or not.

A *cell* is a weekday without a promotion (0 to 6, Monday first) or with one (7 to 13), and its
*factor* is what a day of it sells beside a usual day without a promotion. Factors are learned for
all series, then for each category, item, shelf and series as a deviation from the factors before.
A deviation counts by how much such deviations differ at all, beside what is noise (empirical
Bayes): where data carry no profile of their own, all have that of their group.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from daybreak.facts.panel import Panel
from daybreak.models.sales_forecast.features.prices import by_price, planned
from daybreak.models.sales_forecast.features.recent import (
    MEMORY,
    Matrix,
    Rows,
    around_each,
    first_row,
    selling_days,
)
from daybreak.models.sales_forecast.features.shrinkage import shrunk, summed

WEEK = 7
CELLS = 2 * WEEK
REACH = 28
"""The level of a day is that of so many days before and after it: four weeks are as many of each
weekday, and promotions that come every other week are in each."""
ROUNDS = 4
"""Levels and factors are fitted in turn; after so many the factors move by less than 1 %."""
LATE = 112
"""Columns of the longest mean: level of what is too noisy for 56 selling days."""
MOST = 10.0
"""A day counts at most this many times the mean without the largest one, or one unit."""
PRIOR_UNITS = 20.0
"""Units by which the factors of all series are drawn to 1."""
FEW = 21
"""Selling days without which nothing is known of how a series scatters."""
LEAST_FACTOR = 0.02


class Evidence(NamedTuple):
    """What a series says of its own cells, from the selling days of `MEMORY`."""

    sold: Matrix  # units by cell, (n, 14)
    level: Matrix  # what the level was on these days, in units without a promotion, (n, 14)
    dispersion: Matrix  # variance of a day's units over their mean, (n,)
    beyond: Matrix  # of `prices.by_price`, (n,)
    price_level: Matrix  # of the same, (n,)
    late_units: Matrix  # of the last `LATE` calendar days, (n,)
    late_days: Matrix  # selling days among them by cell, (n, 14)


def cells(panel: Panel, first: int, last: int, rows: Rows) -> NDArray[np.int64]:
    """The cell of each day of the columns ``first`` to ``last``, (n, days)."""
    promoted = panel.promotion[rows, first : last + 1] > 0
    return np.asarray(_weekdays(panel, first, last) + WEEK * promoted, np.int64)


def _weekdays(panel: Panel, first: int, last: int) -> NDArray[np.int64]:
    days = np.arange(first, last + 1, dtype=np.int64) * panel.step
    return np.asarray((days + panel.first_date.weekday()) % WEEK)


def evidence(panel: Panel, origin: int, rows: Rows) -> Evidence:
    """Levels and factors of each series, as of the column ``origin``.

    The two are fitted in turn, as in iterative proportional fitting: the level of a day is what
    was sold around it over what the factors say, and a factor is what its days sold over their
    levels.
    """
    first = max(0, origin + 1 - MEMORY)
    selling = selling_days(panel, origin, rows, first_row(panel, origin, rows), MEMORY)
    units = np.where(selling, panel.units[rows, first : origin + 1], 0.0).astype(np.float64)
    weekday = _weekdays(panel, first, origin)
    promoted = selling & (panel.promotion[rows, first : origin + 1] > 0)
    plain, any_promoted = selling & ~promoted, bool(promoted.any())
    count = np.maximum(selling.sum(axis=1), 1)
    second, top = np.partition(np.pad(units, ((0, 0), (1, 0))), -2, axis=1)[:, -2:].T
    others = (units.sum(axis=1) - top + second) / count  # no single order decides
    np.minimum(units, np.maximum(MOST * others, 1.0)[:, None], out=units)
    mean = units.sum(axis=1) / count
    period = WEEK // panel.step  # columns after which the weekday is the same

    def by_cell(values: Matrix) -> Matrix:
        found = np.zeros((len(units), CELLS))
        for start, on in ((0, plain), (WEEK, promoted))[: 1 + any_promoted]:
            part = values * on
            for column in range(min(period, part.shape[1])):
                found[:, start + weekday[column]] = part[:, column::period].sum(axis=1)
        return found

    def of_days(factors: Matrix) -> Matrix:
        found = np.take(factors, weekday, axis=1)
        if any_promoted:
            np.copyto(found, np.take(factors, WEEK + weekday, axis=1), where=promoted)
        return found * selling

    sold, days = by_cell(units), by_cell(np.ones(units.shape[1]))
    usual = np.where(
        days[:, :WEEK].any(axis=1, keepdims=True) & (np.arange(CELLS) >= WEEK), 0, days
    )
    reach = REACH // panel.step
    around = around_each(units, reach)
    factors = np.ones((len(units), CELLS))
    for _ in range(ROUNDS):
        level = around / np.maximum(around_each(of_days(factors), reach), 1e-9)
        expected = by_cell(level)
        factors = (sold + mean[:, None]) / np.maximum(expected + mean[:, None], 1e-9)
        middle = (factors * usual).sum(axis=1) / np.maximum(usual.sum(axis=1), 1)
        factors /= np.maximum(middle, 1e-9)[:, None]
    factor = of_days(factors)
    level = around / np.maximum(around_each(factor, reach), 1e-9)
    fitted = np.maximum(level * factor, 1e-9)
    error = np.where(selling, np.square(units - fitted) / fitted, 0.0).sum(axis=1)
    dispersion = error / np.maximum(count - (days > 0).sum(axis=1), 1)
    # What is rarely sold scatters as chance does at least, whatever few sales have in common; and
    # of few days it is taken to vary as much as it is high.
    dispersion = np.maximum(dispersion, np.maximum(1.0 - mean, 1e-3 * mean))
    dispersion = np.where(count >= FEW, dispersion, 1.0 + mean)
    price = planned(panel, first, origin, rows)
    beyond, price_level = by_price(price, units, factor, plain, reach)
    late = by_cell(np.arange(units.shape[1]) >= units.shape[1] - LATE)
    return Evidence(
        sold,
        by_cell(level),
        dispersion,
        beyond,
        price_level,
        units[:, -LATE:].sum(axis=1),
        late,
    )


def factors_of(
    found: Evidence, weight: Matrix, groups: Sequence[NDArray[np.intp]]
) -> tuple[Matrix, Matrix]:
    """Factors of each series, (n, 14), and those of its groups without its own deviation.

    ``weight`` (n,): what a series counts in a sum over others. ``groups``: numbers from 0, (n,)
    each, from the widest.
    """
    units, level = found.sold * weight[:, None], found.level * weight[:, None]
    root = np.repeat(_of_all(units.sum(axis=0), level.sum(axis=0))[None], len(units), axis=0)
    variance = found.dispersion * weight
    for group in groups:
        root = root * _deviation(group, units, level * root, variance)
    alone = np.arange(len(units), dtype=np.intp)
    own = root * _deviation(alone, found.sold, found.level * root, found.dispersion)
    return np.maximum(own, LEAST_FACTOR), np.maximum(root, LEAST_FACTOR)


def _of_all(units: Matrix, level: Matrix) -> Matrix:
    """Factors of all series together, (14,): weekdays, and what a promotion adds to each."""
    weekday = (units[:WEEK] + PRIOR_UNITS) / (level[:WEEK] + PRIOR_UNITS)
    expected = level[WEEK:] * weekday
    lift = (units[WEEK:].sum() + PRIOR_UNITS) / (expected.sum() + PRIOR_UNITS)
    promoted = (units[WEEK:] + PRIOR_UNITS) / (expected * lift + PRIOR_UNITS)
    return np.concatenate([weekday, weekday * lift * promoted])


def _deviation(
    group: NDArray[np.intp], units: Matrix, expected: Matrix, dispersion: Matrix
) -> Matrix:
    """What each group deviates from ``expected``, (n, 14): by promotions as such, then by cell."""
    variance = expected * dispersion[:, None]
    sums = [summed(group, values) for values in (units, expected, variance)]
    sold, level, noise = (values[:, WEEK:].sum(axis=1, keepdims=True) for values in sums)
    found = np.ones_like(sums[0])
    found[:, WEEK:] = lift = shrunk(sold, level, noise)
    for some, factor in ((slice(0, WEEK), 1.0), (slice(WEEK, CELLS), lift)):
        sold, level, noise = (values[:, some] for values in sums)
        found[:, some] *= shrunk(sold, level * factor, noise * factor)
    return np.asarray(found[group])
