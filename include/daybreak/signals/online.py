"""Signals of one moment, for the answer to a request: tiles for past days, the log for the rest.

Tiles hold what was known when they were built, day by day. The events that they cannot answer for
are read from the log: those of the day itself, those of exact windows, and whatever became known
later. So the cost of a moment does not grow with history.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from functools import cached_property
from typing import Any, NamedTuple

import psycopg
from psycopg import sql
from psycopg.rows import TupleRow
from sqlalchemy import Connection

from daybreak.signals.declared import DAY, OF_AMOUNTS, Signal, Window
from daybreak.signals.entries import AHEAD
from daybreak.signals.fold import fold, integers
from daybreak.signals.slots import MICROSECONDS, NO_KEY, NOT_IN_LOG
from daybreak.signals.stream import Progress, Stream
from daybreak.types import Float32
from daybreak.warehouse.engine import driver_of
from daybreak.warehouse.tables import KEY_SLOTS

MICROSECOND = timedelta(microseconds=1)
BEGINNING = datetime(1970, 1, 1, tzinfo=UTC)


class Moment(NamedTuple):
    """What signals are asked of. ``sequence``: of its event, where that is in the log."""

    at: datetime
    keys: Mapping[str, str]
    sequence: int = NOT_IN_LOG


class Head(NamedTuple):
    """What was read of one key: enough for its signals at ``moment``, and at later ones with what
    was known then. ``rows``: of it, by which its size is told."""

    moment: datetime
    progress: Progress
    read: _Read

    @property
    def rows(self) -> int:
        """How many rows it holds."""
        return sum(map(len, self.read))


def read_state(
    conn: Connection, stream: str, event_ids: Sequence[str]
) -> tuple[Progress, dict[str, int]]:
    """How far the log of a stream has come, and the place in it of each of these events that is
    there; in one round trip."""
    driver = driver_of(conn)
    with driver.pipeline():
        progress = driver.execute(_SELECT_PROGRESS, (stream,), binary=True)
        sequences = driver.execute(_SELECT_SEQUENCES, (stream, list(event_ids)), binary=True)
    watermark, tiled_through, live = progress.fetchall()[0]
    return Progress(watermark, tiled_through, live), dict(sequences.fetchall())


_SELECT_PROGRESS = b"SELECT watermark, tiled_through, live FROM ops.stream WHERE stream = %s"
_SELECT_SEQUENCES = (
    b"SELECT event_id, sequence FROM raw.event_id WHERE stream = %s AND event_id = ANY (%s)"
)


class Signals:
    """The signals of a model on a stream, ready to be asked. Safe for many threads."""

    def __init__(self, stream: Stream, signals: Sequence[Signal]) -> None:
        self.stream = stream
        self.signals = tuple(signals)
        self._of_key = [
            _OfKey(stream, key, tuple(one for one in signals if one.key == key))
            for key in dict.fromkeys(one.key for one in signals)
        ]

    def of(self, conn: Connection, moment: Moment, progress: Progress) -> Float32:
        """The value of each signal, float32 (S,), of what is known at ``progress.watermark``.

        The log is settled, so that this is not going to change.
        """
        return self.fold(moment, self.read(conn, [moment], progress)[0])

    def read(
        self, conn: Connection, moments: Sequence[Moment], progress: Progress
    ) -> list[dict[str, Head]]:
        """What each moment needs of each of its keys, by the key's name; in one round trip."""
        driver = driver_of(conn)
        with driver.pipeline():
            asked = [
                {one.key: one.ask(driver, moment, progress) for one in self._of(moment)}
                for moment in moments
            ]
        return [
            {
                key: Head(moment.at, progress, _Read(*(cursor.fetchall() for cursor in cursors)))
                for key, cursors in of_keys.items()
            }
            for moment, of_keys in zip(moments, asked, strict=True)
        ]

    def fold(self, moment: Moment, heads: Mapping[str, Head]) -> Float32:
        """The value of each signal, float32 (S,), by what was read before.

        A key of the moment that has no head is one of which nothing is known.
        """
        found: dict[Signal, tuple[int, int]] = {}
        for one in self._of(moment):
            head = heads.get(one.key, _NOTHING)
            found |= one.fold(moment, head.progress, head.read)
        missing = (0, 0)  # 0 of 0 is NaN
        pairs = integers([found.get(signal, missing) for signal in self.signals])
        return fold(pairs[:, 0], pairs[:, 1])

    def _of(self, moment: Moment) -> list[_OfKey]:
        return [one for one in self._of_key if moment.keys.get(one.key) is not None]


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


