"""Forecasts that need no learning. A model has to beat them."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from daybreak.facts.panel import Panel
from daybreak.models.sales_forecast.features.recent import Recent, gather, quantiles

POINTS = ("seasonal_naive", "mean_28", "median_56")
EMPIRICAL = ("empirical_p10", "empirical_p50", "empirical_p90")
"""Quantiles of the last 56 selling days of each series, linearly interpolated."""

Forecast = NDArray[np.float64]


def baselines(panel: Panel, origin: int | None = None) -> dict[str, Forecast]:
    """Each of ``POINTS`` and ``EMPIRICAL``, (n, ahead), from columns up to ``origin`` only.

    Days on which a series is closed are not selling days; no baseline knows that a later day is
    closed, so score them on open days. Without any history they say 0.
    """
    origin = panel.days - 1 if origin is None else origin
    recent = gather(panel, origin)
    month = slice(-28, None)
    count = recent.known[:, month].sum(axis=1)
    mean = recent.units[:, month].sum(axis=1) / np.maximum(count, 1)
    p10, p50, p90 = quantiles(recent.units, recent.known, (0.1, 0.5, 0.9)).T
    flat = {
        "mean_28": mean,
        "median_56": p50,
        "empirical_p10": p10,
        "empirical_p50": p50,
        "empirical_p90": p90,
    }
    targets = panel.date_of(origin).weekday() + np.arange(1, panel.ahead + 1) * panel.step
    return {
        "seasonal_naive": _seasonal_naive(recent, targets),
        **{name: np.repeat(values[:, None], panel.ahead, axis=1) for name, values in flat.items()},
    }


def _seasonal_naive(recent: Recent, targets: NDArray[np.intp]) -> Forecast:
    """Units of the latest selling day with the weekday of each of ``targets`` (ahead,)."""
    by_weekday = np.zeros((len(recent.units), 7))
    for weekday in range(7):
        match = recent.known & (recent.weekday == weekday)
        latest = match.shape[1] - 1 - match[:, ::-1].argmax(axis=1)
        units = np.take_along_axis(recent.units, latest[:, None], axis=1)[:, 0]
        by_weekday[:, weekday] = np.where(match.any(axis=1), units, 0.0)
    return by_weekday[:, targets % 7]
