"""What a lower price adds to the units of a series, learned from days without a promotion.

Of a share by which the price is lower than usual, units rise by so many times that share: the
*price effect*, an elasticity at the usual price. It is learned as factors of days are
(`profile`): for all series, then for each category, item, shelf and series as a deviation that
counts by how much such deviations differ beside what is noise.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from daybreak.facts.panel import Panel
from daybreak.models.sales_forecast.features.recent import Matrix, Rows, around_each
from daybreak.models.sales_forecast.features.shrinkage import deviated

MOST_LOWER = 0.5
"""A price counts as half or half as much again at most: beyond, few data say what it does."""


def lower_by(price: NDArray[Any], usual: NDArray[Any]) -> NDArray[Any]:
    """By what share a price is below the usual one, of their dtype; 0 where either is unknown."""
    with np.errstate(divide="ignore", invalid="ignore"):
        share = 1 - price / usual
    known = np.isfinite(share)
    return np.asarray(np.where(known, share.clip(-MOST_LOWER, MOST_LOWER), np.zeros_like(share)))


def multiplier(effect: NDArray[Any], lower: NDArray[Any]) -> NDArray[Any]:
    """By what a price multiplies units, of their dtype: ``1 + effect * lower``.

    The reciprocal where the price is higher, so that it is positive whatever the effect.
    """
    change = 1 + effect * np.abs(lower)
    return np.asarray(np.where(lower < 0, 1 / change, change))


def planned(panel: Panel, first: int, last: int, rows: Rows) -> Matrix:
    """Prices of the columns ``first`` to ``last``, (n, days); NaN where no plan gives them.

    Of a price that is known with the sale only, tomorrow's is not known: its effect is no help.
    """
    price = panel.price[rows, first : last + 1].astype(np.float64)
    return price if "price" in panel.planned else np.full_like(price, np.nan)


def by_price(
    price: Matrix, units: Matrix, factor: Matrix, plain: NDArray[np.bool_], reach: int
) -> tuple[Matrix, Matrix]:
    """What units say of prices, (n,) each: units beyond what their level explains by how much
    lower the price was, and the level by the square of that. Their ratio is the price effect.

    Of days ``plain``, without a promotion; all (n, days). Prices and units are seen beside those
    of such days within ``reach`` columns, so nothing that moves slowly takes part.
    """
    plain = plain & (price > 0)
    if not plain.any():
        return np.zeros(len(price)), np.zeros(len(price))
    prices, sold, expected, days = (
        around_each(np.where(plain, values, 0.0), reach)
        for values in (price, units, factor, np.ones_like(price))
    )
    usual = np.where(plain, prices / np.maximum(days, 1.0), np.nan)
    fitted = np.where(plain, sold / np.maximum(expected, 1e-9) * factor, 0.0)
    lower = lower_by(price, usual)
    return (lower * (units - fitted)).sum(axis=1), (np.square(lower) * fitted).sum(axis=1)


def price_effect(
    beyond: Matrix,
    level: Matrix,
    dispersion: Matrix,
    weight: Matrix,
    groups: Sequence[NDArray[np.intp]],
) -> Matrix:
    """The price effect of each series, (n,), not below 0.

    ``beyond`` and ``level`` are of `by_price`, the others as of `profile.factors_of`. It is 0
    where prices do not move or are not known ahead.
    """
    own = (beyond, level, level * dispersion)
    weighed = tuple(values * weight for values in own)
    units, total, noise = (values.sum() for values in weighed)
    if not (total > 0 and units > 0):
        return np.zeros(len(level))
    effect = np.full(len(level), units / total * max(0.0, 1.0 - noise / units**2))
    alone = np.arange(len(level), dtype=np.intp)
    for group, (units, total, noise) in (*((group, weighed) for group in groups), (alone, own)):
        effect = deviated(effect, units, total, noise, group)
    return np.asarray(np.maximum(effect, 0.0))