class _Read(NamedTuple):
    """Rows about one key, as the statements of ``_OfKey`` select them."""

    events: Sequence[TupleRow] = ()
    tiles: Sequence[TupleRow] = ()
    changes: Sequence[TupleRow] = ()


@dataclass
class _OfDay:
    """Rows about one day: events that no tile has, tiles, and what labels changed since these."""

    events: list[TupleRow] = field(default_factory=list)
    tiles: list[TupleRow] = field(default_factory=list)
    frauds: int = 0


def _by_day(day: date, tiled: datetime | None, read: _Read) -> dict[date, _OfDay]:
    """What is counted of each day; that of the moment has all of its events, and no tile."""
    found: dict[date, _OfDay] = {}
    for row in read.events:
        if row[3] == day or tiled is None or row[2] > tiled:
            found.setdefault(row[3], _OfDay()).events.append(row)
    for row in read.tiles:
        if row[0] != day:
            found.setdefault(row[0], _OfDay()).tiles.append(row)
    for of_day, fraud in read.changes:
        found.setdefault(of_day, _OfDay()).frauds += 1 if fraud else -1
    return found


class _Nested:
    """Windows that end alike, the shortest first, and the signals of each."""

    def __init__(self, signals: Sequence[Signal], windows: Sequence[Window]) -> None:
        self.windows = windows
        self.signals = [[one for one in signals if one.window == window] for window in windows]
        listed = [one for of_window in self.signals for one in of_window]
        self._amounts = _measured(listed, OF_AMOUNTS)
        self._others = _measured(listed, {"distinct"})

    def tally(self) -> _Tally:
        return _Tally(self._amounts, self._others)


_VALUES = 4
"""Before the amounts and the other keys of an event: its moment, place, knowledge and day."""

_NOTHING = Head(BEGINNING, Progress(None, None, live=False), _Read())


