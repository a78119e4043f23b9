"""What the night says of an ordinary day, for the moments of the day after it."""

from __future__ import annotations

from datetime import date, timedelta
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import BigInteger, Connection, cast, extract, func, literal, select

from daybreak.clock import AsOf
from daybreak.models.pricing.choice.offers import Offers
from daybreak.models.pricing.demand import Demand
from daybreak.models.pricing.live.profile import DAYS, Floats, Profile, bounds, profile_of
from daybreak.prices.live import LiveSales
from daybreak.signals.entries import Reach
from daybreak.signals.stream import read_stream
from daybreak.warehouse.tables import event

LEAST_DEVIATION, LARGEST_DEVIATION = 0.05, 1.0
"""Of the level of a day, as a share of its mean: however sure a forecast is, and however unsure."""
P10_TO_P90 = 2.563
"""Standard deviations between these quantiles of a normal distribution."""


def first_day(
    offers: Offers, demand: Demand, units: Floats, spent: NDArray[np.bool_]
) -> dict[str, NDArray[Any]]:
    """What moments of the first day need of each of n prices, (n,). ``units`` (n,): expected at the
    current price in the days that a price is judged by. ``spent``: stock that has to go.

    ``expected``: units that are forecast for it at the current price; NaN where nobody knows.
    ``prior``: with how many units that weighs against those that are seen: 1 / cv², with cv the
    deviation of the day's level beyond that of Poisson counts. ``promised``: 1 where the price of
    the day may not change. ``stock``: units that can be sold in the days that a price is judged by,
    NaN unknown: what there was at the close of the business date where that has to go, and as much
    each day where it is filled up again.
    """
    mean, low, high = demand.units[:, 0].T
    planned, price = demand.planned[:, 0], np.maximum(offers.price, 1).astype(np.float64)
    known = ~np.isnan(demand.elasticity) & (planned > 0)
    curve = np.where(known, price / np.where(planned > 0, planned, 1.0), 1.0)
    expected = mean * curve ** np.where(known, demand.elasticity, 0.0)
    usual = np.maximum(mean, 1e-9)
    deviation = ((high - low) / P10_TO_P90) ** 2 - usual
    cv = np.sqrt(np.maximum(deviation, 0.0)) / usual
    expected = np.where(mean > 0, expected, np.nan)
    stock = np.where(offers.stock < 0, np.nan, offers.stock)
    return {
        "expected": expected,
        "prior": np.clip(cv, LEAST_DEVIATION, LARGEST_DEVIATION) ** -2,
        "promised": ~demand.free[:, 0],
        "stock": np.where(spent, stock, stock * (units / expected)),
    }


def read_profile(conn: Connection, as_of: AsOf, sales: LiveSales, minutes: int) -> Profile:
    """When in a day units came, in the last days up to the business date, known at the cutoff."""
    stream = read_stream(conn, sales.stream)
    since = as_of.business_date - timedelta(days=DAYS - 1)
    c = event.c
    store = c[stream.key_slot(sales.store_id)]
    units = (
        literal(1) if sales.units is None else func.coalesce(c[stream.amount_slot(sales.units)], 0)
    )
    shown = func.timezone(literal(stream.timezone), c.event_at)
    minute = extract("hour", shown) * 60 + extract("minute", shown)
    slot = cast(func.div(minute, minutes), BigInteger)
    rows = conn.execute(
        select(store, slot, func.sum(units), func.array_agg(c.business_date.distinct()))
        .where(
            c.stream == stream.name,
            store.is_not(None),
            c.business_date.between(since, as_of.business_date),
            *Reach(since, as_of.cutoff).on(c.loaded_at),
        )
        .group_by(store, slot)
    ).all()
    slots = len(bounds(minutes)) - 1
    sold: dict[str, Floats] = {}
    days: dict[str, set[date]] = {}
    for name, place, total, on in rows:
        sold.setdefault(name, np.zeros(slots))[place] = float(total)
        days.setdefault(name, set()).update(on)
    shop = len(set().union(*days.values())) if days else 0
    return profile_of(sold, {name: len(on) for name, on in days.items()}, shop)
