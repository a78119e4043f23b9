"""What the signals of one moment are made from, read in one statement.

Tiles hold what was known when they were built, day by day. The events that they cannot answer for
are read from the log: those of the day itself, those of exact windows, and whatever became known
later. So the cost of a moment does not grow with history. One statement sees one state of the
warehouse: the watermark, and all that is known by then.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime, time, timedelta
from functools import lru_cache, partial
from typing import Any, NamedTuple

import psycopg
from psycopg.rows import TupleRow

from daybreak.errors import NotFound
from daybreak.signals.declared import DAY, OF_AMOUNTS, Signal
from daybreak.signals.entries import AHEAD
from daybreak.signals.slots import NOT_IN_LOG
from daybreak.signals.stream import Progress, Stream
from daybreak.warehouse.tables import KEY_SLOTS

BEGINNING = datetime(1970, 1, 1, tzinfo=UTC)

AT, SEQUENCE, KNOWN, DAY_OF, COUNT, FRAUDS = range(1, 7)
"""Places in a row of what it says of an event, of a tile (no sequence), or of a changed label."""
VALUES = 7
"""From here on, by amount: its sum, its maximum and how often it was given; then, by other key, its
number in an event; then its numbers in a tile."""

_STATE, _EVENTS, _TILES, _CHANGES = 0, 1, 2, 3
_PARTS = 3
"""Of a key: its place is added that many times."""


class Moment(NamedTuple):
    """What signals are asked of. ``sequence``: of its event, where that is in the log."""

    at: datetime
    keys: Mapping[str, str]
    sequence: int = NOT_IN_LOG


class Read(NamedTuple):
    """Rows about one key, as above."""

    events: Sequence[TupleRow] = ()
    tiles: Sequence[TupleRow] = ()
    changes: Sequence[TupleRow] = ()


class Head(NamedTuple):
    """What was read of one key: enough for its signals at ``moment``, and at later ones with what
    was known then."""

    moment: datetime
    progress: Progress
    read: Read


NO_HEAD = Head(BEGINNING, Progress(None, None, live=False), Read())


class Found(NamedTuple):
    """How far the log has come, the place in it of the event that was asked about (None: it is not
    there), and what was read of each key."""

    progress: Progress
    sequence: int | None
    heads: dict[str, Head]


class Wanted(NamedTuple):
    """What the signals of a key need: whole days, labels, amounts and other keys."""

    days_back: int
    labelled: bool
    amounts: frozenset[str]
    others: frozenset[str]

    @classmethod
    def of(cls, signals: Sequence[Signal]) -> Wanted:
        """Of the signals of one key."""
        by_day = [one.window for one in signals if one.window.by_day]
        return cls(
            max((one.days + one.delay_days for one in by_day), default=0),
            any(one.measure == "fraud_share" for one in signals),
            frozenset(measured_by(signals, OF_AMOUNTS)),
            frozenset(measured_by(signals, {"distinct"})),
        )


class Reader:
    """Reads a stream for some signals. ``amounts``, ``others``: what a row has, in order."""

    def __init__(self, stream: Stream, signals: Mapping[str, Sequence[Signal]]) -> None:
        self.amounts = measured_by([one for each in signals.values() for one in each], OF_AMOUNTS)
        self.others = measured_by([one for each in signals.values() for one in each], {"distinct"})
        self._stream = stream
        self._wanted = {key: Wanted.of(of_key) for key, of_key in signals.items()}
        self._tiled: datetime | None = None
        """As it was seen last, and it only grows."""
        self._statement = lru_cache(maxsize=64)(self._written)

    def read(
        self,
        driver: psycopg.Connection[Any],
        moments: Sequence[Moment],
        event_ids: Sequence[str],
        progress: Progress | None = None,
    ) -> list[Found]:
        """What each moment needs of its keys, and where its event is.

        ``progress``: as it was then; None: as it is, which may differ from moment to moment.
        Raises ``NotFound`` where the stream is gone.
        """
        tiled = self._tiled if progress is None else progress.tiled_through
        found = self._read(driver, moments, event_ids, progress, tiled)
        seen = [one.progress.tiled_through for one in found]
        if progress is None:
            if tiled is not None and any(one is None or one < tiled for one in seen):
                # It is not the log that it was: its database was replaced.
                found = self._read(driver, moments, event_ids, None, None)
            self._tiled = found[0].progress.tiled_through
        return found

    def _read(
        self,
        driver: psycopg.Connection[Any],
        moments: Sequence[Moment],
        event_ids: Sequence[str],
        progress: Progress | None,
        tiled: datetime | None,
    ) -> list[Found]:
        asked = partial(self._ask, driver, progress=progress, tiled=tiled)
        if len(moments) == 1:
            return [self._found(moments[0], asked(moments[0], event_ids[0]))]
        cursors = []
        with driver.pipeline() as pipeline:
            for moment, event_id in zip(moments, event_ids, strict=True):
                cursors.append(asked(moment, event_id))
                # Each its own transaction: within one, a plan is not made anew for a partition
                # that was attached meanwhile, while what says that it is to be read is seen.
                pipeline.sync()
        return list(map(self._found, moments, cursors))

    def _ask(
        self,
        driver: psycopg.Connection[Any],
        moment: Moment,
        event_id: str,
        *,
        progress: Progress | None,
        tiled: datetime | None,
    ) -> psycopg.Cursor[TupleRow]:
        keys = tuple(key for key in self._wanted if moment.keys.get(key) is not None)
        day = self._stream.day_of(moment.at)
        midnight = datetime.combine(day, time(), self._stream.zone)
        since = min(moment.at - DAY, midnight) - AHEAD
        values: dict[str, Any] = {
            "stream": self._stream.name,
            "event": event_id,
            "since": since,
        }
        for place, key in enumerate(keys):
            back = self._wanted[key].days_back
            first = midnight - timedelta(days=back) - AHEAD
            values[f"key_{place}"] = moment.keys[key]
            values[f"first_{place}"] = first
            # Days of the log before this are not opened: what is in them has tiles, or is older.
            values[f"floor_{place}"] = min(since, tiled or first) if back else since
            values[f"day_{place}"] = day - timedelta(days=back)
        if progress is not None:
            values |= {"watermark": progress.watermark, "tiled": progress.tiled_through}
        cursor = driver.cursor(binary=True)
        cursor.execute(self._statement(keys, pinned=progress is not None), values)
        return cursor

    def _found(self, moment: Moment, cursor: psycopg.Cursor[TupleRow]) -> Found:
        keys = [key for key in self._wanted if moment.keys.get(key) is not None]
        parts: list[list[TupleRow]] = [[] for _ in range(1 + _PARTS * len(keys))]
        for row in cursor.fetchall():
            parts[row[0]].append(row)
        if not parts[_STATE]:
            raise NotFound(
                f"There is no stream {self._stream.name!r} any more.",
                remedy="`daybreak streams list` shows those that there are.",
                field="stream",
            )
        (state,) = parts[_STATE]
        progress = Progress(state[AT], state[KNOWN], live=bool(state[COUNT]))
        heads = {
            key: Head(moment.at, progress, Read(*parts[1 + _PARTS * place :][:_PARTS]))
            for place, key in enumerate(keys)
        }
        return Found(progress, state[SEQUENCE], heads)

    def _written(self, keys: tuple[str, ...], *, pinned: bool) -> bytes:
        """The statement. All names in it are those of columns and of this module."""
        nothing = _listed([_NO_AMOUNT] * len(self.amounts), self.others, {}, {})
        arms = [_STATE_ARM.format(values=nothing)]
        for place, key in enumerate(keys):
            wanted, slot = self._wanted[key], self._stream.key_slot(key)
            kinds = [(_EVENTS, _EVENTS_ARM, self._of_event(wanted))]
            if wanted.days_back:
                kinds.append((_TILES, _TILES_ARM, self._of_tile(wanted)))
            if wanted.labelled:
                kinds.append((_CHANGES, _CHANGES_ARM, nothing))
            reach = _BY_DAY if wanted.days_back else _EXACT
            arms += [
                arm.format(
                    part=kind + _PARTS * place,
                    since=reach.format(place=place),
                    place=place,
                    column=slot,
                    slot=KEY_SLOTS.index(slot) + 1,
                    values=values,
                )
                for kind, arm, values in kinds
            ]
        log = _PINNED if pinned else _NEWEST
        return (log + " UNION ALL ".join(arms)).encode()

    def _of_event(self, wanted: Wanted) -> str:
        slots = {name: self._stream.amount_slot(name) for name in wanted.amounts}
        amounts = [
            f"{slots[name]}, NULL::bigint, NULL::bigint" if name in slots else _NO_AMOUNT
            for name in self.amounts
        ]
        numbers = {
            # As slots.key_number has it.
            name: f"('x' || left(md5({self._stream.key_slot(name)}), 16))::bit(64)::bigint"
            for name in wanted.others
        }
        return _listed(amounts, self.others, numbers, {})

    def _of_tile(self, wanted: Wanted) -> str:
        slots = {name: self._stream.amount_slot(name) for name in wanted.amounts}
        amounts = [
            ", ".join(slots[name].replace("amount", kind) for kind in ("sum", "most", "given"))
            if name in slots
            else _NO_AMOUNT
            for name in self.amounts
        ]
        lists = {
            name: self._stream.key_slot(name).replace("key", "others") for name in wanted.others
        }
        return _listed(amounts, self.others, {}, lists)


_NO_AMOUNT = "NULL::bigint, NULL::bigint, NULL::bigint"

_NEWEST = """
    WITH log AS MATERIALIZED (
        SELECT watermark, tiled_through, live FROM ops.stream WHERE stream = %(stream)s
    )
    """
_PINNED = """
    WITH log AS MATERIALIZED (
        SELECT %(watermark)s::timestamptz AS watermark, %(tiled)s::timestamptz AS tiled_through,
            true AS live
    )
    """
_STATE_ARM = """
    SELECT 0::smallint, watermark, (
            SELECT sequence FROM raw.event_id
            WHERE stream = %(stream)s AND event_id = %(event)s
        ), tiled_through, NULL::date, live::int::bigint, NULL::bigint{values}
    FROM log
    """
_EVENTS_ARM = """
    SELECT {part}::smallint, event_at, sequence, loaded_at, business_date, 1::bigint,
        0::bigint{values}
    FROM raw.event
    WHERE stream = %(stream)s AND {column} = %(key_{place})s AND loaded_at > %(floor_{place})s
        AND loaded_at > {since} AND loaded_at <= (SELECT watermark FROM log)
    """
_EXACT = "%(since)s"
_BY_DAY = """
    least(%(since)s, coalesce((SELECT tiled_through FROM log), %(first_{place})s))
    """
"""Also what no tile has yet."""
_TILES_ARM = """
    SELECT {part}::smallint, last_at, NULL::bigint, through, business_date, events, frauds{values}
    FROM feature.tile
    WHERE stream = %(stream)s AND slot = {slot} AND key = %(key_{place})s
        AND business_date >= %(day_{place})s AND through <= (SELECT tiled_through FROM log)
    """
_CHANGES_ARM = """
    SELECT {part}::smallint, NULL::timestamptz, sequence, loaded_at, business_date, 0::bigint,
        CASE WHEN fraud THEN 1 ELSE -1 END::bigint{values}
    FROM raw.label
    WHERE stream = %(stream)s AND {column} = %(key_{place})s
        AND loaded_at > coalesce((SELECT tiled_through FROM log), '-infinity')
        AND loaded_at <= (SELECT watermark FROM log)
        AND fraud <> was_fraud AND business_date >= %(day_{place})s
    """


def _listed(
    amounts: Sequence[str],
    others: Sequence[str],
    numbers: Mapping[str, str],
    lists: Mapping[str, str],
) -> str:
    """The columns from ``VALUES`` on."""
    columns = [*amounts]
    columns += [numbers.get(name, "NULL::bigint") for name in others]
    columns += [lists.get(name, "NULL::bigint[]") for name in others]
    return "".join(f", {column}" for column in columns)


def measured_by(signals: Sequence[Signal], measures: Iterable[str]) -> tuple[str, ...]:
    """What these measure, in the order of the columns that are read."""
    return tuple(sorted({one.of for one in signals if one.measure in measures and one.of}))
