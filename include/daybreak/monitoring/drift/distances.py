"""How far two distributions are apart, by how many values each bin has."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from daybreak.histogram import Histogram

SMOOTHING = 0.5
"""Values that are added to each bin, so that an empty one has a logarithm (Jeffreys' prior)."""

Counts = NDArray[np.int64]


def psi(now: Counts, before: Counts) -> float:
    """The population stability index of the same bins, (b,) each: the sum of (p - q) · ln(p / q),
    with shares p of ``now`` and q of ``before``; 0 where nothing differs, or either is empty.

    It is the symmetric Kullback-Leibler divergence (Jeffreys, 1946). Of n and m values of one
    distribution it is (b - 1) · (1/n + 1/m) on average (Yurdakul and Naranjo, «Statistical
    properties of the population stability index», Journal of Risk Model Validation, 2020).
    """
    if not now.sum() or not before.sum():
        return 0.0
    p, q = now + SMOOTHING, before + SMOOTHING
    p, q = p / p.sum(), q / q.sum()
    return float(((p - q) * np.log(p / q)).sum())


def ks(now: Counts, before: Counts) -> float:
    """The Kolmogorov-Smirnov statistic of the same bins in order, (b,) each: the largest difference
    of the two distribution functions, 0 to 1; 0 where either is empty.

    Within a bin nothing is seen, so it is at most that of the values themselves.
    """
    if not now.sum() or not before.sum():
        return 0.0
    return float(np.abs(np.cumsum(now) / now.sum() - np.cumsum(before) / before.sum()).max())


def side_by_side(now: Histogram, before: Histogram) -> tuple[Counts, Counts]:
    """Both by all keys of either, in order; what is missing is below all values."""
    keys = np.union1d(now.keys, before.keys)
    found = []
    for one in (now, before):
        counts = np.zeros(len(keys), np.int64)
        counts[np.searchsorted(keys, one.keys)] = one.counts
        found.append(counts)
    return found[0], found[1]


def noise_of_psi(bins: int, now: int, before: int) -> float:
    """What ``psi`` is on average where nothing differs but the draw of so many values."""
    return (bins - 1) * (1 / max(now, 1) + 1 / max(before, 1))
