"""Demand and sales: known means, drawn units, stock-outs."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from daybreak.sources.synthetic.catalogue import (
    CATEGORIES,
    FRESH_RAMP_DAYS,
    Catalogue,
    Floats,
    Stream,
    stream,
)
from daybreak.sources.synthetic.options import ShopOptions
from daybreak.sources.synthetic.plan import Days, Flags, StorePlan, spells

LONGEST_SHORTAGE = 4
FULLEST_SHORTAGE = 0.6
"""On a day of stock-out the shelf holds up to this share of the mean demand."""


@dataclass(frozen=True)
class StoreDemand:
    """One store, all (D, I): mean demand, units sold, whether stock ran short, and how much."""

    rate: Floats
    units: NDArray[np.int32]
    short: Flags
    stock: NDArray[np.int32]


def draw_store(
    options: ShopOptions, catalogue: Catalogue, days: Days, plan: StorePlan, store: int
) -> StoreDemand:
    """Draw the units of one store. All draws run day by day, so a later end changes no past day."""
    rate = mean_demand(catalogue, days, plan, store)
    wanted = _draw(options, rate, store)
    draws = stream(options, Stream.SHORTAGE, store).random((*rate.shape, 2))
    starts = draws[..., 0] < options.stockout_rate
    short = spells(starts, 1 + np.floor(draws[..., 1] * LONGEST_SHORTAGE), LONGEST_SHORTAGE)
    short &= rate > 0
    fullness = stream(options, Stream.SHORTAGE_LEVEL, store).random(rate.shape)
    stock = np.floor(FULLEST_SHORTAGE * fullness * rate).astype(np.int32)
    units = np.where(short, np.minimum(wanted, stock), wanted).astype(np.int32)
    return StoreDemand(rate, units, short, stock)


def mean_demand(catalogue: Catalogue, days: Days, plan: StorePlan, store: int) -> Floats:
    """The mean of demand (D, I): a product of the planted effects, 0 when closed or not carried."""
    kinds = range(len(CATEGORIES))
    day = np.stack([_day_factor(catalogue, days, plan, store, kind) for kind in kinds], axis=1)
    age = np.arange(len(days))[:, None] - catalogue.launch
    ramp = np.where(catalogue.launch > 0, 1 - 0.6 * np.exp(-age.clip(0) / FRESH_RAMP_DAYS), 1.0)
    trend = np.exp(catalogue.growth * np.arange(len(days))[:, None] / 365.25)
    price = (plan.price / catalogue.base_price) ** catalogue.elasticity
    promotion = np.where(plan.promotion, catalogue.promotion_uplift, 1.0)
    level = catalogue.base_units * catalogue.size[store]
    rate = level * day[:, catalogue.category] * ramp * trend * price * promotion
    return np.where(plan.open[:, None] & plan.carried, rate, 0.0)


def _day_factor(catalogue: Catalogue, days: Days, plan: StorePlan, store: int, kind: int) -> Floats:
    """What the date does to a category in a store (D,)."""
    category = CATEGORIES[kind]
    weekend = np.where(days.weekday >= 5, 1.0, -0.4) * catalogue.weekend_taste[store]
    wave = category.season * np.cos(2 * np.pi * (days.day_of_year - category.peak) / 365.25)
    factor = np.array(category.week)[days.weekday] * np.exp(weekend + wave)
    factor *= np.where(plan.school_holiday, category.school_holiday, 1.0)
    factor *= np.where(days.holiday_eve, category.holiday_eve, 1.0)
    return np.asarray(factor * catalogue.category_taste[store, kind])


def _draw(options: ShopOptions, rate: Floats, store: int) -> NDArray[np.int64]:
    """Poisson, or negative binomial as a Poisson whose mean has a gamma factor of mean 1.

    Two streams: with one, the first Poisson draw would depend on how many days there are.
    """
    if options.dispersion > 0:
        luck = stream(options, Stream.LUCK, store)
        rate = rate * luck.gamma(1 / options.dispersion, options.dispersion, rate.shape)
    return stream(options, Stream.DEMAND, store).poisson(rate)
