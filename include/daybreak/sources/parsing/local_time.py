"""Local times and moments, many at once: one rule for every row, independent of the others.

A local time that a clock change repeats is its first occurrence. One that a clock change skips
is what a clock would show that was not put forward: as much later as the change is large. Both
are what Python's own ``datetime`` does with ``fold=0``.

Arrow has functions of this kind, but they know no clock change after 2037, and put all times that
a change skips at its end.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from zoneinfo import ZoneInfo

import numpy as np
from numpy.typing import NDArray

Micros = NDArray[np.int64]
"""Microseconds since 1970-01-01, of the wall clock or in UTC."""

_DAY = 86_400
_FIRST_YEAR, _LAST_YEAR = 1899, 2200
"""Anything outside is refused as a value; here it gets the offset of the nearest year."""


@dataclass(frozen=True)
class _Changes:
    """``at``: int64 (k,), seconds UTC, ascending. ``offset``: int64 (k + 1,), before and after."""

    at: Micros
    offset: Micros


def to_utc(local: Micros, zone: ZoneInfo) -> Micros:
    """The moments (m,) of local times (m,)."""
    changes = _between(local, zone)
    # Up to here the clock before the change holds: to the end of what is skipped or repeated.
    until = changes.at + np.maximum(changes.offset[:-1], changes.offset[1:])
    held = np.searchsorted(until, local // 1_000_000, side="right")
    return local - changes.offset[held] * 1_000_000


def to_local(moments: Micros, zone: ZoneInfo) -> Micros:
    """The local times (m,) of moments (m,)."""
    changes = _between(moments, zone)
    held = np.searchsorted(changes.at, moments // 1_000_000, side="right")
    return moments + changes.offset[held] * 1_000_000


def _between(times: Micros, zone: ZoneInfo) -> _Changes:
    """The changes of the years of ``times`` and of a year around them."""
    if not len(times):
        return _Changes(np.empty(0, np.int64), np.zeros(1, np.int64))
    first, last = (
        int(bound.astype("M8[us]").astype("M8[Y]").astype(np.int64)) + 1970
        for bound in (times.min(), times.max())
    )
    first = min(max(first - 1, _FIRST_YEAR), _LAST_YEAR)
    last = min(max(last + 1, _FIRST_YEAR), _LAST_YEAR)
    found = [change for year in range(first, last + 1) for change in _of_year(zone, year)]
    at = [moment for moment, _ in found]
    offset = [_offset(zone, _new_year(first)), *(after for _, after in found)]
    return _Changes(np.array(at, np.int64), np.array(offset, np.int64))


@lru_cache(maxsize=1024)
def _of_year(zone: ZoneInfo, year: int) -> tuple[tuple[int, int], ...]:
    """(second UTC, offset from it on) of the changes of a year, found day by day."""
    found = []
    for start in range(_new_year(year), _new_year(year + 1), _DAY):
        before, after = _offset(zone, start), _offset(zone, start + _DAY)
        if before != after:
            low, high = start, start + _DAY
            while high - low > 1:
                middle = (low + high) // 2
                low, high = (middle, high) if _offset(zone, middle) == before else (low, middle)
            found.append((high, after))
    return tuple(found)


def _new_year(year: int) -> int:
    return int(datetime(year, 1, 1, tzinfo=UTC).timestamp())


def _offset(zone: ZoneInfo, second: int) -> int:
    moment = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(seconds=second)
    offset = moment.astimezone(zone).utcoffset()
    return int(offset.total_seconds()) if offset else 0
