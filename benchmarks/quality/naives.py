"""Methods that a spreadsheet can do. What is closed is never an observation."""

from __future__ import annotations

import warnings
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from benchmarks.quality.known import QUANTILES, Floats, Forecast, Known

PROFILE_DAYS = 112
"""Sixteen weeks, of which weekday and promotion are averaged; by weeks: a year."""
LEAST_SEEN = 2
"""Observations of a weekday with (or without) a promotion that its mean needs."""


def seasonal_naive(known: Known) -> Forecast:
    """The newest value of the same weekday; of weeks, the last week."""
    return {"mean": _same_place(known, 1 if known.step > 1 else 7)}


def seasonal_naive_long(known: Known) -> Forecast:
    """The value of 14 days before (28, ...), as promotions often alternate; of weeks, of a year."""
    return {"mean": _same_place(known, 52 if known.step > 1 else 14)}


def last_28(known: Known) -> Forecast:
    """Mean and quantiles of the last 28 selling days; of weeks, of 8."""
    return _flat(known, 8 if known.step > 1 else 28)


def last_56(known: Known) -> Forecast:
    """Mean and quantiles of the last 56 selling days; of weeks, of 13."""
    return _flat(known, 13 if known.step > 1 else 56)


def weekday_promotion(known: Known) -> Forecast:
    """Mean and quantiles by weekday and promotion, over the last sixteen weeks.

    Where a series has not met both together: by promotion alone, then by weekday, then of all days.
    """
    days = min(known.days, 52 if known.step > 1 else PROFILE_DAYS)
    recent = slice(known.days - days, known.days)
    units = np.where(known.selling()[:, recent], known.units[:, recent], np.nan)
    weekday = _weekdays(known)
    promoted = np.nan_to_num(known.plans["promotion"]) > 0
    found = {name: np.full((len(known), known.ahead), np.nan) for name in (*QUANTILES, "mean")}
    for column in range(known.ahead):
        target = known.days + column
        same_day = np.broadcast_to(weekday[recent] == weekday[target], units.shape)
        same_plan = promoted[:, recent] == promoted[:, target, None]
        for match in (same_day & same_plan, same_plan, same_day, np.ones_like(same_day)):
            missing = np.isnan(found["mean"][:, column])
            if not missing.any():
                break
            values = np.where(match, units, np.nan)[missing]
            seen = (~np.isnan(values)).sum(axis=1) >= LEAST_SEEN
            for name, of in _of_rows(values).items():
                found[name][missing, column] = np.where(seen, of, np.nan)
    return {name: np.nan_to_num(values) for name, values in found.items()}


NAIVES: dict[str, Callable[[Known], Forecast]] = {
    method.__name__: method
    for method in (seasonal_naive, seasonal_naive_long, last_28, last_56, weekday_promotion)
}


def _same_place(known: Known, season: int) -> Floats:
    """The newest observation a multiple of ``season`` before each period ahead; else the mean."""
    selling = known.selling()
    fallback = _of_rows(np.where(selling, known.units, np.nan)[:, -56:])["mean"]
    found = np.full((len(known), known.ahead), np.nan)
    for column in range(known.ahead):
        target = known.days + column
        for back in range(target - season, -1, -season):
            if back < known.days:
                take = np.isnan(found[:, column]) & selling[:, back]
                found[take, column] = known.units[take, back]
    return np.where(np.isnan(found), np.nan_to_num(fallback)[:, None], found)


def _flat(known: Known, count: int) -> Forecast:
    newest_first = known.selling()[:, ::-1]
    kept = newest_first & (np.cumsum(newest_first, axis=1) <= count)
    of = _of_rows(np.where(kept[:, ::-1], known.units, np.nan))
    return {
        name: np.repeat(np.nan_to_num(values)[:, None], known.ahead, axis=1)
        for name, values in of.items()
    }


def _of_rows(values: Floats) -> Forecast:
    """Mean and quantiles of each row, (n,); NaN where it has nothing."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)  # of rows without any
        quantiles = np.nanquantile(values, list(QUANTILES.values()), axis=1)
        return {**dict(zip(QUANTILES, quantiles, strict=True)), "mean": np.nanmean(values, axis=1)}


def _weekdays(known: Known) -> NDArray[np.int64]:
    """0 to 6, of all columns; of weeks all alike."""
    return known.dates().astype(np.int64) % 7
