"""Signals of many moments at once, folded from the log without tiles.

Sorted columns and prefix sums, so that a window costs the same whatever it holds. Entries that
became known after a moment although they lie before it (they were late) are told apart one by one.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from functools import cached_property

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import Connection

from daybreak.facts.names import numbered
from daybreak.signals.declared import OF_AMOUNTS, Measure, Signal, Window
from daybreak.signals.entries import Changes, Events, Reach, no_events, read_changes, stream_events
from daybreak.signals.fold import Integers, fold
from daybreak.signals.ranges import Known, Ranges
from daybreak.signals.slots import ABSENT, MICROSECONDS
from daybreak.signals.stream import Stream
from daybreak.types import Float32

EPOCH = date(1970, 1, 1)
KEYS_AT_ONCE = 20_000


@dataclass(frozen=True)
class Moments:
    """``q`` moments that signals are asked of.

    ``keys``: object (q,) by name, None where a moment has no such key. ``at``, ``sequence``: only
    what is before in this order counts (microseconds since 1970; ``NOT_IN_LOG``). ``known``: only
    what was known by then counts, microseconds. ``day``: of the stream, days since 1970. All int64.
    """

    keys: Mapping[str, NDArray[np.object_]]
    at: Integers
    sequence: Integers
    known: Integers
    day: Integers

    def __len__(self) -> int:
        return len(self.at)


def signals_of(
    conn: Connection, stream: Stream, signals: Sequence[Signal], moments: Moments
) -> Float32:
    """The value of each signal at each moment, float32 (q, S).

    A signal of a key that a moment does not have is NaN.
    """
    found = np.full((len(moments), len(signals)), np.nan, np.float32)
    for key in dict.fromkeys(signal.key for signal in signals):
        columns = [place for place, signal in enumerate(signals) if signal.key == key]
        asked = [signals[place] for place in columns]
        for rows, values in _of_key(conn, stream, key, asked, moments):
            found[rows[:, None], columns] = values
    return found


def _of_key(
    conn: Connection, stream: Stream, key: str, signals: Sequence[Signal], moments: Moments
) -> Iterator[tuple[NDArray[np.intp], Float32]]:
    given = moments.keys[key]
    has = np.flatnonzero(np.array([one is not None for one in given.tolist()], bool))
    if not len(has):
        return
    names, place = numbered(given[has])
    order = np.argsort(place, kind="stable")
    rows, place = has[order], place[order]
    reach = Reach(
        _date(int(moments.day[rows].min()) - _days_back(signals)),
        _datetime(int(moments.known[rows].max())),
    )
    amounts = sorted({one.of for one in signals if one.of in stream.amounts and one.of})
    others = sorted({one.of for one in signals if one.measure == "distinct" and one.of})
    for first in range(0, len(names), KEYS_AT_ONCE):
        some = names[first : first + KEYS_AT_ONCE].tolist()
        within = slice(*np.searchsorted(place, (first, first + len(some))).tolist())
        of_rows, of_key = rows[within], place[within] - first
        changes = read_changes(conn, stream, key, some, reach)
        left = np.ones(len(of_rows), bool)
        numbers = {name: number for number, name in enumerate(some)}
        batches = stream_events(conn, stream, key, some, reach, amounts=amounts, others=others)
        for keys, events in batches:
            batch = np.full(len(some), -1, np.int64)
            batch[[numbers[name] for name in keys]] = np.arange(len(keys))
            chosen = np.flatnonzero(batch[of_key] >= 0)
            left[chosen] = False
            values = fold_moments(
                signals,
                events,
                _renumbered(changes, batch),
                _chosen(moments, of_rows[chosen], batch[of_key[chosen]]),
                stream.scale,
            )
            yield of_rows[chosen], values
        if left.any():
            alone = _chosen(moments, of_rows[left], of_key[left])
            nothing = no_events(amounts, others)
            yield of_rows[left], fold_moments(signals, nothing, changes, alone, stream.scale)


@dataclass(frozen=True)
class KeyMoments:
    """Moments of keys of one kind, which ``key`` counts as in ``Events``; all int64 (q,)."""

    key: Integers
    at: Integers
    sequence: Integers
    known: Integers
    day: Integers


def fold_moments(
    signals: Sequence[Signal],
    events: Events,
    changes: Changes,
    moments: KeyMoments,
    scale: int,
) -> Float32:
    """Signals of one key each, float32 (q, S). ``scale``: as in ``Stream``."""
    log = _Log(events, changes, moments)
    numerator = np.zeros((len(moments.at), len(signals)), np.int64)
    denominator = np.ones_like(numerator)
    for place, signal in enumerate(signals):
        numerator[:, place], denominator[:, place] = _integers(log, signal, scale)
    return fold(numerator, denominator)


def _integers(log: _Log, signal: Signal, scale: int) -> tuple[Integers, Integers | int]:
    seen = log.seen(signal.window)
    if signal.measure in OF_AMOUNTS:
        return _of_amounts(seen, signal.measure, log.events.amounts[signal.of or ""], scale)
    if signal.measure == "distinct":
        return seen.distinct(log.events.others[signal.of or ""]), 1
    if signal.measure == "fraud_share":
        return log.frauds(signal.window), seen.count()
    if signal.measure == "count":
        return seen.count(), 1
    last = seen.last()
    is_there = last >= 0
    at = np.append(log.events.at, 0)[last]
    return np.where(is_there, log.moments.at - at, 0), is_there * MICROSECONDS


def _of_amounts(
    seen: Ranges, measure: Measure, amounts: Integers, scale: int
) -> tuple[Integers, Integers | int]:
    if measure == "max":
        most = seen.max(amounts)  # ABSENT is less than any other
        return np.maximum(most, 0), (most >= 0) * scale
    given = amounts != ABSENT
    total = seen.sum(np.where(given, amounts, 0))
    return total, scale if measure == "sum" else seen.sum(given.astype(np.int64)) * scale


class _Log:
    """Events of some keys, and moments of the same keys."""

    def __init__(self, events: Events, changes: Changes, moments: KeyMoments) -> None:
        self.events = events
        self.changes = changes
        self.moments = moments
        self._seen: dict[Window, Ranges] = {}

    def seen(self, window: Window) -> Ranges:
        """Which events are in the window of each moment."""
        if window not in self._seen:
            first, last = self._bounds(window)
            self._seen[window] = Ranges(first, last, self._known)
        return self._seen[window]

    def frauds(self, window: Window) -> Integers:
        """Events in a window of whole days that are known as fraud."""
        changes, moments = self.changes, self.moments
        days = _Composite(changes.key, changes.day)
        end = moments.day - window.delay_days
        first = days.before(moments.key, end - window.days)
        last = days.before(moments.key, end)
        found = np.zeros(len(moments.at), np.int64)
        for change in (1, -1):
            chosen = np.flatnonzero(changes.frauds == change)
            bounds = np.searchsorted(chosen, first), np.searchsorted(chosen, last)
            known = Known(changes.known[chosen], moments.known, bounds[0])
            found += change * Ranges(*bounds, known).count()
        return found

    def _bounds(self, window: Window) -> tuple[Integers, Integers]:
        moments = self.moments
        if not window.by_day:
            return self._times.before(moments.key, moments.at - window.microseconds), self._before
        end = moments.day - window.delay_days
        first = self._days.before(moments.key, end - window.days)
        return first, self._days.before(moments.key, end) if window.delay else self._before

    @cached_property
    def _times(self) -> _Composite:
        return _Composite(self.events.key, self.events.at)

    @cached_property
    def _days(self) -> _Composite:
        return _Composite(self.events.key, self.events.day)

    @cached_property
    def _before(self) -> Integers:
        """How many events come before each moment, those of smaller keys included."""
        events, moments = self.events, self.moments
        # Of an event and a moment with one sequence, which are the same, the moment comes first.
        kind = np.repeat([1, 0], [len(events), len(moments.at)])
        order = np.lexsort(
            (
                kind,
                np.concatenate([events.sequence, moments.sequence]),
                np.concatenate([events.at, moments.at]),
                np.concatenate([events.key, moments.key]),
            )
        )
        passed = np.cumsum(order < len(events))
        found = np.empty(len(order), np.int64)
        found[order] = passed
        return found[len(events) :]

    @cached_property
    def _known(self) -> Known:
        events, moments = self.events, self.moments
        distinct = np.unique(events.known)
        width = len(distinct) + 1
        rank = events.key * width + np.searchsorted(distinct, events.known)
        latest = np.maximum.accumulate(rank)  # keys ascend, so none reaches into the next
        bound = moments.key * width + np.searchsorted(distinct, moments.known, "right")
        return Known(events.known, moments.known, np.searchsorted(latest, bound))


class _Composite:
    """A column that ascends within each key, as one that ascends."""

    def __init__(self, key: Integers, values: Integers) -> None:
        self._distinct = np.unique(values)
        self._width = len(self._distinct) + 1
        self._both = key * self._width + np.searchsorted(self._distinct, values)

    def before(self, key: Integers, value: Integers) -> Integers:
        """How many rows are of smaller keys, or of the same with a smaller value."""
        bound = key * self._width + np.searchsorted(self._distinct, value)
        return np.searchsorted(self._both, bound)


def _renumbered(changes: Changes, number: Integers) -> Changes:
    of = number[changes.key]
    chosen = np.flatnonzero(of >= 0)
    order = chosen[np.argsort(of[chosen], kind="stable")]
    return Changes(of[order], changes.day[order], changes.known[order], changes.frauds[order])


def _chosen(moments: Moments, rows: NDArray[np.intp], key: Integers) -> KeyMoments:
    return KeyMoments(
        key, moments.at[rows], moments.sequence[rows], moments.known[rows], moments.day[rows]
    )


def _days_back(signals: Sequence[Signal]) -> int:
    return max(
        (one.window.days + one.window.delay_days if one.window.by_day else 1) for one in signals
    )


def microseconds(moment: datetime) -> int:
    """Since 1970."""
    return (moment - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(microseconds=1)


def _date(days: int) -> date:
    return EPOCH + timedelta(days=days)


def _datetime(microseconds: int) -> datetime:
    return datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=microseconds)
