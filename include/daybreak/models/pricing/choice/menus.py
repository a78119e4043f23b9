"""What a component offers: its best choice for each number of changes.

The budget sees no more of a component than its menu. Here it is made for those from which at most
one option is taken, for all at once; ``trees.py`` makes it for most of the others.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from daybreak.models.pricing.choice.components import Components, firsts
from daybreak.models.pricing.choice.moves import Problem
from daybreak.models.pricing.choice.offers import Flags, Int64


@dataclass(frozen=True)
class Menu:
    """e entries, sorted by component, then changes; each gains more than those before it.

    ``of``: its component, ``changes``, ``gain``, ``distance``: int64 (e,). ``options``: what is
    taken, from ``start[i]`` to ``start[i + 1]``.
    """

    of: Int64
    changes: Int64
    gain: Int64
    distance: Int64
    start: Int64
    options: Int64

    def __len__(self) -> int:
        return len(self.of)

    @property
    def best(self) -> Int64:
        """The last entry of each component, which gains most."""
        begins = firsts(self.of)
        return np.append(begins[1:], len(self))[: len(begins)] - 1

    def taken(self, entries: Int64) -> Int64:
        """The options of some entries, sorted."""
        return np.sort(self.some(entries).options)

    def some(self, entries: Int64) -> Menu:
        """These entries, in this order."""
        counts = self.start[entries + 1] - self.start[entries]
        within = np.arange(counts.sum()) - np.repeat(np.cumsum(counts) - counts, counts)
        return Menu(
            self.of[entries],
            self.changes[entries],
            self.gain[entries],
            self.distance[entries],
            np.append(0, np.cumsum(counts)),
            self.options[within + np.repeat(self.start[entries], counts)],
        )


def menu_of_ones(problem: Problem, components: Components) -> Menu:
    """Of all components from which at most one option is taken."""
    options = problem.options
    these = np.flatnonzero(components.of_one & (options.gain > 0))
    of = components.of[these]
    within = (these, options.distance[these], -options.gain[these], options.changes[these])
    these = these[np.lexsort((*within, of))]
    these = these[firsts(components.of[these], options.changes[these])]
    of, gain = components.of[these], options.gain[these]
    these = these[more_than_before(of, gain)]
    return Menu(
        components.of[these],
        options.changes[these],
        options.gain[these],
        options.distance[these],
        np.arange(len(these) + 1),
        these,
    )


def more_than_before(of: Int64, gain: Int64) -> Flags:
    """Whether an entry gains more than all before it in its component, and more than nothing;
    bool (e,). Components ascend."""
    # By rank of gain within all: a component of a higher number has higher ones.
    rank = np.empty(len(of), np.int64)
    order = np.lexsort((gain, of))
    equal = np.zeros(len(of), bool)
    equal[1:] = (of[order][1:] == of[order][:-1]) & (gain[order][1:] == gain[order][:-1])
    rank[order] = np.arange(len(of)) - _run_lengths(equal)
    highest = np.maximum.accumulate(rank)
    return np.append(True, rank[1:] > highest[:-1])[: len(of)]


def _run_lengths(goes_on: Flags) -> Int64:
    """How many places ago a run began."""
    places = np.arange(len(goes_on))
    began = np.maximum.accumulate(np.where(goes_on, 0, places))
    return places - began


def joined(menus: Sequence[Menu]) -> Menu:
    """One menu of several, each of other components."""

    def all_of(name: str) -> Int64:
        return np.concatenate([getattr(menu, name) for menu in menus])

    lengths = np.concatenate([np.diff(menu.start) for menu in menus])
    whole = Menu(
        all_of("of"),
        all_of("changes"),
        all_of("gain"),
        all_of("distance"),
        np.append(0, np.cumsum(lengths)),
        all_of("options"),
    )
    return whole.some(np.argsort(whole.of, kind="stable"))
