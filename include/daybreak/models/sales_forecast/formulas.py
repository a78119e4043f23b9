"""Forecasts by a formula of a few features: baselines, as versions and beside trees.

A data set whose first versions are refused, or that has too little history to learn from, has one
of these in force (`learn/untrained.py`). Trees that were grown on little are mixed with one
(`learn/blend.py`).
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import reduce
from typing import Any

import numpy as np

from daybreak.models.baselines import of_manifest
from daybreak.models.sales_forecast.features.layout import FEATURES
from daybreak.types import Float32

_QUANTILES = ("p10_56", "p50_56", "p90_56")
_WEEKDAY = "weekday_profile"
FORMULAS: dict[str, tuple[tuple[str, ...], ...]] = {
    "empirical_56": (*((name,) for name in _QUANTILES), ("mean_56",)),
    "weekday_56": (*((name, _WEEKDAY) for name in _QUANTILES), ("same_weekday",)),
}
"""By name, for each output (`link.SCORES`) the features whose product it is, in units of the scale.

``empirical_56``: the quantiles and the mean of the last 56 selling days. ``weekday_56``: the same
by the weekday's share, as it is in the store and category; the mean of that weekday.
"""

USUAL = "weekday_56"
"""Where nothing was measured."""


def margins_of(features: Float32, manifest: Mapping[str, Any]) -> Float32:
    """What trees would give, float32 (m, 4), for features (m, F).

    Raises ``ArtifactAltered`` where the manifest names no formula.
    """
    name = of_manifest(manifest, FORMULAS)
    margins = np.empty((len(features), len(FORMULAS[name])), np.float32)
    for output, factors in enumerate(FORMULAS[name]):
        columns = (features[:, FEATURES.index(factor)] for factor in factors)
        margins[:, output] = reduce(np.multiply, columns)
    return margins


def blended(margins: Float32, features: Float32, manifest: Mapping[str, Any]) -> Float32:
    """What the link goes on with, float32 (m, 4): margins of trees, of a formula, or of both.

    A version without trees has margins (m, 0) and is its formula. ``manifest["blend"]`` mixes:
    ``{"baseline": a formula, "trees": [a share for each output]}``.
    """
    if not margins.shape[1]:
        return margins_of(features, manifest)
    blend = manifest.get("blend")
    if blend is None:
        return margins
    trees = np.array(blend["trees"], np.float32)
    return margins * trees + margins_of(features, blend) * (np.float32(1) - trees)
