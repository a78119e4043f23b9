"""Counts, sums and maxima over many ranges of one column of entries, some of them not yet known.

Most ranges hold only what was known: they cost a subtraction of prefix sums. For the others a
wavelet matrix counts and sums what was known, in as many steps as the number of entries has bits:
Claude, Navarro, Ordóñez (2015), "The wavelet matrix", Information Systems 47, 15-32.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from daybreak.signals.fold import Integers, too_large
from daybreak.signals.slots import NO_KEY

PAIRS_AT_ONCE = 1 << 22
"""Of a range and an entry in it, 16 bytes each."""
SAFE = 2.0**62


class BoundedRanks:
    """Whole numbers from 0 up, of which ranges are asked what there is of less than a bound.

    ``weights``: of each, what is summed; None: they are counted.
    """

    def __init__(self, ranks: Integers, weights: Integers | None = None) -> None:
        most = int(ranks.max(initial=0))
        self._all = most + 1
        self._whole = _prefix_sums(np.ones_like(ranks) if weights is None else weights)
        self._levels: list[tuple[int, Integers, Integers]] = []
        for bit in reversed(range(most.bit_length())):
            is_one = (ranks >> bit & 1).astype(bool)
            order = np.argsort(is_one, kind="stable")
            zeros = _prefix_sums((~is_one).astype(np.int64))
            ranks = ranks[order]
            if weights is not None:
                weights = weights[order]
            sums = zeros if weights is None else _prefix_sums(weights)
            self._levels.append((bit, zeros, sums))

    def below(self, first: Integers, last: Integers, bound: Integers) -> Integers:
        """Of the entries ``[first, last)``, those less than ``bound``; each (q,)."""
        found = np.zeros(len(first), np.int64)
        left, right = first, last
        for bit, zeros, sums in self._levels:
            is_one = (bound >> bit & 1).astype(bool)
            left_zeros, right_zeros, count = zeros[left], zeros[right], zeros[-1]
            passed = sums[right_zeros] - sums[left_zeros]
            if sums is zeros:
                passed = right_zeros - left_zeros
            found += np.where(is_one, passed, 0)
            left = np.where(is_one, count + left - left_zeros, left_zeros)
            right = np.where(is_one, count + right - right_zeros, right_zeros)
        return np.where(bound < self._all, found, self._whole[last] - self._whole[first])


class Known:
    """When each of ``n`` entries became known, and by when each of ``q`` moments knows.

    ``through`` (q,): before this entry its key has none that the moment does not know.
    """

    def __init__(self, known: Integers, by: Integers, through: Integers) -> None:
        self.known = known
        self.by = by
        self.through = through

    @cached_property
    def _distinct(self) -> Integers:
        return np.unique(self.known)

    @cached_property
    def ranks(self) -> Integers:
        """Of the entries, among the moments at which one became known."""
        return np.searchsorted(self._distinct, self.known)

    @cached_property
    def bound(self) -> Integers:
        """Entries of a smaller rank are known."""
        return np.searchsorted(self._distinct, self.by, "right")

    @cached_property
    def counted(self) -> BoundedRanks:
        """For counts."""
        return BoundedRanks(self.ranks)


class Ranges:
    """The entries ``[first, last)`` of each of ``q`` moments that were known to it."""

    def __init__(self, first: Integers, last: Integers, known: Known) -> None:
        self._first = first
        self._last = np.maximum(last, first)
        self._known = known
        self._late = np.flatnonzero(known.through < self._last)
        """Ranges with an entry that was not known."""

    def count(self) -> Integers:
        """How many entries."""
        found: Integers = self._last - self._first
        if len(self._late):
            found[self._late] = self._known.counted.below(*self._bounds())
        return found

    def sum(self, values: Integers) -> Integers:
        """Of values, none of them negative. Raises ``InvalidRequest`` beyond 2^63."""
        total = _prefix_sums(values)  # may wrap: differences come out right
        found: Integers = total[self._last] - total[self._first]
        if len(self._late):
            weighted = BoundedRanks(self._known.ranks, values)
            found[self._late] = weighted.below(*self._bounds())
        if float(values.sum(dtype=np.float64)) > SAFE and self._overflow(values):
            raise too_large()
        return found

    def max(self, values: Integers) -> Integers:
        """The largest value, -1 where there is none; ``values`` are -1 or more."""
        found = np.full(len(self._first), -1, np.int64)
        on_time = self._on_time(self._first < self._last)
        if len(on_time):
            bounds = np.column_stack([self._first[on_time], self._last[on_time]]).ravel()
            padded = np.concatenate([values, [-1]])  # reduceat takes no end beyond the last
            found[on_time] = np.maximum.reduceat(padded, bounds)[::2]
        for moments, entries in self._pairs():
            np.maximum.at(found, moments, values[entries])
        return found

    def last(self) -> Integers:
        """Which is the last entry, -1 where there is none."""
        found = np.where(self._last > self._first, self._last - 1, -1)
        found[self._late] = -1
        for moments, entries in self._pairs():
            np.maximum.at(found, moments, entries)
        return found

    def distinct(self, numbers: Integers) -> Integers:
        """How many distinct numbers, ``NO_KEY`` left out. Ranges are within one key each."""
        found = np.zeros(len(self._first), np.int64)
        on_time = self._on_time(self._first < self._last)
        if len(on_time):
            # An entry counts where the one before with its number lies before the range.
            first, last = self._first[on_time], self._last[on_time]
            found[on_time] = BoundedRanks(_previous(numbers) + 1).below(first, last, first + 1)
        _, code = np.unique(numbers, return_inverse=True)
        width = len(numbers) + 1
        for moments, entries in self._pairs():
            given = numbers[entries] != NO_KEY
            # Sorted: np.unique goes by hashes, which takes five times as long here.
            pairs = np.sort(moments[given] * width + code[entries[given]])
            fresh = pairs[np.diff(pairs, prepend=-1) != 0]
            found += np.bincount(fresh // width, minlength=len(found))
        return found

    def _on_time(self, chosen: NDArray[np.bool_]) -> NDArray[np.intp]:
        on_time = chosen.copy()
        on_time[self._late] = False
        return np.flatnonzero(on_time)

    def _bounds(self) -> tuple[Integers, Integers, Integers]:
        late = self._late
        return self._first[late], self._last[late], self._known.bound[late]

    def _pairs(self) -> Iterator[tuple[Integers, Integers]]:
        """Late ranges with each entry that was known, some whole ranges at a time."""
        lengths = (self._last - self._first)[self._late]
        filled = np.cumsum(lengths)
        begin = 0
        while begin < len(self._late):
            start = filled[begin] - lengths[begin]
            end = max(begin + 1, int(np.searchsorted(filled, start + PAIRS_AT_ONCE, "right")))
            some, count = self._late[begin:end], lengths[begin:end]
            moments = np.repeat(some, count)
            place = np.arange(len(moments)) - np.repeat(filled[begin:end] - count - start, count)
            entries = np.repeat(self._first[some], count) + place
            known = self._known.known[entries] <= self._known.by[moments]
            yield moments[known], entries[known]
            begin = end

    def _overflow(self, values: Integers) -> bool:
        total = np.concatenate([[0.0], np.cumsum(values, dtype=np.float64)])
        return bool((total[self._last] - total[self._first] > SAFE).any())


def _prefix_sums(values: Integers) -> Integers:
    """Sums of the first 0, 1, 2 … values."""
    return np.concatenate([np.zeros(1, np.int64), np.cumsum(values)])


def _previous(numbers: Integers) -> Integers:
    """Where each number stood last before, -1 where nowhere; ``NO_KEY`` stands in itself, and so
    is never new."""
    order = np.argsort(numbers, kind="stable")
    ordered = numbers[order]
    found = np.full(len(numbers), -1, np.int64)
    same = ordered[1:] == ordered[:-1]
    found[order[1:][same]] = order[:-1][same]
    absent = np.flatnonzero(numbers == NO_KEY)
    found[absent] = absent
    return found
