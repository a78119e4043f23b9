"""From the booster's margins to units: the same few exact operations for batch and online.

Only ``+ * / min max floor`` and comparisons of single float32 values are used, each of which IEEE
754 defines to the last bit, so a row gives the same bits in any batch and on any processor.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from math import isfinite
from typing import Any

import numpy as np

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
_ZERO = np.float32(0)
_HALF = np.float32(0.5)
_TENTH = np.float32(0.1000001)
"""Just above a tenth, so that the rounded product is not below one in any arithmetic."""


def usual_units(features: Float32, effects: Effects) -> Float32:
    """What a margin of 1 stands for in each row, float32 (m,): the level of the series by the
    factor of the day and by as much of seasons and trend as a version says."""
    units = features[:, _COLUMN["scale"]] * features[:, _COLUMN["day_factor"]]
    season, of_item, of_trend = (effects.get(name, 0.0) for name in (SEASON, ITEM_SEASON, TREND))
    # What is not followed is left out: a product of ones, whatever is known.
    if season or of_item:
        moved = followed(features[:, _COLUMN["season"]], season)
        units = units * (moved * followed(features[:, _COLUMN["item_season"]], of_item))
    if of_trend:
        units = units * followed(trend_of(features), of_trend)
    return np.asarray(units)


def trend_of(features: Float32) -> Float32:
    """By what the level of each row is multiplied where its item's trend goes on, float32 (m,)."""
    slope, ahead, observed = (
        features[:, _COLUMN[name]] for name in ("item_slope", "selling_day", "observed")
    )
    return np.asarray(trend(slope, ahead, observed))


@dataclass(frozen=True)
class Link:
    """What a manifest says of it, checked once: a request has one row, and the manifest is long.

    ``offsets``: of each day ahead and output, float32 (days, 4); None where there are none.
    """

    manifest: Mapping[str, Any]
    effects: Effects
    offsets: Float32 | None
    whole: bool

    @classmethod
    def of(cls, manifest: Mapping[str, Any]) -> Link:
        """Raises ``ArtifactAltered`` where the manifest cannot be followed."""
        calibration = manifest.get("calibration")
        if not isinstance(calibration, Mapping):
            raise ArtifactAltered(
                "The manifest has no calibration.",
                remedy="Train again, or promote another version.",
                field="calibration",
            )
        return cls(
            manifest,
            _effects(manifest),
            _offsets(calibration),
            bool(calibration.get("round", False)),
        )

    def units(self, margins: Float32, features: Float32) -> dict[str, Float32]:
        """As `link`."""
        scale = usual_units(features, self.effects)
        margins = blended(margins, features, self.manifest)
        # Also where there are none: no zero is left with a sign.
        margins = margins + self._on(features[:, _COLUMN["horizon"]])
        found = np.maximum(margins * scale[:, None], _ZERO)
        p10, p50, p90, mean = found.T
        low, high = np.minimum(p10, p50), np.maximum(p10, p50)
        units = np.empty((4, len(features)), np.float32)
        np.minimum(low, p90, out=units[0])
        np.maximum(low, np.minimum(high, p90), out=units[1])
        np.maximum(high, p90, out=units[2])
        if self.whole:
            np.floor(units[:3] + _HALF, out=units[:3])
        # The mean's trees know nothing of the quantiles' and rounding lifts P50 and P90 by up to
        # 0.5.
        np.maximum(mean, np.maximum(_HALF * units[1], _TENTH * units[2]), out=units[3])
        # Not by the product: the sign of a zero may differ between one row and many.
        units[:, (features[:, _COLUMN["open"]] == 0) | (scale == 0)] = _ZERO
        return dict(zip(SCORES, units, strict=True))

    def units_of_one(self, margins: Float32, features: Float32) -> list[np.float32] | None:
        """As `link` of one row, in the order of ``SCORES``; None where that has to say what it is.

        Single numbers take a tenth of the time of arrays. They are compared as float64, which
        changes nothing: rounding to float32 at the end keeps their order.
        """
        row = features[0]
        scale = row[_COLUMN["scale"]] * row[_COLUMN["day_factor"]]
        if any(self.effects.values()):
            scale = usual_units(features, self.effects)[0]
        if row[_COLUMN["open"]] == 0 or scale == 0:
            return [_ZERO] * len(SCORES)
        day = int(row[_COLUMN["horizon"]])
        if self.offsets is not None and day > len(self.offsets):
            return None
        on = _ZERO if self.offsets is None else self.offsets[day - 1]
        margins = blended(margins, features, self.manifest)
        found = np.maximum((margins + on) * scale, _ZERO)[0].tolist()
        if not all(map(isfinite, found)):
            return None
        p10, p50, p90, mean = found
        low, high = min(p10, p50), max(p10, p50)
        units = np.array([min(low, p90), max(low, min(high, p90)), max(high, p90), 0], np.float32)
        if self.whole:
            units = np.floor(units + _HALF)
        _, p50, p90, _ = units.tolist()
        units[3] = max(mean, float(_HALF) * p50, float(_TENTH) * p90)
        return list(units)

    def _on(self, days: Float32) -> Float32:
        """The offsets of rows so many days ahead, (m, 4); one 0 for all where there are none."""
        if self.offsets is None:
            return np.zeros((1, 1), np.float32)
        try:
            return self.offsets[days.astype(np.intp) - 1]
        except IndexError:
            raise ArtifactAltered(
                f"The manifest's calibration has no offset for day {int(days.max())}.",
                remedy="Train again, or promote another version.",
                field="calibration",
            ) from None


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
    return Link.of(manifest).units(margins, features)


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


def _offsets(calibration: Mapping[str, Any]) -> Float32 | None:
    """By day ahead and output, (days, 4), of as many days as all that are named have."""
    found: dict[str, Float32] = {}
    for name in SCORES:
        if name not in calibration:
            continue
        with np.errstate(over="ignore"):  # too large becomes infinite, which is refused
            try:
                found[name] = np.array(calibration[name], np.float32)
            except (TypeError, ValueError):
                raise _no_offsets(name) from None
        if found[name].ndim != 1 or not found[name].size or not np.isfinite(found[name]).all():
            raise _no_offsets(name)
    if not found:
        return None
    days = min(map(len, found.values()))
    none = np.zeros(days, np.float32)
    return np.stack([found.get(name, none)[:days] for name in SCORES], axis=1)


def _no_offsets(name: str) -> ArtifactAltered:
    return ArtifactAltered(
        f"The manifest's calibration of {name} is no list of finite numbers, one for each day "
        f"ahead.",
        remedy="Train again, or promote another version.",
        field=f"calibration.{name}",
    )
