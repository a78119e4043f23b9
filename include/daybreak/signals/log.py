"""The log of a stream: what happened, what was said of it later, and when either became known.

Two functions of the database append to it (revision 0014), under a lock of the stream. So entries
become visible in the order of their sequence and of ``loaded_at``, and what was known at a
watermark stays the same for ever.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Any, Literal, NamedTuple

import orjson
from sqlalchemy import Connection, TextClause, func, select, text, update

from daybreak.signals.stream import Stream
from daybreak.warehouse.tables import event, event_id
from daybreak.warehouse.tables import stream as streams

AttributeValue = str | float | bool


@dataclass(frozen=True)
class Event:
    """``event_at``: aware. ``amounts``: whole numbers of the smallest unit, 0 or more."""

    event_id: str
    event_at: datetime
    keys: Mapping[str, str]
    amounts: Mapping[str, int] = field(default_factory=dict)
    attributes: Mapping[str, AttributeValue] = field(default_factory=dict)


@dataclass(frozen=True)
class Label:
    """What is said of an event: whether it was fraud. The last word counts."""

    event_id: str
    fraud: bool


Outcome = Literal["new", "repeat", "waits", "conflict"]


class Receipt(NamedTuple):
    """What became of an entry.

    ``outcome``: ``repeat``: it was there already; ``waits``: a label whose event is not known yet;
    ``conflict``: its id is that of another event. ``sequence``, ``loaded_at``: of the entry that
    holds, which became known then.
    """

    outcome: Outcome
    sequence: int
    loaded_at: datetime


def append_events(
    conn: Connection, stream: Stream, events: Sequence[Event], now: datetime
) -> list[Receipt]:
    """Append events that came now, of which each id counts once; in the order given.

    Until the transaction ends nobody else appends to the stream. Those in conflict are left out.
    """
    rows = [event_row(stream, one) for one in events]
    return _append(conn, _EVENTS, stream, rows, now)


def append_labels(
    conn: Connection, stream: Stream, labels: Sequence[Label], now: datetime
) -> list[Receipt]:
    """Append labels that came now, in the order given. One that changes nothing is a repeat."""
    rows = [{"event_id": one.event_id, "fraud": one.fraud} for one in labels]
    return _append(conn, _LABELS, stream, rows, now)


def settle(conn: Connection, stream: Stream, now: datetime) -> None:
    """From here on nothing is added to what is known by the watermark, so that it can be relied on.

    Until then, past entries may be loaded with the times at which they became known, in any order.
    """
    append_events(conn, stream, [], now)


def advance(conn: Connection, name: str, moment: datetime) -> None:
    """Move the watermark of a live stream up to a moment that has passed.

    Waits for who appends now; whatever is appended later is known after ``moment``. The clock alone
    does not say so: an entry is stamped before it is committed, perhaps by another machine.
    """
    conn.execute(
        update(streams)
        .where(
            streams.c.stream == name,
            streams.c.live,
            func.coalesce(streams.c.watermark < moment, True),
        )
        .values(watermark=moment)
    )


def first_day(conn: Connection, name: str) -> date | None:
    """The earliest day with an event that a stream has; None where it has none. Reads all of it."""
    query = select(func.min(event.c.business_date)).where(event.c.stream == name)
    found: date | None = conn.scalar(query)
    return found


def event_row(stream: Stream, one: Event) -> dict[str, Any]:
    """An event as the columns of the log."""
    return {
        "event_id": one.event_id,
        "event_at": one.event_at.isoformat(),
        "business_date": stream.day_of(one.event_at).isoformat(),
        **{stream.key_slot(name): value for name, value in one.keys.items()},
        **{stream.amount_slot(name): value for name, value in one.amounts.items()},
        "attributes": dict(one.attributes) or None,
    }


def held_event(conn: Connection, stream: Stream, id_of_event: str) -> Event | None:
    """The event of that id, as the log has it."""
    c, ids = event.c, event_id.c
    query = (
        select(event)
        .join(event_id, (ids.loaded_at == c.loaded_at) & (ids.sequence == c.sequence))
        .where(c.stream == stream.name, ids.stream == stream.name, ids.event_id == id_of_event)
    )
    row = conn.execute(query).mappings().one_or_none()
    if row is None:
        return None
    keys = {name: row[stream.key_slot(name)] for name in stream.keys}
    amounts = {name: row[stream.amount_slot(name)] for name in stream.amounts}
    return Event(
        row["event_id"],
        row["event_at"],
        {name: value for name, value in keys.items() if value is not None},
        {name: value for name, value in amounts.items() if value is not None},
        {name: _as_given(stream, name, value) for name, value in (row["attributes"] or {}).items()},
    )


def _as_given(stream: Stream, name: str, value: Any) -> AttributeValue:
    # JSON has one kind of number, and 1e23 comes back as a whole one that no float64 is.
    number = stream.attributes.get(name) == "number"
    found: AttributeValue = float(value) if number else value
    return found


_CALL = (
    "SELECT number, outcome, sequence, loaded_at"
    " FROM ops.append_{}(:stream, CAST(:rows AS jsonb), :now, NULL)"
)
_EVENTS, _LABELS = text(_CALL.format("events")), text(_CALL.format("labels"))


def _append(
    conn: Connection,
    call: TextClause,
    stream: Stream,
    rows: Sequence[Mapping[str, Any]],
    now: datetime,
) -> list[Receipt]:
    asked = {"stream": stream.name, "rows": orjson.dumps(rows).decode(), "now": now}
    found = conn.execute(call, asked).all()
    return [Receipt(*row[1:]) for row in sorted(found, key=lambda row: row.number)]
