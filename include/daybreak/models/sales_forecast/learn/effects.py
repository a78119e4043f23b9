"""How far the coming days follow the seasons of a year ago, or the trend of their item, by what the
days after past origins did."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from daybreak.facts.panel import Panel
from daybreak.models.sales_forecast.features.effects import (
    ITEM_SEASON,
    SEASON,
    TREND,
    Effects,
)
from daybreak.models.sales_forecast.features.groups import groups_of, names_of
from daybreak.models.sales_forecast.features.layout import FEATURES
from daybreak.models.sales_forecast.learn.clusters import error_of_ratio
from daybreak.models.sales_forecast.learn.sampling import Sample
from daybreak.models.sales_forecast.link import trend_of, usual_units

BLOCK_DAYS = 28
"""Days that are one observation: a season, and what departs from it, lasts for weeks."""
MOST_RATIO = 20.0
"""A day counts at most this many times what was expected."""
MEAN = FEATURES.index("mean_56")

Floats = NDArray[np.float64]


def effects_of(sample: Sample, step: int, *, priced: bool) -> Effects:
    """The shares by which units followed what is known of them, by name. ``step``: days of a
    period.

    The seasons of a year ago, or the trend of the item where no row knows a year: of more history
    trees learn by themselves what a trend is worth. ``priced``: plans give prices. Last year's days
    stood at others then, what prices do would be mixed into the season, and trees, which know both,
    tell them apart. They do not of weeks, of which a year has too few.
    """
    if np.isnan(sample.features[:, FEATURES.index(SEASON)]).all():
        names: tuple[str, ...] = (TREND,)
    else:
        names = () if priced and step == 1 else (SEASON, ITEM_SEASON)
    block = (sample.origin + sample.horizon) * step // BLOCK_DAYS
    effects: dict[str, float] = {}
    for name in names:
        moves = _moves(sample, name)
        effects[name] = _effect(sample, _expected(sample, effects), moves, block)
    return effects


def effects_of_one_origin(panel: Panel, sample: Sample) -> Effects:
    """The same of a shop that is too young for trees: the share by which units of a sample of one
    origin followed the trend of their item.

    What all items did together is left out, and an item is one observation.
    """
    expected = _expected(sample, {})
    common = sample.units.sum(dtype=float) / max(expected.sum(), 1e-9)
    item = groups_of(names_of(panel)).item[sample.series]
    return {TREND: _effect(sample, expected * common, _moves(sample, TREND), item)}


def _moves(sample: Sample, name: str) -> Floats:
    """By what one of `EFFECTS` multiplies units, float64 (m,); NaN where it is unknown."""
    of_name = (
        trend_of(sample.features) if name == TREND else sample.features[:, FEATURES.index(name)]
    )
    return of_name.astype(np.float64)


def _expected(sample: Sample, effects: Effects) -> Floats:
    level = usual_units(sample.features, effects).astype(np.float64)
    return level * sample.features[:, MEAN]


def _effect(sample: Sample, expected: Floats, moves: Floats, block: NDArray[np.integer]) -> float:
    """A regression through the origin of units over what was expected of them, less 1, on the
    multiplier less 1. Rows weigh by the root of their volume.

    It is drawn to 0 by its standard error, where a block is one observation: of one odd month
    nothing is learned. Of a few that agree by chance a day is one.
    """
    known = ~np.isnan(moves) & (expected > 0)
    move = moves[known] - 1
    ratio = np.minimum(sample.units[known] / expected[known], MOST_RATIO)
    weight = np.sqrt(expected[known])
    above, below = weight * move * (ratio - 1), weight * np.square(move)
    day = (sample.origin + sample.horizon)[known]
    error = error_of_ratio(above, below, block[known], day)
    if error is None or len(np.unique(block[known])) < 2:
        return 0.0
    effect = above.sum() / below.sum()
    if not effect > 0:
        return 0.0
    return float(np.float32(min(effect * max(0.0, 1 - (error / effect) ** 2), 1.0)))
