"""How far what some series say of themselves is to be believed: by how much they differ at all."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from daybreak.models.sales_forecast.features.recent import Matrix

USUAL_VARIANCE = 0.04
"""Of factors, in the weights that estimate it: that they differ by a fifth."""


def shrunk(sold: Matrix, expected: Matrix, variance: Matrix) -> Matrix:
    """By what ``expected`` units are to be multiplied to fit ``sold``, (m, k), less the noise.

    ``variance`` (m, k) is that of ``sold``. How much the true factors differ is estimated by the
    method of moments with weights that one large series does not dominate (DerSimonian and Kacker,
    Random-effects model for meta-analysis, Contemporary Clinical Trials 28, 2007, equation 6).
    """
    known = (expected > 0) & (variance > 0)
    if known.sum() < 2:
        return np.ones_like(expected)
    below = np.where(known, expected, 1.0)
    ratio = np.where(known, sold / below, 1.0)
    noise = np.where(known, variance / np.square(below), np.inf)
    weight = 1.0 / (noise + USUAL_VARIANCE)
    total, squares = weight.sum(), np.square(weight).sum()
    middle = (weight * ratio).sum() / total
    by_chance = (weight * np.where(known, noise, 0.0) * (1.0 - weight / total)).sum()
    spread = (weight * np.square(ratio - middle)).sum() - by_chance
    between = spread / (total - squares / total)
    if not between > 0:
        return np.ones_like(expected)
    return np.asarray(1.0 + between / (between + noise) * (ratio - 1.0))


def deviated(
    effect: Matrix, beyond: Matrix, level: Matrix, noise: Matrix, group: NDArray[np.intp]
) -> Matrix:
    """An effect (n,) with what each group deviates from it, less the noise.

    Of each series (n,): ``beyond / level`` is the effect that it shows alone, ``noise`` the
    variance of ``beyond``. ``group``: numbers (n,).
    """
    sold = level + beyond - level * effect
    sums = (summed(group, values[:, None]) for values in (sold, level, noise))
    return np.asarray(effect + (shrunk(*sums) - 1.0)[group, 0])


def summed(group: NDArray[np.intp], values: Matrix) -> Matrix:
    """Sums of each column over each group, (m, k)."""
    return np.stack([np.bincount(group, column) for column in values.T], axis=1).astype(np.float64)
