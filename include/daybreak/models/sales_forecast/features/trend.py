"""By how much the level of an item moves beside that of all items: its *slope*.

It is the slope of a line through the last selling days of its series, each divided by its factor
and by what its price did, beside the mean of the series. Categories come first and items as their
deviation, as far as either differ beside noise (`shrinkage`). What all items have in common is left
out: a month in which a whole shop sells less is one event, and says little of the next.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from daybreak.models.sales_forecast.features.recent import SELLING_DAYS, Matrix
from daybreak.models.sales_forecast.features.shrinkage import deviated

SPAN = 28
"""Selling days of which the slope is a share of the level. Weeks have none: the line would be one
through a year."""
LEAST_DAYS = 28
"""A series with fewer selling days says nothing of its item."""
MOST = 2.0
"""By which a trend multiplies or divides units at most."""

_DAYS = np.arange(SELLING_DAYS) / SPAN


def rise(units: Matrix, factor: Matrix, mean: Matrix) -> tuple[Matrix, Matrix]:
    """What a series says of its slope, (n,) each: units beyond its mean by how late they were sold,
    and the mean by the square of that. Their ratio is the slope.

    ``units`` (n, 56) as if each day had been a usual one, ``factor`` that of the day, 0 where the
    series has fewer days, and ``mean`` (n,) of the units by their factors.
    """
    total = np.maximum(factor.sum(axis=1), 1e-9)
    late = _DAYS - ((factor * _DAYS).sum(axis=1) / total)[:, None]
    enough = (factor > 0).sum(axis=1) >= LEAST_DAYS
    beyond = (late * factor * (units - mean[:, None])).sum(axis=1)
    level = (np.square(late) * factor).sum(axis=1) * mean
    return np.where(enough, beyond, 0.0), np.where(enough, level, 0.0)


def slopes(
    beyond: Matrix,
    level: Matrix,
    dispersion: Matrix,
    weight: Matrix,
    groups: Sequence[NDArray[np.intp]],
) -> Matrix:
    """The slope of each series' item beside that of all, (n,), a share of the level by ``SPAN``.

    ``beyond`` and ``level`` are of `rise`, the others as of `profile.factors_of`; ``groups``, from
    wide to narrow, are numbers (n,). It is 0 where nothing is known.
    """
    units, total, noise = (values * weight for values in (beyond, level, level * dispersion))
    if not total.sum() > 0:
        return np.zeros(len(level))
    common = units.sum() / total.sum()
    found = np.full(len(level), common)
    for group in groups:
        found = deviated(found, units, total, noise, group)
    return np.asarray(found - common)


def trend(slope: NDArray[Any], ahead: NDArray[Any], observed: NDArray[Any]) -> NDArray[Any]:
    """By what the level is multiplied ``ahead`` selling days after the origin where a slope goes
    on, all of one dtype, (m,).

    The level is that of the middle of the ``observed`` selling days before it.
    """
    one, most = (slope.dtype.type(value) for value in (1, MOST))
    half, span = (slope.dtype.type(value) for value in (0.5, 1 / SPAN))
    moved = one + slope * ((ahead + half * (observed - one)) * span)
    return np.asarray(np.minimum(np.maximum(moved, one / most), most))
