"""What the shop knows ahead: when a store is open, what is promoted, and at which price."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date

import holidays
import numpy as np
from numpy.typing import NDArray

from daybreak.sources.synthetic.catalogue import REGIONS, Catalogue, Floats, Stream, stream
from daybreak.sources.synthetic.options import ShopOptions

Flags = NDArray[np.bool_]
DEPTHS = np.array([0.1, 0.2, 0.3])
PRICE_REVIEW_DAYS = 91
LONGEST_CLOSURE = 3
STORE_TAKES_PART = 0.85
"""Share of stores that follow the chain's leaflet for a given item and week."""

SCHOOL_HOLIDAYS = ((214, 222), (401, 414), (525, 531), (722, 831), (1024, 1031), (1220, 1231))
"""First and last day as month * 100 + day; each region is some days later than the one before."""
REGION_LAG_DAYS = 3


@dataclass(frozen=True)
class Days:
    """The calendar from the start to the last planned date: D days."""

    dates: NDArray[np.datetime64]
    weekday: NDArray[np.intp]
    day_of_year: NDArray[np.int64]
    public_holiday: Flags
    holiday_eve: Flags
    always_closed: Flags
    school_holiday: Flags  # (D, regions)

    def __len__(self) -> int:
        return len(self.dates)


@dataclass(frozen=True)
class StorePlan:
    """One store: ``open`` and ``school_holiday`` (D,), the others (D, I).

    ``price`` is in currency units and cents. ``promotion`` is true on days of a leaflet.
    ``carried`` is false before an item is launched.
    """

    open: Flags
    school_holiday: Flags
    carried: Flags
    price: Floats
    promotion: Flags


def make_days(options: ShopOptions) -> Days:
    """Dates and what the whole chain knows of them."""
    first, last = np.datetime64(options.start, "D"), np.datetime64(options.last_planned, "D")
    dates = np.arange(first, last + 1)
    days: list[date] = dates.tolist()
    years = range(options.start.year, options.last_planned.year + 2)
    known = holidays.country_holidays(options.country, years=years)
    public = np.array([day in known for day in days])
    eve = np.array([day in known for day in (dates + 1).tolist()])
    shifted = [(dates - REGION_LAG_DAYS * n).tolist() for n in range(len(REGIONS))]
    return Days(
        dates=dates,
        weekday=((dates.astype(np.int64) + 3) % 7).astype(np.intp),  # 1970-01-01 was a Thursday
        day_of_year=(dates - dates.astype("M8[Y]").astype("M8[D]")).astype(np.int64) + 1,
        public_holiday=public,
        holiday_eve=eve & ~public,
        always_closed=public & np.array([(d.month, d.day) in {(1, 1), (12, 25)} for d in days]),
        school_holiday=np.array([[_school_is_out(day) for day in region] for region in shifted]).T,
    )


def plan_store(options: ShopOptions, catalogue: Catalogue, days: Days, store: int) -> StorePlan:
    """Everything that store number ``store`` knows ahead."""
    age = np.arange(len(days))[:, None] - catalogue.launch
    promotion, depth = _leaflet(options, days, store)
    regular = _regular_prices(options, catalogue, days)
    return StorePlan(
        open=_open(options, catalogue, days, store),
        school_holiday=days.school_holiday[:, catalogue.region[store]],
        carried=age >= 0,
        price=np.round(regular * (1 - depth), 2),
        promotion=promotion,
    )


def _school_is_out(day: date) -> bool:
    return any(first <= day.month * 100 + day.day <= last for first, last in SCHOOL_HOLIDAYS)


def _open(options: ShopOptions, catalogue: Catalogue, days: Days, store: int) -> Flags:
    draws = stream(options, Stream.CLOSURES, store).random((len(days), 2))
    starts = draws[:, 0] < options.special_closure_rate
    lengths = 1 + np.floor(draws[:, 1] * LONGEST_CLOSURE)
    closed = spells(starts, lengths, LONGEST_CLOSURE) | days.always_closed
    if catalogue.closes_on_weekdays[store]:
        closed |= np.isin(days.weekday, options.closed_weekdays)
    if not catalogue.opens_on_holidays[store]:
        closed |= days.public_holiday
    return ~closed


def _leaflet(options: ShopOptions, days: Days, store: int) -> tuple[Flags, Floats]:
    """A leaflet runs Monday to Sunday over the chain; some stores leave an item out of it."""
    week = (np.arange(len(days)) + days.weekday[0]) // 7
    shape = (int(week[-1]) + 1, options.items)
    chain = stream(options, Stream.LEAFLET).random((*shape, 2))
    local = stream(options, Stream.STORE_RANGE, store).random(shape)
    promoted = (chain[..., 0] < options.promotion_share) & (local < STORE_TAKES_PART)
    depth = DEPTHS[np.floor(chain[..., 1] * len(DEPTHS)).astype(np.intp)]
    return promoted[week], np.where(promoted, depth, 0.0)[week]


def _regular_prices(options: ShopOptions, catalogue: Catalogue, days: Days) -> Floats:
    """Prices are reviewed every quarter, so that price moves without a promotion too."""
    quarter = np.arange(len(days)) // PRICE_REVIEW_DAYS
    draws = stream(options, Stream.PRICES).random((int(quarter[-1]) + 1, options.items))
    level = np.exp(0.24 * (draws - 0.5))
    level[0] = 1.0
    return np.asarray(np.round(catalogue.base_price * level, 2)[quarter])


def spells(starts: Flags, lengths: NDArray[np.floating], longest: int) -> Flags:
    """Days (axis 0) that lie within a spell; a spell begins at a start and lasts its length."""
    within = np.zeros_like(starts)
    for age in range(min(longest, len(starts))):
        within[age:] |= (starts & (lengths > age))[: len(starts) - age]
    return within
