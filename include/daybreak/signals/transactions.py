"""Events of some days as columns, each as the moment at which it became known."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import Connection, Select, func, select
from sqlalchemy.dialects.postgresql import distinct_on

from daybreak.facts.rows import among
from daybreak.signals.batch import EPOCH, Moments, microseconds
from daybreak.signals.entries import Reach
from daybreak.signals.fold import Integers
from daybreak.signals.log import Event
from daybreak.signals.slots import ABSENT
from daybreak.signals.stream import Stream
from daybreak.types import Float32
from daybreak.warehouse.tables import event, label

ROWS_AT_ONCE = 50_000


@dataclass(frozen=True)
class Transactions:
    """``n`` events in total order, and what was said of them.

    ``moments``: each as it was when it became known, its own event not counted. ``event_id``:
    object. ``amounts``: int64 by name, in the smallest unit, ``ABSENT`` where there is none.
    ``attributes``: object by name, None where absent. ``fraud``: whether it is known as fraud.
    """

    event_id: NDArray[np.object_]
    moments: Moments
    amounts: Mapping[str, Integers]
    attributes: Mapping[str, NDArray[np.object_]]
    fraud: NDArray[np.bool_]

    def __len__(self) -> int:
        return len(self.event_id)

    def where(self, rows: NDArray[Any]) -> Transactions:
        """Some of them, by a mask or by place."""
        moments = self.moments
        return Transactions(
            self.event_id[rows],
            Moments(
                {name: values[rows] for name, values in moments.keys.items()},
                moments.at[rows],
                moments.sequence[rows],
                moments.known[rows],
                moments.day[rows],
            ),
            {name: values[rows] for name, values in self.amounts.items()},
            {name: values[rows] for name, values in self.attributes.items()},
            self.fraud[rows],
        )

    def known_at(self, moment: int) -> Transactions:
        """The same with what was known then, microseconds since 1970."""
        known = np.full(len(self), moment, np.int64)
        return replace(self, moments=replace(self.moments, known=known))


@dataclass(frozen=True)
class EventRows:
    """Events of a stream, and the signals of each, float32 (n, S)."""

    transactions: Transactions
    signals: Float32

    def __len__(self) -> int:
        return len(self.transactions)

    def where(self, rows: NDArray[Any]) -> EventRows:
        """Some of them, by a mask or by place."""
        return EventRows(self.transactions.where(rows), self.signals[rows])


def read_transactions(
    conn: Connection,
    stream: Stream,
    first_day: date,
    last_day: date,
    known_by: datetime,
    *,
    event_ids: Sequence[str] | None = None,
) -> Transactions:
    """Events that happened on these days, and labels of them, known by ``known_by``.

    ``event_ids``: only these of them.
    """
    c = event.c
    query = (
        select(
            c.event_id,
            c.event_at,
            c.sequence,
            c.loaded_at,
            c.business_date,
            c.attributes,
            *(c[stream.key_slot(name)] for name in stream.keys),
            *(func.coalesce(c[stream.amount_slot(name)], ABSENT) for name in stream.amounts),
        )
        .where(
            c.stream == stream.name,
            c.business_date.between(first_day, last_day),
            *Reach(first_day, known_by).on(c.loaded_at),
        )
        .order_by(c.event_at, c.sequence)
    )
    if event_ids is not None:
        query = query.where(among(c.event_id, event_ids))
    rows = list(conn.execute(query, execution_options={"yield_per": ROWS_AT_ONCE}))
    frauds = set(conn.scalars(_known_frauds(stream, first_day, last_day, known_by)))
    columns = list(zip(*rows, strict=True)) or [()] * (6 + len(stream.keys) + len(stream.amounts))
    ids, at, sequence, known, day, attributes = columns[:6]
    keys = dict(zip(stream.keys, map(_objects, columns[6:]), strict=False))
    amounts = columns[6 + len(stream.keys) :]
    moments = Moments(
        keys,
        _integers([microseconds(one) for one in at]),
        _integers(sequence),
        _integers([microseconds(one) for one in known]),
        _integers([(one - EPOCH).days for one in day]),
    )
    return Transactions(
        _objects(ids),
        moments,
        {name: _integers(values) for name, values in zip(stream.amounts, amounts, strict=True)},
        {
            name: _objects([(one or {}).get(name) for one in attributes])
            for name in stream.attributes
        },
        np.fromiter((one in frauds for one in ids), bool, len(ids)),
    )


def as_transactions(
    stream: Stream, events: Sequence[Event], sequences: Sequence[int]
) -> Transactions:
    """Events that may not be in the log, as columns; ``known`` is 0: the caller says what is."""
    days = [(stream.day_of(event.event_at) - EPOCH).days for event in events]
    moments = Moments(
        {key: _objects([event.keys.get(key) for event in events]) for key in stream.keys},
        _integers([microseconds(event.event_at) for event in events]),
        _integers(sequences),
        np.zeros(len(events), np.int64),
        _integers(days),
    )
    return Transactions(
        _objects([event.event_id for event in events]),
        moments,
        {
            name: _integers([event.amounts.get(name, ABSENT) for event in events])
            for name in stream.amounts
        },
        {
            name: _objects([event.attributes.get(name) for event in events])
            for name in stream.attributes
        },
        np.zeros(len(events), bool),
    )


def event_keys(
    conn: Connection, stream: Stream, day: date, known_by: datetime
) -> list[tuple[str, str]]:
    """The first key ('' where it has none) and the id of each event of a day, in their order."""
    c = event.c
    query = select(func.coalesce(c[stream.key_slot(stream.keys[0])], ""), c.event_id).where(
        c.stream == stream.name, c.business_date == day, *Reach(day, known_by).on(c.loaded_at)
    )
    # Sorted here: by code point, whatever the collation of the database.
    return sorted((key, name) for key, name in conn.execute(query))


def text_values(
    conn: Connection, stream: Stream, attribute: str, day: date, known_by: datetime
) -> list[str]:
    """Values that a text attribute has on a day, in order."""
    c = event.c
    value = c.attributes[attribute].astext
    query = (
        select(value)
        .where(
            c.stream == stream.name,
            c.business_date == day,
            value.is_not(None),
            *Reach(day, known_by).on(c.loaded_at),
        )
        .distinct()
    )
    return sorted(conn.scalars(query))


def label_delays(
    conn: Connection, stream: Stream, first_day: date, known_by: datetime
) -> NDArray[np.float64]:
    """Days from each event known as fraud to when that became known, float64 (f,)."""
    c = label.c
    seconds = func.extract("epoch", c.loaded_at - c.event_at)
    query = select(seconds).where(
        c.stream == stream.name,
        c.fraud,
        ~c.was_fraud,
        c.business_date >= first_day,
        c.loaded_at <= known_by,
    )
    return np.array([float(one) for one in conn.scalars(query)], np.float64) / 86_400


def _known_frauds(
    stream: Stream, first_day: date, last_day: date, known_by: datetime
) -> Select[Any]:
    c = label.c
    newest = (
        select(c.event_id, c.fraud)
        .where(
            c.stream == stream.name,
            c.business_date.between(first_day, last_day),
            c.loaded_at <= known_by,
        )
        .ext(distinct_on(c.event_id))
        .order_by(c.event_id, c.loaded_at.desc(), c.sequence.desc())
        .subquery()
    )
    return select(newest.c.event_id).where(newest.c.fraud)


def _objects(values: Any) -> NDArray[np.object_]:
    found = np.empty(len(values), object)
    found[:] = list(values)
    return found


def _integers(values: Any) -> Integers:
    return np.array(values, np.int64)
