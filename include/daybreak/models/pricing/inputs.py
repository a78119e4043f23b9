"""From the facts of a night to what its prices are decided by."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import Connection

from daybreak.clock import AsOf, start_of_day
from daybreak.facts.costs import read_competitors, read_costs, read_stock
from daybreak.facts.panel import Panel
from daybreak.models.arrays import to_names
from daybreak.models.base import Part
from daybreak.models.pricing.choice.offers import UNKNOWN, Int64, Offers
from daybreak.models.pricing.choice.rails import markdowns
from daybreak.models.pricing.demand import Demand, Floats
from daybreak.models.pricing.elasticity.hyper import Hyper
from daybreak.models.pricing.forecast import Forecast, read_forecast
from daybreak.models.pricing.live.usual import read_profile
from daybreak.models.pricing.night import Interval, Night, decide
from daybreak.models.pricing.response import Estimates, responses, statistics
from daybreak.models.pricing.shelf import shelf_price
from daybreak.prices.ledger import moved_prices
from daybreak.prices.money import decimals, to_minor_array
from daybreak.prices.rulebook import read_book
from daybreak.prices.rules import Rules


def part_of(panels: Iterable[Panel]) -> Part:
    """What is kept of a range: the response to prices, and prices as they are and are planned.

    ``usual`` float64 (n,): the newest price without a promotion, in the currency, else the newest.
    ``since`` int64 (n,): columns since that last changed, ``UNKNOWN`` where it never did.
    ``planned`` and ``promoted`` (n, H): of the days ahead.
    """
    kept: list[Panel] = list(panels)
    usual = [_usual_price(panel) for panel in kept]
    own = {
        "usual": np.concatenate([price for price, _ in usual]),
        "since": np.concatenate([since for _, since in usual]),
        "planned": np.concatenate([panel.price[:, panel.days :] for panel in kept]),
        "promoted": np.concatenate([panel.promotion[:, panel.days :] > 0 for panel in kept]),
        "step": np.array([kept[0].step]),
    }
    return {**statistics(kept), **own}


def _usual_price(panel: Panel) -> tuple[Floats, Int64]:
    """The price outside of promotions, and for how many columns it has been that."""
    days = panel.days
    price = shelf_price(panel)
    usual = ~np.isnan(price) & ~(panel.promotion[:, :days] > 0)
    alone = ~usual.any(axis=1, keepdims=True)  # but for offers
    price = np.where(alone, panel.price[:, :days], price)
    usual |= alone & ~np.isnan(price)
    last = np.where(usual, np.arange(days), -1).max(axis=1)
    rows = np.arange(len(price))
    now = np.where(last >= 0, price[rows, np.maximum(last, 0)], 0.0)
    other = usual & (price != now[:, None])
    changed = np.where(other, np.arange(days), -1).max(axis=1)
    # From the first usual day after the last one at another price.
    after = usual & (np.arange(days) > changed[:, None])
    first = np.where(after.any(axis=1), after.argmax(axis=1), days)
    return now, np.where(changed >= 0, days - first, UNKNOWN).astype(np.int64)


def propose(
    conn: Connection, as_of: AsOf, hyper: Hyper, parts: Sequence[Part]
) -> tuple[Night, list[int]]:
    """The night, and how many prices each part has. Raises ``NoData``."""
    rules, timezone = read_book(conn, as_of.cutoff)
    inputs = Inputs(read_forecast(conn, as_of), parts, rules, timezone)
    estimates = responses(parts, hyper).series
    offers = inputs.offers(conn, as_of)
    has_to_go, _, _ = markdowns(offers, rules)
    demand = inputs.demand(offers, estimates, has_to_go)
    interval = Interval(estimates.low, estimates.high)
    live = rules.live
    profile = read_profile(conn, as_of, live.sales, live.minutes) if live and live.sales else None
    night = decide(
        offers,
        demand,
        interval,
        rules,
        spent=has_to_go,
        profile=profile,
        timezone=timezone,
    )
    return night, [len(part["usual"]) for part in parts]


@dataclass(frozen=True)
class Inputs:
    """What was read before anything else: forecast and parts are of the same n series."""

    forecast: Forecast
    parts: Sequence[Part]
    rules: Rules
    timezone: str

    def joined(self, name: str) -> NDArray[Any]:
        """An array of all parts."""
        return np.concatenate([part[name] for part in self.parts])

    @property
    def step(self) -> int:
        """Days of a period."""
        return int(self.parts[0]["step"][0])

    def offers(self, conn: Connection, as_of: AsOf) -> Offers:
        """All that the rules ask about."""
        store, item = self.forecast.keys
        series = list(zip(store.tolist(), item.tolist(), strict=True))
        currency, corridor = self.rules.currency, self.rules.competitor
        asked, age = np.full(len(series), np.nan), np.full(len(series), UNKNOWN)
        if corridor is not None:
            asked, age = read_competitors(
                conn, as_of, series, newest_days=corridor.newest_days, of=corridor.of
            )
        first = replace(as_of, business_date=as_of.business_date + timedelta(days=1))
        since, stock = self.joined("since"), read_stock(conn, as_of, series)
        return Offers(
            store=store,
            item=item,
            category=np.concatenate([to_names(part["category"]) for part in self.parts]),
            price=self._prices(conn, as_of, series),
            # Of the first day of the new prices, where it was known ahead.
            cost=_minor(read_costs(conn, first, series), currency),
            since=np.where(since >= 0, since * self.step, UNKNOWN),
            competitor=_minor(asked, currency),
            competitor_age=age,
            stock=np.where(np.isnan(stock), UNKNOWN, np.nan_to_num(stock)).astype(np.int64),
            day=first.business_date,
        )

    def _prices(self, conn: Connection, as_of: AsOf, series: Sequence[tuple[str, str]]) -> Int64:
        """Those of now. Where one moved during the day, and sales show something of that, it is
        what it went back to."""
        found = _minor(self.joined("usual"), self.rules.currency, absent=0)
        days = as_of.business_date, as_of.business_date + timedelta(days=1)
        begins, ends = (start_of_day(day, self.timezone) for day in days)
        moved = moved_prices(conn, begins, ends, as_of.cutoff)
        for row, key in enumerate(series if moved else ()):
            if key in moved and moved[key].lowest <= found[row] <= moved[key].highest:
                found[row] = moved[key].back
        return found

    def demand(self, offers: Offers, estimates: Estimates, has_to_go: NDArray[np.bool_]) -> Demand:
        """A price is judged by the days that the rules say; stock that has to go, up to its end."""
        target = self.forecast.target
        planned = self.joined("planned")[:, : len(target)].astype(np.float64)
        promoted = self.joined("promoted")[:, : len(target)]
        usual = np.where(planned > 0, planned * 10.0 ** decimals(self.rules.currency), np.nan)
        days = max(self.rules.days, self.step)
        until = np.full(len(offers), np.datetime64(offers.day, "D") + days - 1)
        for one in self.rules.markdowns:
            these = has_to_go & offers.of(one.items, one.category)
            until[these] = np.datetime64(one.ends, "D")
        return Demand(
            units=self.forecast.units,
            planned=usual,
            free=(target <= until[:, None]) & ~promoted & (usual > 0),
            elasticity=estimates.elasticity,
            stock=np.where(has_to_go & (offers.stock >= 0), offers.stock, np.inf),
        )


def _minor(amounts: Floats, currency: str, absent: int = UNKNOWN) -> Int64:
    """Amounts of money in minor units; ``absent`` where there is none."""
    known = ~np.isnan(amounts)
    found = to_minor_array(np.where(known, amounts, 0.0), currency)
    return np.where(known, found, absent)
