"""Prices that move together: which offers form a group, and which two have an order."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from daybreak.models.pricing.choice.offers import Flags, Int64, Names, Offers
from daybreak.models.pricing.choice.rails import Codes, Rails, Rule
from daybreak.prices.rules import Rules, Together


@dataclass(frozen=True)
class Groups:
    """Which of n offers are in which of u units, and which are in order.

    A unit is what moves as one: the items of a group in one store, say. ``row``, ``unit``: int64
    (m,), one pair a membership, sorted by unit, then row. ``same_price``: bool (u,), else they move
    by the same step. ``rule``: int64 (u,), of ``Rules.together``. ``pairs``: int64 (p, 2), the
    second offer is never cheaper than the first; ``pair_rule``: int64 (p,).
    """

    row: Int64
    unit: Int64
    same_price: Flags
    rule: Int64
    pairs: Int64
    pair_rule: Int64

    @property
    def units(self) -> int:
        """How many there are."""
        return len(self.same_price)

    def outside(self, rails: Rails) -> Codes:
        """Which prices break their group as they are, int8 (n,), of ``Rule``: a unit of one price
        that has several, a pair out of order."""
        found = np.zeros(len(rails.price), np.int8)
        first, second = rails.price[self.pairs].T
        found[self.pairs[first > second]] = Rule.ASCENDING
        if len(self.row):
            starts = np.flatnonzero(np.diff(self.unit, prepend=-1))
            price = rails.price[self.row]
            differ = np.minimum.reduceat(price, starts) != np.maximum.reduceat(price, starts)
            found[self.row[(differ & self.same_price)[self.unit]]] = Rule.TOGETHER
        return found


def groups_of(offers: Offers, rules: Rules) -> Groups:
    """The groups of ``rules`` among the offers. Units of one are left out."""
    index = _Index(offers)
    rows, units, same_price, of_rule, pairs, pair_rule = [], [], [], [], [], []
    found = 0
    for number, group in enumerate(rules.together):
        if group.how == "ascending":
            ordered = _in_order(index, group)
            pairs.append(ordered)
            pair_rule.append(np.full(len(ordered), number))
            continue
        these, key = _members(index, group)
        unit, sizes = np.unique(key, return_inverse=True, return_counts=True)[1:]
        several = sizes > 1
        renumbered = np.cumsum(several) - 1 + found
        kept = several[unit]
        order = np.argsort(unit[kept], kind="stable")
        rows.append(these[kept][order])
        units.append(renumbered[unit[kept]][order])
        count = int(several.sum())
        same_price.append(np.full(count, group.how == "same_price"))
        of_rule.append(np.full(count, number))
        found += count
    return Groups(
        _joined(rows),
        _joined(units),
        _joined(same_price).astype(bool),
        _joined(of_rule),
        np.concatenate([np.empty((0, 2), np.int64), *pairs]),
        _joined(pair_rule),
    )


def _joined(parts: list[Int64]) -> Int64:
    return np.concatenate([np.empty(0, np.int64), *parts]).astype(np.int64)


class _Index:
    """Rows of an item, found without a look at all of them for each of many groups."""

    def __init__(self, offers: Offers) -> None:
        self.offers = offers
        self._order = np.argsort(offers.item, kind="stable")
        self._sorted = offers.item[self._order]

    def of(self, item: str) -> Int64:
        """Rows of one item, sorted."""
        begin, end = (np.searchsorted(self._sorted, item, side) for side in ("left", "right"))
        return self._order[begin:end]


def _members(index: _Index, group: Together) -> tuple[Int64, Names]:
    """Rows of a group, sorted, and for each a key that those of one unit share; (m,)."""
    offers = index.offers
    if group.category is not None:
        these = np.flatnonzero(offers.category == group.category)
    elif group.items:
        these = np.sort(np.concatenate([index.of(item) for item in group.items]))
    else:
        these = np.arange(len(offers))
    if group.across == "both":
        return these, np.zeros(len(these), np.int64)
    names = offers.store if group.across == "items" else offers.item
    return these, names[these]


def _in_order(index: _Index, group: Together) -> Int64:
    """Pairs of rows (p, 2): in each store each of the items and the next one there is."""
    rows = [index.of(item) for item in group.items]
    these = np.concatenate(rows)
    rank = np.repeat(np.arange(len(rows)), [len(one) for one in rows])
    store = np.unique(index.offers.store[these], return_inverse=True)[1]
    order = np.lexsort((rank, store))
    these, store = these[order], store[order]
    after = np.flatnonzero(store[1:] == store[:-1])
    return np.stack([these[after], these[after + 1]], axis=1)
