"""What facts say at the beginning of each slot: of demand, and of what competitors ask."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from statistics import median
from typing import Literal

from daybreak.models.pricing.live.feeds import Sale, Seen


def units_by(sales: Sequence[Sale], moments: Sequence[datetime], scale: int) -> list[float]:
    """Units of the day that were sold, and known to be, by each moment; moments in order.

    ``scale``: how many of what a sale counts in make one unit; sums are exact.
    """
    ordered, found, place, total = sorted(sales), list[float](), 0, 0
    for moment in moments:
        while place < len(ordered) and ordered[place].at <= moment:
            total += ordered[place].units
            place += 1
        found.append(total / scale)
    return found


def competitors_by(
    asked: Sequence[Seen],
    moments: Sequence[datetime],
    newest: timedelta,
    of: Literal["lowest", "median"],
) -> list[int | None]:
    """What competitors ask at each moment, in order: minor units, None where nobody knows.

    Of each competitor the newest price counts that had been seen, and was known, by then and not
    longer than ``newest`` ago; one of the store goes before one of all stores.
    """
    ordered = sorted(asked, key=lambda one: (max(one.event_at, one.known_at), one.sequence))
    last: dict[tuple[str, bool], Seen] = {}
    found: list[int | None] = []
    place = 0
    for moment in moments:
        while place < len(ordered) and _counts_from(ordered[place]) <= moment:
            one = ordered[place]
            before = last.get((one.competitor, one.here))
            if before is None or before[:2] < one[:2]:
                last[one.competitor, one.here] = one
            place += 1
        fresh = {key: one for key, one in last.items() if one.event_at > moment - newest}
        prices = [
            one.price
            for (competitor, here), one in fresh.items()
            if here or (competitor, True) not in fresh
        ]
        if not prices:
            found.append(None)
        else:
            found.append(min(prices) if of == "lowest" else round(median(prices)))
    return found


def demand(units: float, expected: float, prior: float) -> float:
    """What sold, as a multiple of what was expected to, shrunk to 1: (a + units) / (a + expected).

    The mean of what is known of a day's level that is gamma with mean 1 and variance 1 / ``prior``
    before any sale, of which sales are Poisson counts.
    """
    return (prior + units) / (prior + expected)


def _counts_from(one: Seen) -> datetime:
    return max(one.event_at, one.known_at)
