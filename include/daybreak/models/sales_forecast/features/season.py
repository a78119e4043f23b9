"""What the days ahead sold a year ago, beside the weeks before them: the *season* of a series.

Of weeks the level is that of a whole year, in which each season is once. So a shop that knows one
year, and not yet the one before, has the seasons that it sold beside that year itself.

Each category has one, and each item its deviation from that, as far as items differ beside noise
(`shrinkage`). So a shop without categories has the seasons of its items, and an item that a year
says little about has that of its category.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from daybreak.facts.panel import Panel
from daybreak.models.sales_forecast.features.groups import Groups, influence
from daybreak.models.sales_forecast.features.profile import cells
from daybreak.models.sales_forecast.features.recent import (
    MEMORY,
    RECENCY,
    SELLING_DAYS,
    Matrix,
    chunks,
    first_sale,
)
from daybreak.models.sales_forecast.features.shrinkage import shrunk

YEAR = 364
"""Days back to the same weekday of last year."""
REACH = 7
"""The season of a day is taken from this many days around it, a year ago."""
MOST_OF_LEVEL = 10.0
"""In the sums of a year a day counts at most this many times the series' own mean, or one unit."""
MOST_SEASON = 10.0
"""A season, and what an item deviates from it, is at most so many times the level, or its part."""
PRIOR_UNITS = 1.0
"""Units by which what an item sold is drawn to what its category says."""


class YearDays(NamedTuple):
    """The last days up to the origin of some series, at most ``MEMORY``; all (n, days).

    ``units``: float32, NaN on days that do not count: closed, or before the first sale. ``cell``:
    weekday, and whether promoted (`profile`).
    """

    units: NDArray[np.float32]
    cell: NDArray[np.int64]


class Sums(NamedTuple):
    """Of the series of each group, by day of last year: (groups, days) each.

    ``units`` sold, ``level``: what their long-run means and the factors of the day give, and
    ``noise``, the variance of the units.
    """

    units: Matrix
    level: Matrix
    noise: Matrix


def year_days(panel: Panel, origin: int, rows: slice) -> YearDays:
    """What `seasons` looks at of the series in ``rows``."""
    days = slice(max(0, origin + 1 - MEMORY), origin + 1)
    since = first_sale(panel, origin, rows)
    selling = panel.open[rows, days] & (np.arange(days.start, days.stop) >= since[:, None])
    units = np.where(selling, panel.units[rows, days], np.float32(np.nan))
    return YearDays(units, cells(panel, days.start, origin, rows))


def seasons(
    days: Iterable[YearDays],
    groups: Groups,
    usual: Matrix,
    factors: Matrix,
    dispersion: Matrix,
    *,
    ahead: int,
    step: int,
) -> tuple[Matrix, Matrix]:
    """The season of each series' category, and by what that of its item deviates, by day ahead:
    (n, ahead) each, NaN where data do not reach back.

    ``days``: of the series as `chunks` cuts them: the order in which sums are added. ``usual``
    (n,): level of the middle series of each series' category (`influence`). ``factors`` (n, 14),
    ``dispersion`` (n,): of `profile`. ``ahead`` columns of ``step`` days.
    """
    # The days before are as many, and weigh as much, as those of the level that is multiplied.
    before, reach = SELLING_DAYS, REACH // step
    year = YEAR // step
    first = MEMORY - year - before
    spans_year = before >= year
    last = first + before + ahead + reach
    wanted = slice(first, max(last, MEMORY) if spans_year else last)
    kinds = (groups.category, groups.item)
    width = wanted.stop - wanted.start
    sums = [np.zeros((3, int(kind.max(initial=0)) + 1, width)) for kind in kinds]
    for rows, part in zip(chunks(len(usual)), days, strict=True):
        values = _beside_usual(part, usual[rows], factors[rows], dispersion[rows], wanted)
        for kind, found in zip(kinds, sums, strict=True):
            order = np.argsort(kind[rows], kind="stable")
            present, starts = np.unique(kind[rows][order], return_index=True)
            for sum_of, matrix in enumerate(values):
                found[sum_of, present] += np.add.reduceat(matrix[order], starts, axis=0)
    category, item = (Sums(*found) for found in sums)
    around = [slice(before + day - reach, before + day + reach + 1) for day in range(ahead)]
    with np.errstate(divide="ignore", invalid="ignore"):
        index = np.where(category.level > 0, category.units / category.level, np.nan)
        weight = _of_level(index, year if spans_year else None)
        level = _mean(index, weight)[:, None]
        season = np.stack([_mean(index[:, days]) for days in around], axis=1)
        season = np.where(level > 0, season / level, np.nan)
    place = np.zeros(item.units.shape[0], np.intp)
    place[groups.item] = groups.category
    deviation = _of_items(item, np.nan_to_num(index)[place], weight[place], around)
    found = season[groups.category]
    deviation = np.where(np.isnan(found), np.nan, deviation[groups.item])
    return found.clip(1 / MOST_SEASON, MOST_SEASON), deviation.clip(1 / MOST_SEASON, MOST_SEASON)


