"""The shop's stores and items, and the effects planted in each of them."""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum

import numpy as np
from numpy.typing import NDArray

from daybreak.sources.synthetic.options import ShopOptions

Floats = NDArray[np.float64]


class Stream(IntEnum):
    """One independent random stream a purpose, so that a new one leaves the others as they are."""

    ITEMS = 1
    STORES = 2
    LEAFLET = 3
    PRICES = 4
    CLOSURES = 5
    STORE_RANGE = 6
    DEMAND = 7
    SHORTAGE = 8
    USERS = 9
    VISITS = 10
    SHORTAGE_LEVEL = 11
    LUCK = 12
    COSTS = 13
    COMPETITORS = 14
    STOCK = 15


def stream(options: ShopOptions, purpose: Stream, index: int = 0) -> np.random.Generator:
    """The generator of one purpose (and store, or month)."""
    return np.random.default_rng(np.random.SeedSequence(options.seed, spawn_key=(purpose, index)))


@dataclass(frozen=True)
class Category:
    """The planted truth of a category; every item of it shares these."""

    name: str
    elasticity: float  # demand follows (price / base price) ** elasticity
    promotion: float  # demand of a promoted item, beside what its lower price does, times this
    season: float  # half-height of the year's wave, in log demand
    peak: int  # day of the year on which the wave is highest
    week: tuple[float, ...]  # Monday to Sunday, times
    school_holiday: float  # times, on school holidays
    holiday_eve: float  # times, on the day before a public holiday
    price: float  # median price of an item


CATEGORIES = (
    Category("bakery", -1.3, 1.25, 0.10, 20, (0.9, 0.85, 0.9, 0.95, 1.1, 1.4, 1.2), 1.0, 1.5, 2),
    Category("drinks", -1.9, 1.40, 0.45, 200, (0.8, 0.8, 0.85, 0.9, 1.3, 1.5, 0.9), 1.1, 1.6, 4),
    Category("fresh", -1.5, 1.30, 0.20, 170, (1.0, 0.9, 0.95, 1.0, 1.2, 1.3, 0.8), 0.95, 1.4, 3),
    Category("household", -1.7, 1.35, 0.08, 95, (1.1, 0.9, 0.9, 0.9, 1.0, 1.4, 0.9), 1.0, 0.9, 6),
    Category("stationery", -1.4, 1.30, 0.40, 250, (1.2, 1.1, 1.1, 1.0, 1.0, 1.0, 0.6), 0.7, 0.8, 5),
    Category("toys", -2.2, 1.50, 0.60, 345, (0.7, 0.7, 0.8, 0.8, 1.1, 1.7, 1.3), 1.3, 1.2, 15),
)
REGIONS = ("north", "east", "south", "west")

FRESH_RAMP_DAYS = 21
"""A new item sells 40 % of its level at launch; two thirds of the gap is gone by this age."""


@dataclass(frozen=True)
class Catalogue:
    """Stores (S,) and items (I,) in key order. ``launch`` counts days from the start."""

    item_ids: NDArray[np.object_]
    category: NDArray[np.intp]
    base_units: Floats
    base_price: Floats
    growth: Floats
    launch: NDArray[np.int64]
    slow: NDArray[np.bool_]
    store_ids: NDArray[np.object_]
    region: NDArray[np.intp]
    size: Floats
    weekend_taste: Floats
    closes_on_weekdays: NDArray[np.bool_]
    opens_on_holidays: NDArray[np.bool_]
    category_taste: Floats

    @property
    def elasticity(self) -> Floats:
        """Planted price elasticity of each item (I,)."""
        return np.array([kind.elasticity for kind in CATEGORIES])[self.category]

    @property
    def promotion_uplift(self) -> Floats:
        """Planted factor of a promotion beside its price, of each item (I,)."""
        return np.array([kind.promotion for kind in CATEGORIES])[self.category]


def make_catalogue(options: ShopOptions) -> Catalogue:
    """Draw stores and items. Row by row, so that a larger shop begins with the smaller one."""
    draws = stream(options, Stream.ITEMS).random((options.items, 6))
    category = np.arange(options.items) % len(CATEGORIES)
    slow = draws[:, 0] < options.slow_share
    usual = options.units_per_day * np.exp(1.6 * (draws[:, 1] - 0.5))
    rare = 0.05 + 0.35 * draws[:, 1]
    # Launches fall into fixed days after the start and not into a share of the span: a later end
    # must not move them.
    late = draws[:, 2] < options.new_item_share
    launch = np.where(late, 90 + np.floor(draws[:, 3] * 500), 0).astype(np.int64)
    median_price = np.array([kind.price for kind in CATEGORIES])[category]

    shops = stream(options, Stream.STORES).random((options.stores, 4 + len(CATEGORIES)))
    return Catalogue(
        item_ids=np.array([f"I{n + 1:04d}" for n in range(options.items)], dtype=object),
        category=category,
        base_units=np.where(slow, rare, usual),
        base_price=np.round(median_price * np.exp(1.2 * (draws[:, 4] - 0.5)), 2),
        growth=0.3 * (draws[:, 5] - 0.4),
        launch=launch,
        slow=slow,
        store_ids=np.array([f"S{n + 1:03d}" for n in range(options.stores)], dtype=object),
        region=np.arange(options.stores) % len(REGIONS),
        size=np.exp(1.0 * (shops[:, 0] - 0.5)),
        weekend_taste=0.4 * (shops[:, 1] - 0.5),
        closes_on_weekdays=shops[:, 2] < options.closed_weekday_share,
        opens_on_holidays=shops[:, 3] < options.holiday_opening_share,
        category_taste=np.exp(0.8 * (shops[:, 4:] - 0.5)),
    )
