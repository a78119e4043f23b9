"""What is known of each user on a business date: one row of numbers, one record an item.

The rows are stored and read back, so both paths see the same bits. Sums are made by ``bincount``,
which adds in order, one bin by itself: no user's bits depend on who else is in the batch.
"""

from __future__ import annotations

from datetime import date
from functools import cache

import numpy as np
from numpy.typing import NDArray

from daybreak.facts.events import Events
from daybreak.models.base import SnapshotRows
from daybreak.models.recommendations.features.catalogue import EPOCH
from daybreak.models.recommendations.features.cells import (
    Cells,
    cells,
    firsts,
    offsets_of,
    sums,
    until,
)
from daybreak.models.recommendations.numbers import DEFAULT, Numbers

LAYOUT = (
    "user_items",  # distinct items bought
    "user_purchases",  # (item, day) pairs bought
    "user_visits",  # days with a purchase
    "user_visits_28",
    "user_last",  # days since the last purchase
    "user_first",  # days since the first
    "user_gap",  # mean days between purchases; NaN for fewer than two
    "user_basket",  # mean items a day with a purchase
    "user_price",  # mean price of what was bought
    "user_repeat",  # share of purchases that were not the first of their item
    "user_seen",  # days since the last event of any kind
)
RECORD = (
    "item",  # ordinal in the day's catalogue
    "bought",  # days on which it was bought
    "short",  # sum of event weights, halved every 14 days, or as the version was trained
    "long",  # the same, halved every 90 days
    "last",  # days since it was last bought; NaN if it was only looked at
    "first",  # days since it was first bought
    "seen",  # days since the last event of any kind
    "quantity",  # mean units a purchase
    "price",  # last price paid or seen
    "strongest",  # largest weight of an event
)
DEFAULT_USER = ""
"""Key of the default row, that of a user without history."""


def histories(events: Events, business_date: date, numbers: Numbers = DEFAULT) -> SnapshotRows:
    """Rows of the users that have events up to the day, in order of id, whole histories.

    ``events.item`` are ordinals in the day's catalogue. Unknown users get no row.
    """
    today = (business_date - EPOCH).days
    past = cells(until(events, today))
    users = np.unique(past.user)
    row = np.searchsorted(users, past.user)
    records, record_row = _records(past, row, today, numbers)
    keys = events.user_ids[users]
    return SnapshotRows(
        (keys,),
        _values(past, row, today, len(users)),
        records,
        offsets_of(record_row, len(users)),
    )


def default_row() -> SnapshotRows:
    """The one row of a user without history, key ``DEFAULT_USER``."""
    values = np.full((1, len(LAYOUT)), np.nan, np.float32)
    counts = [n for n, name in enumerate(LAYOUT) if name in COUNTS]
    values[:, counts] = 0.0
    return SnapshotRows(
        (np.array([DEFAULT_USER], object),),
        values,
        np.empty((0, len(RECORD)), np.float32),
        np.zeros(2, np.int64),
    )


COUNTS = ("user_items", "user_purchases", "user_visits", "user_visits_28")


@cache
def _halving(half_life: float) -> NDArray[np.float64]:
    """0.5 ** (age / half_life) by age in days.

    A table, for a power of an array differs in the last bit with the place that it stands in.
    """
    table = np.array([0.5 ** (age / half_life) for age in range(4000)])
    table.flags.writeable = False
    return table


def decay(age: NDArray[np.integer], half_life: float) -> NDArray[np.float64]:
    """By how much an event of that age (days) still counts."""
    table = _halving(half_life)
    return np.where(age < len(table), table[np.minimum(age, len(table) - 1)], 0.0)


def _records(
    past: Cells, row: NDArray[np.int64], today: int, numbers: Numbers
) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
    starts = firsts(row, past.item)
    group, size = np.cumsum(starts) - 1, int(starts.sum())
    age = today - past.day
    bought = past.bought
    count = sums(group, bought, size)
    # Days ascend within a group: what is written last is the newest.
    last, first, seen, price = (np.full(size, np.nan) for _ in range(4))
    last[group[bought]] = age[bought]
    first[group[bought][::-1]] = age[bought][::-1]
    seen[group] = age
    priced = ~np.isnan(past.price)
    price[group[priced]] = past.price[priced]
    units = sums(group, past.quantity, size)
    columns = {
        "item": past.item[starts].astype(np.float64),
        "bought": count,
        "short": sums(group, past.weight * decay(age, numbers.short_half_life), size),
        "long": sums(group, past.weight * decay(age, numbers.long_half_life), size),
        "last": last,
        "first": first,
        "seen": seen,
        "quantity": _ratio(units, np.where(units > 0, count, 0.0)),
        "price": price,
        "strongest": np.maximum.reduceat(past.weight, np.flatnonzero(starts))
        if size
        else np.empty(0),
    }
    records = np.column_stack([columns[name] for name in RECORD]).astype(np.float32)
    return records.reshape(size, len(RECORD)), row[starts]


def _values(past: Cells, row: NDArray[np.int64], today: int, size: int) -> NDArray[np.float32]:
    bought = np.flatnonzero(past.bought)
    user, item, day = row[bought], past.item[bought], past.day[bought]
    purchases = np.bincount(user, minlength=size).astype(np.float64)
    items = np.bincount(user[firsts(user, item)], minlength=size).astype(np.float64)
    by_day = np.lexsort((day, user))
    visit = by_day[firsts(user[by_day], day[by_day])]
    visitor, age = user[visit], today - day[visit]
    visits = np.bincount(visitor, minlength=size).astype(np.float64)
    last, first, seen = (np.full(size, np.nan) for _ in range(3))
    last[visitor] = age
    first[visitor[::-1]] = age[::-1]
    by_event = np.lexsort((past.day, row))
    seen[row[by_event]] = today - past.day[by_event]
    price = past.price[bought]
    priced = ~np.isnan(price)
    columns = {
        "user_items": items,
        "user_purchases": purchases,
        "user_visits": visits,
        "user_visits_28": np.bincount(visitor[age < 28], minlength=size).astype(np.float64),
        "user_last": last,
        "user_first": first,
        "user_gap": _ratio(first - last, visits - 1),
        "user_basket": _ratio(purchases, visits),
        "user_price": _ratio(
            sums(user[priced], price[priced], size),
            np.bincount(user[priced], minlength=size).astype(np.float64),
        ),
        "user_repeat": _ratio(purchases - items, purchases),
        "user_seen": seen,
    }
    values = np.column_stack([columns[name] for name in LAYOUT]).astype(np.float32)
    return values.reshape(size, len(LAYOUT))


def _ratio(above: NDArray[np.float64], below: NDArray[np.float64]) -> NDArray[np.float64]:
    """NaN where there is nothing to divide by."""
    return np.where(below > 0, above / np.where(below > 0, below, 1.0), np.nan)