def _of_level(index: Matrix, year: int | None) -> Matrix:
    """How much each column counts in the level that a season is beside, as `index` is.

    The first ones do. ``year``: columns of one, where a level is of so many: where the first ones
    are unknown, but something was sold before the last ones begin, those up to the origin do.
    """
    width = index.shape[1]
    weight = np.zeros_like(index)
    weight[:, :SELLING_DAYS] = RECENCY
    if year is not None:
        begun = ~np.isnan(index[:, : year + 1]).all(axis=1)
        young = begun & np.isnan(_mean(index, weight))
        weight[young] = np.pad(RECENCY, (year, width - year - SELLING_DAYS))
    return weight


def _of_items(sums: Sums, index: Matrix, weight: Matrix, around: list[slice]) -> Matrix:
    """By what the season of an item is that of its category, (items, days ahead).

    ``weight``: of `_of_level`.
    """
    sold = np.where(index > 0, sums.units, 0.0)
    expected, noise = sums.level * index, sums.noise * index

    def beside(days: slice, weight: Matrix) -> tuple[Matrix, Matrix]:
        level = (expected[:, days] * weight).sum(axis=1) + PRIOR_UNITS
        ratio = ((sold[:, days] * weight).sum(axis=1) + PRIOR_UNITS) / level
        return ratio, (noise[:, days] * np.square(weight)).sum(axis=1) / np.square(level)

    start, start_noise = beside(slice(None), weight)
    of_days = [beside(days, np.ones(1)) for days in around]
    ratios, noises = (np.stack(one, axis=1) for one in zip(*of_days, strict=True))
    variance = noises + start_noise[:, None]
    return shrunk(ratios / start[:, None], np.where(variance > 0, 1.0, 0.0), variance)


def _beside_usual(
    days: YearDays, usual: Matrix, factors: Matrix, dispersion: Matrix, wanted: slice
) -> tuple[Matrix, Matrix, Matrix]:
    """Units, what the long-run mean and the day's factor give, and the variance, on the selling
    days of the columns ``wanted`` of `MEMORY`: (n, days) each."""
    selling = ~np.isnan(days.units)
    units = np.where(selling, days.units, 0.0)
    factor = np.take_along_axis(factors, days.cell, axis=1) * selling
    level = (units.sum(axis=1) / np.maximum(factor.sum(axis=1), 1e-9))[:, None]
    weight = influence(level, usual[:, None])
    # Before the panel begins, and where last year's days are those ahead, nothing was sold.
    unseen = ((0, 0), (MEMORY - units.shape[1], max(wanted.stop - MEMORY, 0)))
    units, factor = (np.pad(values, unseen)[:, wanted] for values in (units, factor))
    units = np.minimum(units, np.maximum(MOST_OF_LEVEL * level, 1.0)) * weight
    expected = factor * level * weight
    return units, expected, expected * dispersion[:, None] * weight


def _mean(values: Matrix, weight: Matrix | float = 1.0) -> Matrix:
    """Weighted mean of each row; NaN unless half of its weight is on known days."""
    weights = np.broadcast_to(weight, values.shape)
    known = np.where(np.isnan(values), 0.0, weights)
    total = known.sum(axis=1)
    mean = (np.nan_to_num(values) * known).sum(axis=1) / np.maximum(total, 1e-9)
    return np.where(2 * total >= weights.sum(axis=1), mean, np.nan)