class _OfKey:
    """The signals of one key, and the statements that read what they need."""

    def __init__(self, stream: Stream, key: str, signals: tuple[Signal, ...]) -> None:
        self.key = key
        self._stream = stream
        self._signals = signals
        windows = sorted({one.window for one in signals}, key=lambda one: one.length)
        exact = [one for one in windows if not one.by_day]
        delays = sorted({one.delay for one in windows if one.by_day})
        self._exact = _Nested(signals, exact)
        self._by_day = [
            _Nested(signals, [one for one in windows if one.by_day and one.delay == delay])
            for delay in delays
        ]
        self._amounts = _measured(signals, OF_AMOUNTS)
        self._others = _measured(signals, {"distinct"})
        by_day = [one for one in windows if one.by_day]
        self._days_back = max((one.days + one.delay_days for one in by_day), default=0)
        self._labelled = any(one.measure == "fraud_share" for one in signals)

    def ask(
        self, driver: psycopg.Connection[Any], moment: Moment, progress: Progress
    ) -> list[psycopg.Cursor[TupleRow]]:
        """Cursors of the events, the tiles and the changes of labels."""
        stream, key, day = self._stream.name, moment.keys[self.key], self._day(moment)
        known, tiled = progress.watermark, progress.tiled_through
        midnight = datetime.combine(day, time(), self._stream.zone)
        since = min(moment.at - DAY, midnight) - AHEAD
        if self._days_back:
            first = midnight - timedelta(days=self._days_back) - AHEAD
            since = min(since, first if tiled is None else tiled)
        first_day = day - timedelta(days=self._days_back)
        asked: list[tuple[bytes, tuple[Any, ...]]] = [
            (self._select_events, (stream, key, since, known))
        ]
        if self._days_back:
            slot = KEY_SLOTS.index(self._stream.key_slot(self.key)) + 1
            asked.append((self._select_tiles, (stream, slot, key, first_day, tiled)))
        if self._labelled:
            asked.append((self._select_changes, (stream, key, tiled or BEGINNING, known)))
        cursors = []
        for statement, values in asked:
            cursor = driver.cursor(binary=True)
            cursor.execute(statement, values)
            cursors.append(cursor)
        return cursors

    def fold(
        self, moment: Moment, progress: Progress, read: _Read
    ) -> dict[Signal, tuple[int, int]]:
        """The integers of each signal."""
        before = [row for row in read.events if row[:2] < (moment.at, moment.sequence)]
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
                if row[0] >= bound:
                    found[place].append(row)
                    break
        return found

    def _count_day(self, tally: _Tally, of_day: _OfDay) -> None:
        tally.frauds += of_day.frauds
        self._count_events(tally, of_day.events)
        for _, seen, frauds, last_at, *values in of_day.tiles:
            tally.saw(last_at, seen)
            tally.frauds += frauds
            for place, name in enumerate(self._amounts):
                if name in tally.sums:
                    tally.amount(name, *values[3 * place : 3 * place + 3])
            for place, name in enumerate(self._others, 3 * len(self._amounts)):
                if name in tally.others and values[place]:
                    tally.others[name].update(values[place])

    def _count_events(self, tally: _Tally, rows: Sequence[TupleRow]) -> None:
        if not rows:
            return
        tally.saw(max(row[0] for row in rows), len(rows))
        for place, name in enumerate(self._amounts, _VALUES):
            if name in tally.sums:
                given = [row[place] for row in rows if row[place] is not None]
                if given:
                    tally.amount(name, sum(given), max(given), len(given))
        for place, name in enumerate(self._others, _VALUES + len(self._amounts)):
            if name in tally.others:
                tally.others[name].update(
                    row[place] for row in rows if row[place] not in {None, NO_KEY}
                )

    def _day(self, moment: Moment) -> date:
        return self._stream.day_of(moment.at)

    @cached_property
    def _select_events(self) -> bytes:
        values = [self._column(name, "amount") for name in self._amounts]
        values += [
            sql.SQL("('x' || left(md5({}), 16))::bit(64)::bigint").format(  # slots.key_number
                sql.Identifier(self._stream.key_slot(name))
            )
            for name in self._others
        ]
        return (
            sql.SQL(
                "SELECT {columns} FROM raw.event"
                " WHERE stream = %s AND {slot} = %s AND loaded_at > %s AND loaded_at <= %s"
            )
            .format(
                columns=_listed(["event_at", "sequence", "loaded_at", "business_date"], values),
                slot=sql.Identifier(self._stream.key_slot(self.key)),
            )
            .as_bytes()
        )

    @cached_property
    def _select_tiles(self) -> bytes:
        values = [
            self._column(name, column)
            for name in self._amounts
            for column in ("sum", "most", "given")
        ]
        values += [
            sql.Identifier(self._stream.key_slot(name).replace("key", "others"))
            for name in self._others
        ]
        return (
            sql.SQL(
                "SELECT {columns} FROM feature.tile"
                " WHERE stream = %s AND slot = %s AND key = %s AND business_date >= %s"
                " AND through <= %s"
            )
            .format(columns=_listed(["business_date", "events", "frauds", "last_at"], values))
            .as_bytes()
        )

    @cached_property
    def _select_changes(self) -> bytes:
        return (
            sql.SQL(
                "SELECT business_date, fraud FROM raw.label WHERE stream = %s AND {slot} = %s"
                " AND loaded_at > %s AND loaded_at <= %s AND fraud <> was_fraud"
                " AND business_date IS NOT NULL"
            )
            .format(slot=sql.Identifier(self._stream.key_slot(self.key)))
            .as_bytes()
        )

    def _column(self, amount: str, column: str) -> sql.Composable:
        return sql.Identifier(self._stream.amount_slot(amount).replace("amount", column))


def _measured(signals: Sequence[Signal], measures: Iterable[str]) -> tuple[str, ...]:
    """What these measure, in the order of the columns that are read."""
    return tuple(sorted({one.of for one in signals if one.measure in measures and one.of}))


def _listed(names: Sequence[str], values: Sequence[sql.Composable]) -> sql.Composed:
    return sql.SQL(", ").join([*map(sql.Identifier, names), *values])
