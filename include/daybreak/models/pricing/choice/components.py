"""Which options can be decided by themselves, and which have to be decided together."""

from __future__ import annotations

import numpy as np
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from daybreak.models.pricing.choice.moves import Problem
from daybreak.models.pricing.choice.offers import Flags, Int64


class Components:
    """Options by component: those whose prices share a rule, other than the budget.

    ``of``: int64 (c,), the component of each option. ``of_one``: bool (c,), whether at most one of
    all options of its component is taken. ``pairs``: those of ``Groups.pairs`` that a choice could
    break.
    """

    def __init__(self, problem: Problem) -> None:
        self._options = options = problem.options
        self.pairs = _that_may_break(problem)
        self.of, self._of_pair = self._connected(len(problem.rails.price) + problem.groups.units)
        self.of_one = self._decided_alone()
        self._sets = Places(options.option, len(options))
        self._moves = Places(options.of_move, len(options))
        self._row = problem.moves.row

    def _connected(self, sets: int) -> tuple[Int64, Int64]:
        options, pairs = self._options, self.pairs
        count = len(options)
        left = np.concatenate([options.option, count + pairs[:, 0]])
        right = np.concatenate([count + options.in_set, count + pairs[:, 1]])
        edges = coo_array((np.ones(len(left), np.int8), (left, right)), (count + sets,) * 2)
        label = connected_components(edges, directed=False)[1].astype(np.int64)
        return label[:count], label[count + pairs[:, 0]]

    def _decided_alone(self) -> Flags:
        options = self._options
        starts = firsts(options.in_set)
        sizes = np.diff(starts, append=len(options.in_set))
        labels = 1 + max(int(self.of.max(initial=0)), int(self._of_pair.max(initial=0)))
        largest = np.zeros(labels, np.int64)
        np.maximum.at(largest, self.of[options.option[starts]], sizes)
        alone = largest == np.bincount(self.of, minlength=labels)
        alone[self._of_pair] = False
        found: Flags = alone[self.of]
        return found

    @property
    def of_several(self) -> list[tuple[Int64, Int64]]:
        """Of each other component: its options, sorted, and its pairs (p, 2)."""
        rest = np.flatnonzero(~self.of_one)
        rest = rest[np.argsort(self.of[rest], kind="stable")]
        starts = firsts(self.of[rest])
        order = np.argsort(self._of_pair, kind="stable")
        pairs, of_pair = self.pairs[order], self._of_pair[order]
        names = self.of[rest[starts]]
        ends = np.searchsorted(of_pair, names, "right").tolist()
        begins = np.searchsorted(of_pair, names).tolist()
        parts = np.split(rest, starts[1:]) if len(rest) else []
        return [(one, pairs[b:e]) for one, b, e in zip(parts, begins, ends, strict=True)]

    def sets(self, options: Int64) -> tuple[Int64, Int64]:
        """``Options.in_set`` and ``option`` of some of them."""
        here = self._sets.of(options)
        return self._options.in_set[here], self._options.option[here]

    def moves(self, options: Int64) -> Int64:
        """The moves of some options, sorted."""
        return self._moves.of(options)

    def rows(self, options: Int64) -> Int64:
        """The prices that some options are about."""
        return np.unique(self._row[self.moves(options)])


class Places:
    """Where in an array each of ``count`` numbers stands."""

    def __init__(self, numbers: Int64, count: int) -> None:
        self._order = np.argsort(numbers, kind="stable")
        self._start = np.searchsorted(numbers[self._order], np.arange(count + 1))

    def of(self, wanted: Int64) -> Int64:
        """The places of some numbers, sorted."""
        begin = self._start[wanted]
        counts = self._start[wanted + 1] - begin
        within = np.arange(counts.sum()) - np.repeat(np.cumsum(counts) - counts, counts)
        return np.sort(self._order[within + np.repeat(begin, counts)])


def firsts(*numbers: Int64) -> Int64:
    """Where a run of equal numbers begins, int64."""
    begins = np.zeros(len(numbers[0]), bool)
    begins[:1] = True
    for one in numbers:
        begins[1:] |= one[1:] != one[:-1]
    return np.flatnonzero(begins)


def _that_may_break(problem: Problem) -> Int64:
    """Pairs of which one can move, and the first could become dearer than the second."""
    rails, moves, pairs = problem.rails, problem.moves, problem.groups.pairs
    made = problem.options.of_move >= 0
    row, point = moves.row[made], rails.points[moves.point[made]]
    highest, lowest = rails.price.copy(), rails.price.copy()
    np.maximum.at(highest, row, point)
    np.minimum.at(lowest, row, point)
    moving = np.zeros(len(rails.price), bool)
    moving[row] = True
    first, second = pairs.T
    may = (highest[first] > lowest[second]) & (moving[first] | moving[second])
    found: Int64 = pairs[may]
    return found
