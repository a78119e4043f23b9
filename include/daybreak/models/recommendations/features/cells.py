"""Events of known users, one row a (user, item, day), in an order that no load can change."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from daybreak.facts.events import PURCHASE, UNKNOWN_USER, Events

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Cells:
    """``m`` rows ordered by user, item and day.

    ``weight``: the strongest event of the day. ``quantity``: units bought that day, 0 where it is
    unknown or nothing was bought. ``price``: of the last event with a known price, else NaN.
    """

    user: Ints
    item: Ints
    day: Ints
    weight: Floats
    quantity: Floats
    price: Floats

    def __len__(self) -> int:
        return len(self.item)

    @property
    def bought(self) -> NDArray[np.bool_]:
        """Whether the strongest event is a purchase, (m,)."""
        return self.weight >= PURCHASE


def cells(events: Events) -> Cells:
    """Two lines of one invoice, or a look before a purchase, are one reason to buy, not two."""
    known = np.flatnonzero(events.user != UNKNOWN_USER)
    user, item, day = (
        column[known].astype(np.int64) for column in (events.user, events.item, events.day)
    )
    order = np.lexsort((day, item, user))
    known, user, item, day = known[order], user[order], item[order], day[order]
    starts = firsts(user, item, day)
    group = np.cumsum(starts) - 1
    first = np.flatnonzero(starts)
    weight, price = events.weight[known], events.price[known]
    quantity = np.where(weight >= PURCHASE, np.nan_to_num(events.quantity[known]), 0.0)
    last_priced = np.full(len(first), -1, np.int64)
    priced = np.flatnonzero(~np.isnan(price))
    last_priced[group[priced]] = priced  # the last assignment of a group stays
    return Cells(
        user[first],
        item[first],
        day[first],
        np.maximum.reduceat(weight, first) if len(first) else weight,
        sums(group, quantity, len(first)),
        np.where(last_priced >= 0, price[last_priced] if len(price) else np.nan, np.nan),
    )


def sums(group: NDArray[np.integer], values: NDArray[Any], size: int) -> Floats:
    """The sum of each group's values, float64 (size,), added in the order that they stand in."""
    return np.bincount(group, values, size).astype(np.float64)


def firsts(*columns: NDArray[np.integer]) -> NDArray[np.bool_]:
    """Marks the rows that differ from the one before in any column, (m,)."""
    changed = np.zeros(len(columns[0]), np.bool_)
    changed[:1] = True
    for column in columns:
        changed[1:] |= column[1:] != column[:-1]
    return changed


def offsets_of(row: NDArray[np.integer], rows: int) -> Ints:
    """Where each of ``rows`` rows begins in a column of ascending row numbers, (rows + 1,)."""
    return np.concatenate([[0], np.cumsum(np.bincount(row, minlength=rows))]).astype(np.int64)


def row_numbers(offsets: Ints) -> Ints:
    """The row number of each element: the inverse of ``offsets_of``."""
    return np.repeat(np.arange(len(offsets) - 1), np.diff(offsets))


def find(keys: Ints, wanted: Ints) -> tuple[Ints, Ints]:
    """Places in ``wanted``, ascending, of what is among ``keys``, and where it is there.

    ``keys`` ascend, each once. Most of what is wanted is not there, and that is told by a few bits
    of it, without a search.
    """
    size = 1 << (64 * len(keys)).bit_length()
    some = np.zeros(size, np.bool_)
    some[keys & (size - 1)] = True
    there = np.flatnonzero(some[wanted & (size - 1)])
    if not len(there):
        return there, there
    place = np.minimum(np.searchsorted(keys, wanted[there]), len(keys) - 1)
    same = keys[place] == wanted[there]
    return there[same], place[same]


def between(events: Events, first: int, last: int) -> Events:
    """The events of the days ``first`` to ``last``, both included; ids stay as they are."""
    return where(events, (events.day >= first) & (events.day <= last))


def until(events: Events, day: int) -> Events:
    """The events up to and with ``day``."""
    return where(events, events.day <= day)


def where(events: Events, rows: NDArray[np.bool_]) -> Events:
    """The events that ``rows`` (m,) marks."""
    names = ("user", "item", "day", "at", "basket", "weight", "quantity", "price")
    return replace(events, **{name: getattr(events, name)[rows] for name in names})
