"""Signals of one moment, for the answer to a request, from what ``reading`` read."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from typing import Any

import psycopg
from psycopg.rows import TupleRow
from sqlalchemy import Connection

from daybreak.signals.declared import OF_AMOUNTS, Signal, Window
from daybreak.signals.fold import fold, integers
from daybreak.signals.reading import (
    AT,
    COUNT,
    DAY_OF,
    FRAUDS,
    KNOWN,
    NO_HEAD,
    VALUES,
    Found,
    Head,
    Moment,
    Read,
    Reader,
    measured_by,
)
from daybreak.signals.slots import MICROSECONDS, NO_KEY
from daybreak.signals.stream import Progress, Stream
from daybreak.types import Float32
from daybreak.warehouse.engine import driver_of

MICROSECOND = timedelta(microseconds=1)
_OF_AMOUNT = 3
"""Columns of an amount."""


class Signals:
    """The signals of a model on a stream, ready to be asked. Safe for many threads."""

    def __init__(self, stream: Stream, signals: Sequence[Signal]) -> None:
        self.stream = stream
        self.signals = tuple(signals)
        of_keys: dict[str, list[Signal]] = {}
        for signal in signals:
            of_keys.setdefault(signal.key, []).append(signal)
        self._reader = Reader(stream, of_keys)
        self._of_key = {
            key: _OfKey(stream, self._reader, listed) for key, listed in of_keys.items()
        }

    def of(self, conn: Connection, moment: Moment, progress: Progress) -> Float32:
        """The value of each signal, float32 (S,), of what is known at ``progress.watermark``.

        The log is settled, so that this is not going to change.
        """
        (found,) = self._reader.read(driver_of(conn), [moment], [""], progress)
        return self.fold(moment, found.heads)

    def read(
        self,
        driver: psycopg.Connection[Any],
        moments: Sequence[Moment],
        event_ids: Sequence[str],
    ) -> list[Found]:
        """What each moment needs of each of its keys, and where the event of that id is.

        Raises ``NotFound`` where the stream is gone.
        """
        return self._reader.read(driver, moments, event_ids)

    def fold(self, moment: Moment, heads: Mapping[str, Head]) -> Float32:
        """The value of each signal, float32 (S,), by what was read before.

        A key of the moment that has no head is one of which nothing is known.
        """
        found: dict[Signal, tuple[int, int]] = {}
        for key, of_key in self._of_key.items():
            if moment.keys.get(key) is not None:
                head = heads.get(key, NO_HEAD)
                found |= of_key.fold(moment, head.progress, head.read)
        missing = (0, 0)  # 0 of 0 is NaN
        pairs = integers([found.get(signal, missing) for signal in self.signals])
        return fold(pairs[:, 0], pairs[:, 1])


class _Tally:
    """What is counted of windows that end alike, from the shortest to the longest of them.

    ``amounts``, ``others``: which of the columns that are read are measured.
    """

    def __init__(self, amounts: Sequence[str], others: Sequence[str]) -> None:
        self.events = 0
        self.frauds = 0
        self.last_at: datetime | None = None
        self.sums = dict.fromkeys(amounts, 0)
        self.given = dict.fromkeys(amounts, 0)
        self.most: dict[str, int] = {}
        self.others: dict[str, set[int]] = {name: set() for name in others}

    def saw(self, at: datetime | None, events: int) -> None:
        self.events += events
        if at is not None and (self.last_at is None or at > self.last_at):
            self.last_at = at

    def amount(self, name: str, total: int | None, most: int | None, given: int) -> None:
        if total is not None and most is not None:
            self.sums[name] += total
            self.given[name] += given
            if most > self.most.get(name, -1):
                self.most[name] = most

    def integers(self, signal: Signal, at: datetime, scale: int) -> tuple[int, int]:
        """What ``fold`` divides."""
        name = signal.of or ""
        match signal.measure:
            case "count":
                found = self.events, 1
            case "sum":
                found = self.sums[name], scale
            case "mean":
                found = self.sums[name], self.given[name] * scale
            case "max":
                found = self.most.get(name, 0), scale if name in self.most else 0
            case "distinct":
                found = len(self.others[name]), 1
            case "fraud_share":
                found = self.frauds, self.events
            case "since_last":
                last = self.last_at
                found = (0, 0) if last is None else ((at - last) // MICROSECOND, MICROSECONDS)
        return found


@dataclass
class _OfDay:
    """Rows about one day: events that no tile has, tiles, and what labels changed since these."""

    events: list[TupleRow] = field(default_factory=list)
    tiles: list[TupleRow] = field(default_factory=list)
    frauds: int = 0


def _by_day(day: date, tiled: datetime | None, read: Read) -> dict[date, _OfDay]:
    """What is counted of each day; that of the moment has all of its events, and no tile."""
    found: dict[date, _OfDay] = {}
    for row in read.events:
        if row[DAY_OF] == day or tiled is None or row[KNOWN] > tiled:
            found.setdefault(row[DAY_OF], _OfDay()).events.append(row)
    for row in read.tiles:
        if row[DAY_OF] != day:
            found.setdefault(row[DAY_OF], _OfDay()).tiles.append(row)
    for row in read.changes:
        found.setdefault(row[DAY_OF], _OfDay()).frauds += row[FRAUDS]
    return found


class _Nested:
    """Windows that end alike, the shortest first, and the signals of each."""

    def __init__(self, signals: Sequence[Signal], windows: Sequence[Window]) -> None:
        self.windows = windows
        self.signals = [[one for one in signals if one.window == window] for window in windows]
        listed = [one for of_window in self.signals for one in of_window]
        self._amounts = measured_by(listed, OF_AMOUNTS)
        self._others = measured_by(listed, {"distinct"})

    def tally(self) -> _Tally:
        return _Tally(self._amounts, self._others)


class _OfKey:
    """The signals of one key."""

    def __init__(self, stream: Stream, reader: Reader, signals: Sequence[Signal]) -> None:
        self._stream = stream
        self._amounts = reader.amounts
        self._others = reader.others
        windows = sorted({one.window for one in signals}, key=lambda one: one.length)
        delays = sorted({one.delay for one in windows if one.by_day})
        self._exact = _Nested(signals, [one for one in windows if not one.by_day])
        self._by_day = [
            _Nested(signals, [one for one in windows if one.by_day and one.delay == delay])
            for delay in delays
        ]

    def fold(self, moment: Moment, progress: Progress, read: Read) -> dict[Signal, tuple[int, int]]:
        """The integers of each signal."""
        before = [row for row in read.events if row[AT:KNOWN] < (moment.at, moment.sequence)]
        tally = self._exact.tally()
        found: dict[Signal, tuple[int, int]] = {}
        for rows, signals in zip(self._within(moment.at, before), self._exact.signals, strict=True):
            self._count_events(tally, rows)
            found |= {one: tally.integers(one, moment.at, self._stream.scale) for one in signals}
        day = self._day(moment)
        days = _by_day(day, progress.tiled_through, read._replace(events=before))
        for nested in self._by_day:
            tally = nested.tally()
            counted = nested.windows[0].delay_days + bool(nested.windows[0].delay)
            for window, signals in zip(nested.windows, nested.signals, strict=True):
                first = window.delay_days + window.days
                for back in range(counted, first + 1):
                    if (of_day := days.get(day - timedelta(days=back))) is not None:
                        self._count_day(tally, of_day)
                counted = first + 1
                for one in signals:
                    found[one] = tally.integers(one, moment.at, self._stream.scale)
        return found

    def _within(self, at: datetime, events: Sequence[TupleRow]) -> list[list[TupleRow]]:
        """Of each exact window, the events that the one before it does not have."""
        bounds = [at - window.length for window in self._exact.windows]
        found: list[list[TupleRow]] = [[] for _ in bounds]
        for row in events:
            for place, bound in enumerate(bounds):
                if row[AT] >= bound:
                    found[place].append(row)
                    break
        return found

    def _count_day(self, tally: _Tally, of_day: _OfDay) -> None:
        tally.frauds += of_day.frauds
        self._count_events(tally, of_day.events)
        lists = VALUES + _OF_AMOUNT * len(self._amounts) + len(self._others)
        for row in of_day.tiles:
            tally.saw(row[AT], row[COUNT])
            tally.frauds += row[FRAUDS]
            for place, name in enumerate(self._amounts):
                if name in tally.sums:
                    tally.amount(name, *row[VALUES + _OF_AMOUNT * place :][:_OF_AMOUNT])
            for place, name in enumerate(self._others, lists):
                if name in tally.others and row[place]:
                    tally.others[name].update(row[place])

    def _count_events(self, tally: _Tally, rows: Sequence[TupleRow]) -> None:
        if not rows:
            return
        tally.saw(max(row[AT] for row in rows), len(rows))
        for number, name in enumerate(self._amounts):
            if name in tally.sums:
                place = VALUES + _OF_AMOUNT * number
                given = [row[place] for row in rows if row[place] is not None]
                if given:
                    tally.amount(name, sum(given), max(given), len(given))
        for place, name in enumerate(self._others, VALUES + _OF_AMOUNT * len(self._amounts)):
            if name in tally.others:
                tally.others[name].update(
                    row[place] for row in rows if row[place] not in {None, NO_KEY}
                )

    def _day(self, moment: Moment) -> date:
        return self._stream.day_of(moment.at)
