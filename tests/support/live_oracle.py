"""The price of each slot of a day by loops over events: slow, and from the definition alone."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from fractions import Fraction
from typing import NamedTuple

MARGIN = timedelta(seconds=10)


class Sold(NamedTuple):
    """``units``: in hundredths."""

    event_at: datetime
    known_at: datetime
    units: int


class Asked(NamedTuple):
    """``store``: None holds for all."""

    event_at: datetime
    known_at: datetime
    rival: str
    store: str | None
    price: int


def units(sold: Sequence[Sold], moment: datetime) -> Fraction:
    found = Fraction(0)
    for one in sold:
        if one.event_at <= moment and one.known_at <= moment:
            found += Fraction(one.units, 100)
    return found


def competitor(
    asked: Sequence[Asked], moment: datetime, newest: timedelta, store: str, *, median: bool
) -> int | None:
    prices = []
    for rival in {one.rival for one in asked}:
        for of in (store, None):
            best: Asked | None = None
            for one in asked:
                usable = one.rival == rival and one.store == of and one.known_at <= moment
                in_time = moment - newest < one.event_at <= moment
                sane = 0 < one.price < 2**24
                if usable and in_time and sane and (best is None or one.event_at >= best.event_at):
                    best = one
            if best is not None:
                prices.append(best.price)
                break
    if not prices:
        return None
    prices.sort()
    middle = len(prices) // 2
    if not median:
        return prices[0]
    even = len(prices) % 2 == 0
    return round(Fraction(prices[middle - 1] + prices[middle], 2)) if even else prices[middle]


def prices(wanted: Sequence[int], published: int, most: int) -> list[int]:
    """Of each slot, where the signals lead to ``wanted``: at most so many changes, and the last of
    them back to the published price."""
    now, made, found = published, 0, []
    for price in wanted:
        left = most - made
        if price != now and left >= (1 if price == published else 2):
            now, made = price, made + 1
        found.append(now)
    return found


def moments(begins: datetime, slots: int, length: timedelta) -> list[datetime]:
    return [begins + number * length - MARGIN for number in range(slots)]
