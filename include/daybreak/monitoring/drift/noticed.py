"""The smallest change that would be noticed within two nights: what limits are worth to a reader.

A limit says how far is too far, in units of a distance; nobody can tell from it whether 30 % more
sales would be seen. This says it in the units of the thing itself.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from scipy.special import ndtr, ndtri

from daybreak.histogram import MISSING, Bins, Histogram, keys_of, values_of
from daybreak.monitoring.drift.distances import psi
from daybreak.monitoring.drift.limits import MOST_OF_ONE, NIGHTS

POWER = 0.8
"""Of five changes of that size four are noticed: the usual choice (Cohen, Statistical Power
Analysis for the Behavioral Sciences, 1988)."""

GROWTHS = (0.01, 0.02, 0.03, 0.05, 0.07, 0.1, 0.15, 0.2, 0.25, 0.3, 0.4, 0.5, 0.75, 1, 2, 4, 9, 99)
"""By which parts of themselves values are tried to grow."""

PLACES = 200
HALVINGS = 12
"""Of a search, to a thousandth of its range."""


def least_growth(usual: Histogram, bins: Bins, raise_at: float) -> float | None:
    """The least of ``GROWTHS`` by which all values of earlier nights together have to grow for
    their distance to be ``raise_at``, as a part of themselves; None where none does: what is 0 or
    missing does not grow.

    What has steps keeps them: a value becomes the nearest that there is, or the next one above all.
    """
    there = usual.keys != MISSING
    values, before = values_of(usual.keys[there]).astype(np.float64), bins.counts(usual)
    if not len(values):
        return None
    steps = np.append(values, 2 * values[-1] - values[-2]) if len(values) > 1 else values
    middles = (steps[1:] + steps[:-1]) / 2
    for growth in GROWTHS:
        grown = values * (1 + growth)
        nearest = np.where(grown > steps[-1], grown, steps[np.searchsorted(middles, grown)])
        keys = usual.keys.copy()
        keys[there] = keys_of(nearest.astype(np.float32))
        # Values that meet on one place of the grid stay beside one another: bins add them up.
        if psi(bins.counts(Histogram(keys, usual.counts)), before) >= raise_at:
            return float(growth)
    return None


def least_shift(raise_at: float, usual: Sequence[float], *, as_is: bool) -> float:
    """By how much a number has to differ from what is usual to be in alarm on the second night with
    the probability ``POWER``; a part of itself, unless ``as_is``.

    Nights are taken for independent and normal, with 1.4826 times the median of the ``usual``
    distances for a standard deviation.
    """
    deviation = 1.4826 * float(np.median(usual)) / raise_at
    least, most = 1.0, 1.0 + 3 * deviation  # of which nearly all are above
    for _ in range(HALVINGS):
        middle = (least + most) / 2
        least, most = (least, middle) if _found(middle, deviation) >= POWER else (middle, most)
    return most * raise_at if as_is else math.expm1(most * raise_at)


def _found(shift: float, deviation: float) -> float:
    """The probability that two nights are an alarm (`limits.state_of_value`); all in multiples of
    the limit. The first night is each of some equally likely ones."""
    first = shift + deviation * ndtri((np.arange(PLACES) + 0.5) / PLACES)
    needed = NIGHTS - np.minimum(first, MOST_OF_ONE)
    second = ndtr((shift - needed) / max(deviation, 1e-9))
    return float(np.where(needed <= MOST_OF_ONE, second, 0.0).mean())
