"""Sums by target date from which errors of any span of days follow, small enough for a manifest.

The gate compares versions on days that none of them has seen; which days those are depends on the
version it compares with, so the sums are kept for each day and added up when they are needed.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import date
from typing import Any

import numpy as np
from numpy.typing import NDArray

from daybreak.facts.panel import Panel
from daybreak.models.sales_forecast.formulas import FORMULAS, answers
from daybreak.models.sales_forecast.learn.baselines import EMPIRICAL, POINTS, baselines
from daybreak.models.sales_forecast.learn.booster import QUANTILES
from daybreak.models.sales_forecast.learn.calibrate import pinball_of_each
from daybreak.models.sales_forecast.learn.clusters import error_of_ratio
from daybreak.models.sales_forecast.learn.sampling import Sample
from daybreak.models.sales_forecast.link import SCORES, link
from daybreak.types import Float32

Sums = dict[str, float]
Days = dict[str, Sums]
"""ISO date -> sums; keys of ``Sums`` are made in `tally`."""

Behind = dict[str, float | None]
"""``difference`` of two losses on the same rows, and its ``standard_error``."""

QUANTILE_NAMES = SCORES[:3]
RIVALS = ("empirical", *FORMULAS)
"""Beside which quantiles are judged."""


def tally(
    panel: Panel, sample: Sample, scores: Mapping[str, NDArray[np.floating]], *, whole: bool
) -> Days:
    """Sums of the scores (m,) of a sample, of the baselines on the same rows, by target date.

    ``whole``: units are counted, so a formula gives its quantiles in whole ones.
    """
    forecasts = {**_baselines_of(panel, sample), **scores}
    by_formula = formula_scores(sample, whole)
    actual = sample.units.astype(np.float64)
    column = sample.origin + sample.horizon
    terms: dict[str, NDArray[np.floating]] = {
        "rows": np.ones(len(sample)),
        "volume": actual,
        "mean": np.asarray(scores["mean"], np.float64),
        "error.model": np.abs(actual - scores["p50"]),
    }
    for name in POINTS:
        terms[f"error.{name}"] = np.abs(actual - forecasts[name])
    for quantile, empirical, tau in zip(QUANTILE_NAMES, EMPIRICAL, QUANTILES, strict=True):
        terms[f"below.{quantile}"] = (actual < scores[quantile]) * 1.0
        terms[f"at_or_below.{quantile}"] = (actual <= scores[quantile]) * 1.0
        terms[f"pinball.model.{quantile}"] = pinball_of_each(actual, scores[quantile], tau)
        terms[f"pinball.empirical.{quantile}"] = pinball_of_each(actual, forecasts[empirical], tau)
        for name, formula in by_formula.items():
            terms[f"pinball.{name}.{quantile}"] = pinball_of_each(actual, formula[quantile], tau)
    return {
        panel.date_of(int(day)).isoformat(): {
            name: float(values[column == day].sum()) for name, values in terms.items()
        }
        for day in np.unique(column)
    }


def formula_scores(sample: Sample, whole: bool) -> dict[str, dict[str, Float32]]:
    """What each formula, which learns nothing, says of a sample: as `link`, by its name."""
    nothing = np.empty((len(sample), 0), np.float32)
    return {
        name: link(nothing, sample.features, answers(name, whole, sample.effects))
        for name in FORMULAS
    }


def measures(days: Days, after: date | None = None) -> dict[str, Any]:
    """WAPE, bias, pinball and calibration over all target dates later than ``after``.

    The same shape as the backtest's JSON. ``rows`` is 0 where no day is left.
    """
    later = {day: sums for day, sums in days.items() if after is None or day > after.isoformat()}
    chosen = list(later.values())
    if not chosen:
        return {"rows": 0}
    sums = {name: sum(day[name] for day in chosen) for name in chosen[0]}
    rows, volume = sums["rows"], max(sums["volume"], 1e-9)
    return {
        "rows": int(rows),
        "days": len(chosen),
        "wape": {name: sums[f"error.{name}"] / volume for name in ("model", *POINTS)},
        "bias_mean": sums["mean"] / volume - 1,
        "pinball": {
            whose: sum(sums[f"pinball.{whose}.{name}"] for name in QUANTILE_NAMES) / rows / 3
            for whose in ("model", *RIVALS)
        },
        "behind": {
            **{name: _behind(later, "error", name, "volume") for name in POINTS},
            **{name: _behind(later, "pinball", name, "rows") for name in RIVALS},
        },
        "calibration": {
            name: {share: sums[f"{share}.{name}"] / rows for share in ("below", "at_or_below")}
            for name in QUANTILE_NAMES
        },
        "standard_error": {
            name: {
                share: _standard_error(later, f"{share}.{name}")
                for share in ("below", "at_or_below")
            }
            for name in QUANTILE_NAMES
        },
    }


def compared(days: Days, rival: Days, after: date | None = None) -> dict[str, Behind]:
    """What one version loses more than another of the same rows on the target dates later than
    ``after``: WAPE of P50 and mean pinball loss, each with its standard error as in `measures`;
    nothing where there is no such date."""
    both = {
        day: sums
        | {
            name.replace(".model", ".rival"): value
            for name, value in rival[day].items()
            if ".model" in name
        }
        for day, sums in days.items()
        if day in rival and (after is None or day > after.isoformat())
    }
    if not both:
        return {}
    return {
        "wape": _behind(both, "error", "rival", "volume"),
        "pinball": _behind(both, "pinball", "rival", "rows"),
    }


def _standard_error(days: Mapping[str, Sums], name: str) -> float | None:
    """Of a share of all rows, as `_ratio`."""
    return _ratio(days, lambda day: (day["rows"], day[name]))[1]


def _behind(days: Mapping[str, Sums], loss: str, rival: str, per: str) -> Behind:
    """What the model loses more than a rival on the same rows, with its standard error."""

    def more(day: Sums) -> tuple[float, float]:
        names = [name for name in day if name.startswith(f"{loss}.{rival}")]
        ours = (name.replace(f".{rival}", ".model") for name in names)
        return day[per] * len(names), sum(day[one] for one in ours) - sum(day[n] for n in names)

    difference, error = _ratio(days, more)
    return {"difference": difference, "standard_error": error}


def _ratio(
    days: Mapping[str, Sums], of_day: Callable[[Sums], tuple[float, float]]
) -> tuple[float, float | None]:
    """The ratio of two sums, ``of_day`` (below, above), and its standard error.

    A week is one observation: weather or a promotion moves all series of a shop at once and for
    days, so neither the number of rows nor that of days says much. Few weeks may agree by chance,
    so the error is never less than with a day as one; None of one day.
    """
    below, above = np.array([of_day(sums) for sums in days.values()]).T
    day = np.array([date.fromisoformat(day).toordinal() for day in days])
    week = (day - 1) // 7  # day 1 was a Monday
    error = error_of_ratio(above, below, day, week)
    return float(above.sum() / max(below.sum(), 1e-9)), error


def _baselines_of(panel: Panel, sample: Sample) -> dict[str, NDArray[np.float64]]:
    found = {name: np.empty(len(sample)) for name in (*POINTS, *EMPIRICAL)}
    for origin in np.unique(sample.origin):
        rows = sample.origin == origin
        place = (sample.series[rows], sample.horizon[rows] - 1)
        for name, values in baselines(panel, int(origin)).items():
            found[name][rows] = values[place]
    return found
