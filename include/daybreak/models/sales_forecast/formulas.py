"""Forecasts by a few features alone: baselines, as versions and beside trees.

A data set whose first versions are refused, or that has too little history to learn from, has one
of these in force (`learn/untrained.py`). Trees that were grown on little are mixed with one
(`learn/blend.py`).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from daybreak.models.baselines import answering_by, of_manifest
from daybreak.models.sales_forecast.features.effects import NO_EFFECTS, Effects
from daybreak.models.sales_forecast.features.layout import FEATURES
from daybreak.models.sales_forecast.features.prices import lower_by, multiplier
from daybreak.types import Float32

FORMULAS: dict[str, tuple[str, ...]] = {
    "weekday_28": ("p10_28", "p50_28", "p90_28", "mean_28"),
    "weekday_56": ("p10_56", "p50_56", "p90_56", "mean_56"),
}
"""By name, the feature that stands for each output (`link.SCORES`): quantiles and mean of the last
28 or 56 selling days, as if each had been a usual day. The link multiplies them by the factor of
the day, so promotions and weekdays are in them."""

_COLUMNS = {
    name: np.array([FEATURES.index(feature) for feature in of_output])
    for name, of_output in FORMULAS.items()
}
_OF_PROMOTIONS = [
    FEATURES.index(name)
    for name in (
        *("promotion", "promotion_share", "promotion_lift"),
        *("price", "reference_price", "price_effect", "regular_mean", "mean_56"),
    )
]

USUAL = "weekday_56"
"""Where nothing was measured."""


def answers(name: str, whole: bool, effects: Effects = NO_EFFECTS) -> dict[str, Any]:
    """What the manifest of a version without trees says; ``whole``: quantiles in whole units."""
    calibration = {"round": whole}
    return answering_by(name) | {"calibration": calibration, "effects": {**effects}}


def margins_of(features: Float32, manifest: Mapping[str, Any]) -> Float32:
    """What trees would give, float32 (m, 4), for features (m, F).

    Raises ``ArtifactAltered`` where the manifest names no formula.
    """
    margins = features[:, _COLUMNS[of_manifest(manifest, FORMULAS)]]
    return margins * _promoted(features)[:, None]


def _promoted(features: Float32) -> Float32:
    """By what levels are multiplied where prices are known ahead, float32 (m,); else 1.

    The factor of the day knows weekday and price only then, and trees learn what a promotion sells
    beyond its price. Without them, a promoted day sells what such days do by the lift, whatever its
    price, and other days the level without promoted ones.
    """
    promotion, share, lift, price, usual, effect, regular, mean = features.T[_OF_PROMOTIONS]
    one = np.float32(1)
    level = np.where(mean > 0, regular / np.where(mean > 0, mean, one), one)
    lifted = (promotion > 0) & (share < 1)  # of promoted days only, the level is theirs
    beyond = np.where(lifted, lift / multiplier(effect, lower_by(price, usual)), one)
    return np.asarray(np.where(np.isnan(usual), one, level * beyond))


def blended(margins: Float32, features: Float32, manifest: Mapping[str, Any]) -> Float32:
    """What the link goes on with, float32 (m, 4): margins of trees, of a formula, or of both.

    A version without trees has margins (m, 0) and is its formula. ``manifest["blend"]`` mixes:
    ``{"baseline": a formula, "trees": [a share for each output]}``. Of trees alone the formula is
    not asked.
    """
    if not margins.shape[1]:
        return margins_of(features, manifest)
    blend = manifest.get("blend")
    if blend is None:
        return margins
    if all(share == 1 for share in blend["trees"]):
        return margins
    trees = np.array(blend["trees"], np.float32)
    return margins * trees + margins_of(features, blend) * (np.float32(1) - trees)
