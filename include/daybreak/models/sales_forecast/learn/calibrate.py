"""Offsets that calibrate the quantiles, measured on days the trees have not seen.

Units are whole numbers and often 0, so a quantile has no share of days below it that could be
matched exactly. What can be asked is that the share of days strictly below is not above tau, and
the share at or below is not under it. Offsets are in scaled units and are added before rounding.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from daybreak.types import Float32

TOLERANCE = 0.01
"""Half of what the gate allows: the coming days are not quite like the held-out ones."""
GRID = np.arange(-60, 121, dtype=np.float32) / np.float32(100)
"""Offsets tried, in scaled units."""

RELUCTANCE = 0.05
"""Relative loss that an offset of one scaled unit has to save."""

MEAN_SHARE = 0.5


def in_units(margin: Float32, offset: float, scale: Float32, whole: bool) -> Float32:
    """One output in units, as the link makes it: offset, scale, not below 0, rounded."""
    units: Float32 = np.maximum((margin + np.float32(offset)) * scale, np.float32(0))
    return np.floor(units + np.float32(0.5)) if whole else units


def pinball(actual: NDArray[np.floating], forecast: NDArray[np.floating], tau: float) -> float:
    """Mean pinball loss in units."""
    return float(pinball_of_each(actual, forecast, tau).mean())


def pinball_of_each(
    actual: NDArray[np.floating], forecast: NDArray[np.floating], tau: float | NDArray[np.float64]
) -> NDArray[np.float64]:
    """Pinball loss of each forecast, in units."""
    gap = np.asarray(actual, np.float64) - forecast
    return np.asarray(np.maximum(tau * gap, (tau - 1) * gap))


def violation(actual: Float32, forecast: Float32, tau: float, tolerance: float) -> float:
    """By how much the shares below, and at or below, miss ``tau``; 0 where calibrated."""
    below = float((actual < forecast).mean()) - (tau + tolerance)
    above = (tau - tolerance) - float((actual <= forecast).mean())
    return max(below, above, 0.0)


def quantile_offset(
    margin: Float32, actual: Float32, scale: Float32, tau: float, *, whole: bool
) -> float:
    """The offset of least pinball loss among those that are calibrated (or most nearly so)."""
    if not len(actual):
        return 0.0
    tried = [in_units(margin, float(offset), scale, whole) for offset in GRID]
    missed = np.array([violation(actual, units, tau, TOLERANCE) for units in tried])
    # What little a longer way from 0 gains on these days it may lose on the next.
    loss = np.array([pinball(actual, units, tau) for units in tried])
    least = loss[np.abs(GRID).argmin()]
    cost = loss / max(least, 1e-9) + RELUCTANCE * np.abs(GRID)
    allowed = missed <= missed.min() + 1e-12
    return float(GRID[np.where(allowed, cost, np.inf).argmin()])


def mean_offset(margin: Float32, actual: Float32, scale: Float32) -> float:
    """Half of the offset at which the forecast total equals the actual one.

    Half, as half of a month's level is noise: on real data the whole offset only turned the
    sign of the next month's bias.
    """
    if not len(actual):
        return 0.0
    low, high = float(GRID[0]), float(GRID[-1])
    total = float(actual.sum(dtype=np.float64))
    for _ in range(30):
        middle = (low + high) / 2
        if float(in_units(margin, middle, scale, False).sum(dtype=np.float64)) < total:
            low = middle
        else:
            high = middle
    return (low + high) / 2 * MEAN_SHARE


def by_horizon(offset: float, horizon: int) -> list[float]:
    """The manifest's form: one float32-representable number a day ahead."""
    return [float(np.float32(offset))] * horizon
