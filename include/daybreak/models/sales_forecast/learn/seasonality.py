"""How far the coming days follow the seasons of a year ago, by what the days after past origins
did."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from daybreak.models.sales_forecast.features.layout import FEATURES
from daybreak.models.sales_forecast.features.season import by_season
from daybreak.models.sales_forecast.learn.clusters import error_of_ratio
from daybreak.models.sales_forecast.learn.sampling import Sample

BLOCK_DAYS = 28
"""Days that are one observation: a season, and what departs from it, lasts for weeks."""
MOST_RATIO = 20.0
"""A day counts at most this many times what was expected."""
SEASON, OF_ITEM, MEAN = (FEATURES.index(name) for name in ("season", "item_season", "mean_56"))

Floats = NDArray[np.float64]


def season_effects(sample: Sample, step: int) -> tuple[float, float]:
    """The shares by which units followed the season of the category, and what an item deviates
    from it, 0 to 1 each: the manifest's ``season_effects``. ``step``: days of a period."""
    expected = sample.scale.astype(np.float64) * sample.features[:, MEAN]
    block = (sample.origin + sample.horizon) * step // BLOCK_DAYS
    season, of_item = (sample.features[:, place].astype(np.float64) for place in (SEASON, OF_ITEM))
    first = _effect(sample.units, expected, season, block)
    return first, _effect(sample.units, expected * by_season(season, first), of_item, block)


def _effect(
    units: NDArray[np.float32], expected: Floats, season: Floats, block: NDArray[np.int64]
) -> float:
    """A regression through the origin of units over what was expected of them, less 1, on the
    season less 1. Rows weigh by the root of their volume.

    It is drawn to 0 by its standard error, where a block is one observation: of one odd month
    nothing is learned.
    """
    known = ~np.isnan(season) & (expected > 0)
    move = season[known] - 1
    ratio = np.minimum(units[known] / expected[known], MOST_RATIO)
    weight = np.sqrt(expected[known])
    _, place = np.unique(block[known], return_inverse=True)
    above = np.bincount(place, weight * move * (ratio - 1)).astype(np.float64)
    below = np.bincount(place, weight * np.square(move)).astype(np.float64)
    error = error_of_ratio(above, below)
    effect = above.sum() / below.sum() if error is not None else 0.0
    if error is None or not effect > 0:
        return 0.0
    return float(np.float32(min(effect * max(0.0, 1 - (error / effect) ** 2), 1.0)))
