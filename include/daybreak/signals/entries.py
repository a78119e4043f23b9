"""Entries of a log as columns of numbers, read for some keys at a time."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta

import numpy as np
from sqlalchemy import ColumnElement, Connection, Integer, cast, select

from daybreak.facts.rows import among
from daybreak.signals.fold import Integers
from daybreak.signals.slots import amount_field, key_number
from daybreak.signals.stream import Stream
from daybreak.warehouse.packed import Field, Group, Packing, read_groups, stream_bytes
from daybreak.warehouse.tables import event, label

AHEAD = timedelta(minutes=5)
"""So far may the clock of a sender be ahead: no event is known earlier before it happened."""

BYTES_AT_ONCE = 32 << 20
"""Of packed events; some 500,000."""


@dataclass(frozen=True)
class Events:
    """Events of some keys of one kind, key by key, each in the order of time and sequence.

    All int64 (n,). ``key``: which of the keys. ``at``, ``known``: microseconds since 1970.
    ``day``: of the stream, days since 1970. ``amounts``: in the smallest unit, by name.
    ``others``: numbers of the other keys, by name (``slots.ABSENT`` and ``NO_KEY`` where absent).
    """

    key: Integers
    at: Integers
    sequence: Integers
    known: Integers
    day: Integers
    amounts: Mapping[str, Integers]
    others: Mapping[str, Integers]

    def __len__(self) -> int:
        return len(self.key)


@dataclass(frozen=True)
class Changes:
    """Where labels of the same keys changed what was known, key by key, in the order of days.

    All int64 (c,): as in ``Events``; ``day`` is that of the event. ``frauds``: 1 or -1.
    """

    key: Integers
    day: Integers
    known: Integers
    frauds: Integers


@dataclass(frozen=True)
class Reach:
    """What to read of a log: days from ``first_day`` on, known by ``known_through``."""

    first_day: date
    known_through: datetime

    def on(self, loaded_at: ColumnElement[datetime]) -> list[ColumnElement[bool]]:
        """Bounds of knowledge, which leave out the partitions that hold nothing of it."""
        # A day begins 14 hours earlier than in UTC where clocks are the most ahead.
        midnight = datetime(*self.first_day.timetuple()[:3], tzinfo=UTC)
        first = midnight - timedelta(hours=14) - AHEAD
        return [loaded_at >= first, loaded_at <= self.known_through]


def read_changes(
    conn: Connection, stream: Stream, key: str, keys: Sequence[str], reach: Reach
) -> Changes:
    """What labels changed of the events of ``keys``, which ``Changes.key`` counts."""
    c, slot = label.c, label.c[stream.key_slot(key)]
    query = select(slot, _CHANGES.aggregate()).where(
        c.stream == stream.name,
        among(slot, keys),
        c.fraud != c.was_fraud,
        c.business_date >= reach.first_day,
        c.loaded_at <= reach.known_through,
    )
    groups = read_groups(conn, query.group_by(slot))
    place = {name: number for number, name in enumerate(keys)}
    rows = _CHANGES.unpack(groups)
    of = np.array([place[group.key[0]] for group in groups], np.int64)[rows.group]
    order = np.lexsort((rows.columns["day"], of))
    columns = {name: values.astype(np.int64)[order] for name, values in rows.columns.items()}
    return Changes(of[order], columns["day"], columns["known"], columns["frauds"])


def stream_events(
    conn: Connection,
    stream: Stream,
    key: str,
    keys: Sequence[str],
    reach: Reach,
    *,
    amounts: Sequence[str] = (),
    others: Sequence[str] = (),
) -> Iterator[tuple[list[str], Events]]:
    """Events of ``keys``, a batch of whole keys at a time, with the keys of each batch.

    Keys without an event do not come. Memory is that of a batch; between batches the connection
    is busy.
    """
    c, slot = event.c, event.c[stream.key_slot(key)]
    packing = _packing(stream, amounts, others)
    query = select(slot, packing.aggregate()).where(
        c.stream == stream.name,
        among(slot, keys),
        c.business_date >= reach.first_day,
        *reach.on(c.loaded_at),
    )
    for groups in stream_bytes(conn, query.group_by(slot), BYTES_AT_ONCE):
        yield [group.key[0] for group in groups], _events(packing, groups, amounts, others)


def no_events(amounts: Sequence[str], others: Sequence[str]) -> Events:
    """Of keys that have none."""
    none = np.empty(0, np.int64)
    return Events(
        none, none, none, none, none, dict.fromkeys(amounts, none), dict.fromkeys(others, none)
    )


_CHANGES = Packing(
    {
        "day": Field(label.c.business_date, "M8[D]"),
        "known": Field(label.c.loaded_at, "M8[us]"),
        "frauds": Field(cast(label.c.fraud, Integer) - cast(label.c.was_fraud, Integer), "i4"),
    }
)


def _packing(stream: Stream, amounts: Sequence[str], others: Sequence[str]) -> Packing:
    fields = {
        "at": Field(event.c.event_at, "M8[us]"),
        "sequence": Field(event.c.sequence, "i8"),
        "known": Field(event.c.loaded_at, "M8[us]"),
        "day": Field(event.c.business_date, "M8[D]"),
    }
    fields |= {f"amount {name}": amount_field(stream.amount_slot(name)) for name in amounts}
    fields |= {f"key {name}": Field(key_number(stream.key_slot(name)), "i8") for name in others}
    return Packing(fields)


def _events(
    packing: Packing, groups: Sequence[Group], amounts: Sequence[str], others: Sequence[str]
) -> Events:
    rows = packing.unpack(groups)
    order = np.lexsort((rows.columns["sequence"], rows.columns["at"], rows.group))
    columns = {name: values.astype(np.int64)[order] for name, values in rows.columns.items()}
    return Events(
        rows.group[order],
        columns["at"],
        columns["sequence"],
        columns["known"],
        columns["day"],
        {name: columns[f"amount {name}"] for name in amounts},
        {name: columns[f"key {name}"] for name in others},
    )
