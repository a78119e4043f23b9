"""From the booster's margins to units: the same few exact operations for batch and online.

Only ``+ * / min max floor`` and comparisons of single float32 values are used, each of which IEEE
754 defines to the last bit, so a row gives the same bits in any batch and on any processor.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from daybreak.errors import ArtifactAltered
from daybreak.models.sales_forecast.features.effects import (
    EFFECTS,
    ITEM_SEASON,
    NO_EFFECTS,
    SEASON,
    TREND,
    Effects,
    followed,
)
from daybreak.models.sales_forecast.features.layout import FEATURES
from daybreak.models.sales_forecast.features.trend import trend
from daybreak.models.sales_forecast.formulas import blended
from daybreak.types import Float32

SCORES = ("p10", "p50", "p90", "mean")
"""The booster's outputs, in order, and the columns of the score table."""

QUANTILES = SCORES[:3]

_COLUMN = {name: place for place, name in enumerate(FEATURES)}
_HALF = np.float32(0.5)
_TENTH = np.float32(0.1000001)
"""Just above a tenth, so that the rounded product is not below one in any arithmetic."""


def usual_units(features: Float32, effects: Effects) -> Float32:
    """What a margin of 1 stands for in each row, float32 (m,): the level of the series by the
    factor of the day and by as much of seasons and trend as a version says."""
    units = features[:, _COLUMN["scale"]] * features[:, _COLUMN["day_factor"]]
    season = features[:, _COLUMN["season"]], features[:, _COLUMN["item_season"]]
    moved = followed(season[0], effects.get(SEASON, 0.0)) * followed(
        season[1], effects.get(ITEM_SEASON, 0.0)
    )
    return np.asarray(units * moved * followed(trend_of(features), effects.get(TREND, 0.0)))


def trend_of(features: Float32) -> Float32:
    """By what the level of each row is multiplied where its item's trend goes on, float32 (m,)."""
    slope, ahead, observed = (
        features[:, _COLUMN[name]] for name in ("item_slope", "selling_day", "observed")
    )
    return np.asarray(trend(slope, ahead, observed))


def link(margins: Float32, features: Float32, manifest: Mapping[str, Any]) -> dict[str, Float32]:
    """Margins (m, 4) of ``features`` (m, F) to units, float32 (m,) each of ``SCORES``.

    Of a version without trees they are (m, 0); see `blended`.

    A margin of 1 is what a day of its kind usually sells (`usual_units`).
    ``manifest["calibration"]`` holds an offset for each day ahead and output, in the same unit:
    ``{"p10": [a number a day], ..., "mean": [...], "round": true}``; an output that is not named
    has none. ``round`` gives quantiles in whole units, for data that count them.
    Quantiles never cross, nothing is negative, and nothing is sold on a closed day or by a series
    whose scale is 0. The mean is at least half of P50 and a tenth of P90 (Markov's inequality: of
    what is never negative, half of the days sell P50 or more and a tenth sell P90 or more).
    """
    calibration = manifest["calibration"]
    margins = blended(margins, features, manifest)
    scale = usual_units(features, _effects(manifest))
    days = features[:, _COLUMN["horizon"]].astype(np.intp) - 1
    # Not by the product: the sign of a zero may differ between one row and many.
    nothing = (features[:, _COLUMN["open"]] == 0) | (scale == 0)
    units = {}
    for output, name in enumerate(SCORES):
        offset = _offsets(calibration, name, days)
        units[name] = np.maximum((margins[:, output] + offset) * scale, np.float32(0))
    p10, p50, p90 = (units[name] for name in QUANTILES)
    low, high = np.minimum(p10, p50), np.maximum(p10, p50)
    units["p10"] = np.minimum(low, p90)
    units["p50"] = np.maximum(low, np.minimum(high, p90))
    units["p90"] = np.maximum(high, p90)
    if calibration.get("round", False):
        for name in QUANTILES:
            units[name] = np.floor(units[name] + _HALF)
    # The mean's trees know nothing of the quantiles' and rounding lifts P50 and P90 by up to 0.5.
    least = np.maximum(_HALF * units["p50"], _TENTH * units["p90"])
    units["mean"] = np.maximum(units["mean"], least)
    return {name: np.where(nothing, np.float32(0), values) for name, values in units.items()}


def _effects(manifest: Mapping[str, Any]) -> Effects:
    found = manifest.get("effects", NO_EFFECTS)
    known = isinstance(found, Mapping) and set(found) <= set(EFFECTS)
    if not (known and all(_is_share(value) for value in found.values())):
        raise ArtifactAltered(
            f"The manifest's effects are not numbers from 0 to 1 by name ({', '.join(EFFECTS)}).",
            remedy="Train again, or promote another version.",
            field="effects",
        )
    return {name: float(value) for name, value in found.items()}


def _is_share(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and 0 <= value <= 1


def _offsets(calibration: Mapping[str, Any], name: str, days: NDArray[np.intp]) -> Float32:
    """The offset of each row, (m,), by its day ahead, from 0."""
    needed = int(days.max(initial=-1)) + 1
    with np.errstate(over="ignore"):  # too large becomes infinite, which is refused below
        offsets = np.array(calibration.get(name, [0.0] * needed), np.float32)
    if offsets.ndim != 1 or len(offsets) < needed or not np.isfinite(offsets).all():
        raise ArtifactAltered(
            f"The manifest's calibration of {name} is no list of finite numbers, one for each day "
            f"ahead; day {needed} was asked for.",
            remedy="Train again, or promote another version.",
            field=f"calibration.{name}",
        )
    found: Float32 = offsets[days]
    return found
