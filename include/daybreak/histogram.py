"""Histograms of float32 values on one grid that nobody has to choose: that of bfloat16.

A value counts for the bfloat16 that it is when its lower sixteen bits are dropped, so a bin is at
most 1/128 of its value wide. Bins are the same for every column, night and version: histograms add
up, in any order and from any cut of the rows, and can be compared whatever was known when they were
made. Which of them are put together to compare two distributions is said by ``Bins``.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray

from daybreak.types import Float32

Keys: TypeAlias = "NDArray[np.int16]"
"""Places on the grid, in the order of their values; ``MISSING`` is below all of them."""

MISSING = -(1 << 15)
"""The key of NaN."""

_SIGN = 0x8000
_INFINITE = 0x7F80
_CODES = 1 << 16
_LOWEST = 1 - _INFINITE
"""The key of the least finite value."""


KEY, FEATURE, SCORE, ROW, ASKED = "key", "feature", "score", "row", "asked"


class Name(NamedTuple):
    """What is measured of a night.

    ``kind`` of a histogram: ``KEY``, ``FEATURE`` (of snapshot rows), ``SCORE`` or ``ROW`` (features
    as the engine was given them by night; by day they are ``ASKED``).
    """

    kind: str
    name: str


@dataclass(frozen=True)
class Histogram:
    """``keys``: (k,), ascending. ``counts``: int64 (k,), how many values each has, 1 or more."""

    keys: Keys
    counts: NDArray[np.int64]

    @classmethod
    def of(cls, values: Float32) -> Histogram:
        """Of values in any shape. NaN is missing, and so is infinity; -0 is 0."""
        bits = np.ascontiguousarray(values, np.float32).view(np.uint32).ravel() >> np.uint32(16)
        counts = np.bincount(bits, minlength=_CODES)
        codes = np.flatnonzero(counts)
        return cls._merged(_keys_of(codes), counts[codes])

    @classmethod
    def of_keys(cls, keys: Keys) -> Histogram:
        """Of places on the grid themselves, such as buckets of texts."""
        found, counts = np.unique(keys, return_counts=True)
        return cls(found.astype(np.int16), counts.astype(np.int64))

    @classmethod
    def sum(cls, parts: list[Histogram]) -> Histogram:
        """All values of ``parts``, in whatever order they come."""
        if len(parts) == 1:
            return parts[0]
        if not parts:
            return EMPTY
        return cls._merged(
            np.concatenate([part.keys for part in parts]),
            np.concatenate([part.counts for part in parts]),
        )

    @classmethod
    def _merged(cls, keys: Keys, counts: NDArray[np.int64]) -> Histogram:
        found, place = np.unique(keys, return_inverse=True)
        total = np.bincount(place, counts, minlength=len(found))  # float64: exact below 2^53
        return cls(found, total.astype(np.int64))

    @property
    def values(self) -> int:
        """How many there are, those that are missing included."""
        return int(self.counts.sum())

    @property
    def missing(self) -> int:
        """How many are NaN."""
        return int(self.counts[0]) if len(self.keys) and self.keys[0] == MISSING else 0

    def to_bytes(self) -> tuple[bytes, bytes]:
        """Keys as little-endian int16, counts as little-endian int64."""
        return self.keys.astype("<i2").tobytes(), self.counts.astype("<i8").tobytes()

    @classmethod
    def from_bytes(cls, keys: bytes, counts: bytes) -> Histogram:
        """What ``to_bytes`` gave."""
        return cls(
            np.frombuffer(keys, "<i2").astype(np.int16),
            np.frombuffer(counts, "<i8").astype(np.int64),
        )


EMPTY = Histogram(np.empty(0, np.int16), np.empty(0, np.int64))


def _keys_of(codes: NDArray[np.integer]) -> Keys:
    """Upper halves of float32 (k,) as keys: the value's order is that of the integers."""
    size = codes & ~_SIGN
    keys = np.where(codes & _SIGN, -size, size)
    return np.where(size >= _INFINITE, MISSING, keys).astype(np.int16)


def values_of(keys: Keys) -> Float32:
    """The value of each key, float32: the one of its bin that is nearest to 0; NaN for
    ``MISSING``."""
    wide = keys.astype(np.int64)
    codes = np.where(wide < 0, -wide | _SIGN, wide).astype(np.uint32)
    found = (codes << np.uint32(16)).view(np.float32).copy()
    found[keys == MISSING] = np.nan
    return found


def keys_of(values: Float32) -> Keys:
    """The key of each value, (k,)."""
    bits = np.ascontiguousarray(values, np.float32).view(np.uint32) >> np.uint32(16)
    return _keys_of(bits.astype(np.int64))


@dataclass(frozen=True)
class Bins:
    """Which keys of a histogram count as one.

    ``edges``: (e,), ascending. Bin 0 is what is missing, bin i + 1 what is at most edge i, and bin
    e + 1 what is above the last one.
    """

    edges: Keys

    @property
    def number(self) -> int:
        """How many bins there are."""
        return len(self.edges) + 2

    def counts(self, histogram: Histogram) -> NDArray[np.int64]:
        """How many values are in each bin, int64 (e + 2,)."""
        place = np.searchsorted(self.edges, histogram.keys, side="left") + 1
        place[histogram.keys == MISSING] = 0
        return np.bincount(place, histogram.counts, minlength=self.number).astype(np.int64)

    def counts_of(self, values: Float32) -> NDArray[np.int64]:
        """How many of ``values`` (n,) are in each bin, int64 (e + 2,): as `counts` of their
        histogram, without making one."""
        keys = keys_of(values)
        place = np.searchsorted(self.edges, keys, side="left") + 1
        place[keys == MISSING] = 0
        return np.bincount(place, minlength=self.number).astype(np.int64)

    def to_values(self) -> list[float]:
        """The edges as numbers, for a manifest."""
        return [float(value) for value in values_of(self.edges)]

    @classmethod
    def from_values(cls, edges: list[float]) -> Bins:
        """What ``to_values`` gave."""
        return cls(keys_of(np.array(edges, np.float32)))


MOST_BINS = 10
"""By quantiles. Of few values each has a bin of its own."""
FEW = 12


def bins_of(histogram: Histogram) -> Bins:
    """Bins of about as many values each, or one a value where these are few.

    The first bin is what is below all values of ``histogram`` and the last what is above: both are
    empty for it, and no change of unit falls into a bin that was there.
    """
    there = histogram.keys != MISSING
    keys, counts = histogram.keys[there], histogram.counts[there]
    if not len(keys):
        return Bins(np.empty(0, np.int16))
    if len(keys) <= FEW:
        uppers = keys
    else:
        below = np.cumsum(counts)
        wanted = below[-1] * np.arange(1, MOST_BINS + 1) / MOST_BINS
        uppers = keys[np.unique(np.searchsorted(below, wanted))]
    lowest = max(int(keys[0]) - 1, _LOWEST)
    return Bins(np.unique(np.append(np.int16(lowest), uppers)).astype(np.int16))
