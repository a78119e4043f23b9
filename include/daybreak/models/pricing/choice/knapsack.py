"""Which entry of each menu, so that all together stay within the budget: exact, in whole numbers.

Components with a single entry of one change are taken in the order of their gains. The others go
through a table of the greatest gain for each number of changes, a component at a time
(dynamic programming for the multiple-choice knapsack problem, as in Kellerer, Pferschy and
Pisinger, Knapsack Problems, 2004, chapter 11).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from daybreak.models.pricing.choice.components import firsts
from daybreak.models.pricing.choice.menus import Menu
from daybreak.models.pricing.choice.offers import Int64

MOST_CELLS = 200_000_000
"""Of the table, two bytes each, and of the sums that are tried for single prices."""
NOTHING = -(2**61)
"""Worse than any sum; twice of it is still within int64."""


@dataclass(frozen=True)
class Table:
    """``worth``: for each number of changes from 0 to the budget, exactly so many: the gain times
    ``scale`` less the distance, int64 (budget + 1,); very negative where no choice makes so many.
    """

    menu: Menu
    scale: int
    worth: Int64
    singles: Int64
    several: tuple[Int64, ...]
    picked: NDArray[np.uint16]
    of_singles: Int64

    @property
    def gain(self) -> Int64:
        """int64 (budget + 1,), negative where there is no such choice."""
        return -(-self.worth // self.scale)

    @property
    def changes(self) -> int:
        """The fewest that gain most."""
        return int(np.argmax(self.gain))

    def entries(self, changes: int) -> Int64:
        """Those that make exactly so many changes; sorted."""
        taken = self.singles[: self.of_singles[changes]].tolist()
        left = changes - len(taken)
        for number in range(len(self.several) - 1, -1, -1):
            if place := int(self.picked[number, left]):
                taken.append(entry := int(self.several[number][place - 1]))
                left -= int(self.menu.changes[entry])
        return np.sort(np.array(taken, np.int64))


def table_of(menu: Menu, budget: int) -> Table | None:
    """The table of what a menu gives for up to ``budget`` changes; None where it would be too
    large."""
    affordable = np.flatnonzero(menu.changes <= budget)
    groups = np.split(affordable, firsts(menu.of[affordable])[1:]) if len(affordable) else []
    scale = scale_of(menu.gain, menu.distance)
    worth = menu.gain * scale - (menu.distance if scale > 1 else 0)
    ones = np.array([g[0] for g in groups if len(g) == 1 and menu.changes[g[0]] == 1], np.int64)
    singles = ones[np.argsort(-worth[ones], kind="stable")][:budget]
    several = tuple(g for g in groups if len(g) > 1 or menu.changes[g[0]] > 1)
    if (len(several) + 1) * (budget + 1) > MOST_CELLS:
        return None
    best = np.full(budget + 1, NOTHING)
    best[0] = 0
    picked = np.zeros((len(several), budget + 1), np.uint16)
    for number, entries in enumerate(several):
        before = best.copy()
        for place, entry in enumerate(entries.tolist()):
            changes = int(menu.changes[entry])
            tried = before[: budget + 1 - changes] + worth[entry]
            better = tried > best[changes:]
            best[changes:][better] = tried[better]
            picked[number, changes:][better] = place + 1
    together = _with_singles(best, worth[singles])
    if together is None:
        return None
    return Table(menu, scale, together[0], singles, several, picked, together[1])


def scale_of(gain: Int64, distance: Int64) -> int:
    """By which gains are multiplied so that distances, of options or entries, only decide between
    equal ones; 1 where int64 has no room for that, and distances decide nothing."""
    scale = int(distance.sum()) + 1
    return scale if int(np.abs(gain).sum()) * scale < 2**60 else 1


def _with_singles(best: Int64, worth: Int64) -> tuple[Int64, Int64] | None:
    """``best`` with any number of single changes, the best ones first, and how many of them."""
    budget = len(best) - 1
    added = np.append(0, np.cumsum(worth))
    whole, count = np.full(budget + 1, NOTHING), np.zeros(budget + 1, np.int64)
    # A choice that makes more changes than another for no more is never better.
    useful = np.flatnonzero(best > np.append(NOTHING, np.maximum.accumulate(best)[:-1]))
    if len(useful) * len(added) > 10 * MOST_CELLS:
        return None
    for changes in useful.tolist():
        fits = min(len(added), budget + 1 - changes)
        tried = best[changes] + added[:fits]
        here = slice(changes, changes + fits)
        better = tried > whole[here]
        whole[here][better] = tried[better]
        count[here][better] = np.flatnonzero(better)
    return whole, count
