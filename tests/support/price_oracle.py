"""Prices by the quarter of an hour: the slow and plain way to the lowest price of 30 days.

Nothing here knows of intervals. Every quarter of an hour is looked at by itself: which entry holds
then, and which day the clocks of the shop show.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from functools import cache
from zoneinfo import ZoneInfo

QUARTER = timedelta(minutes=15)
DAY = timedelta(days=1)


@dataclass(frozen=True)
class Entry:
    """``quarter``: of an hour, from ``Shop.first`` on. ``cents`` is None where it is off sale."""

    quarter: int
    known: int
    cents: int | None
    currency: str = "EUR"


@dataclass(frozen=True)
class Reduction:
    """What is to be said of one; ``quarter`` at which it begins."""

    quarter: int
    price: int
    prior: int | None
    days_known: int
    step: int
    before_first: int | None


@dataclass(frozen=True)
class Shop:
    """A time zone, and the days from ``first`` on (UTC) that are looked at."""

    first: date
    days: int
    zone: str

    def moment(self, quarter: int) -> datetime:
        """The beginning of a quarter of an hour."""
        return datetime(self.first.year, self.first.month, self.first.day, tzinfo=UTC) + (
            quarter * QUARTER
        )

    def local_days(self) -> list[date]:
        """The day that clocks show in each quarter of an hour."""
        return _local_days(self)


@cache
def _local_days(shop: Shop) -> list[date]:
    zone = ZoneInfo(shop.zone)
    return [shop.moment(quarter).astimezone(zone).date() for quarter in range(shop.days * 96)]


Shown = list[tuple[int, str] | None]
"""Price and currency in each quarter of an hour."""


def shown(shop: Shop, entries: Sequence[Entry]) -> Shown:
    """What was in force in each quarter of an hour, by what is known in the end."""
    found: Shown = []
    holds: Entry | None = None
    at: dict[int, Entry] = {}
    for entry in sorted(entries, key=lambda one: one.known):  # stable: the later one of the same
        at[entry.quarter] = entry
    for quarter in range(shop.days * 96):
        holds = at.get(quarter, holds)
        if holds is None or holds.cents is None:
            found.append(None)
        else:
            found.append((holds.cents, holds.currency))
    return found


def by_day(shop: Shop, prices: Shown, currency: str) -> dict[date, set[int]]:
    """The prices of each day in a currency; days without one are left out."""
    found: dict[date, set[int]] = {}
    for day, price in zip(shop.local_days(), prices, strict=True):
        if price is not None and price[1] == currency:
            found.setdefault(day, set()).add(price[0])
    return found


def lowest(days: Mapping[date, set[int]], day: date) -> int | None:
    """The lowest price of the 30 days before ``day``."""
    before = [price for back in range(1, 31) for price in days.get(day - back * DAY, ())]
    return min(before, default=None)


def earlier_that_day(local: Sequence[date], prices: Shown, quarter: int) -> list[int]:
    """The prices of its day that were in force before a quarter of an hour, in its currency."""
    now = prices[quarter]
    first = local.index(local[quarter])
    return [
        one[0]
        for one in prices[first:quarter]
        if one is not None and now is not None and one[1] == now[1]
    ]


def reductions(shop: Shop, entries: Sequence[Entry]) -> list[Reduction]:
    """Each change to a lower price than the last one there was."""
    prices = shown(shop, entries)
    local = shop.local_days()
    found: list[Reduction] = []
    last: tuple[int, str] | None = None
    off_sale, going_down = True, False
    known_since: date | None = None
    for quarter, price in enumerate(prices):
        if price is None:
            off_sale = True
            continue
        known_since = known_since or local[quarter]
        if last is not None and price[1] == last[1] and price[0] < last[0]:
            before = lowest(by_day(shop, prices, price[1]), local[quarter])
            that_day = earlier_that_day(local, prices, quarter)
            prior = min([*that_day, *([] if before is None else [before])], default=None)
            further = going_down and not off_sale
            found.append(
                Reduction(
                    quarter,
                    price[0],
                    prior,
                    min(30, (local[quarter] - known_since).days),
                    found[-1].step + 1 if further else 1,
                    found[-1].before_first if further else prior,
                )
            )
            going_down = True
        elif price != last or off_sale:
            going_down = False
        last, off_sale = price, False
    return found
