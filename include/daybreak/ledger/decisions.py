"""Decisions about events as they were answered, and what the night says of them."""

from __future__ import annotations

import base64
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import date, datetime
from typing import Any, NamedTuple

import orjson
from sqlalchemy import Connection, Engine, Row, func, select, tuple_
from sqlalchemy.dialects.postgresql import insert

from daybreak.warehouse.engine import driver_of, repeatable
from daybreak.warehouse.tables import decision, proof

AT_ONCE = 150_000
"""Decisions in memory: some 2 kB each. For so many, the log of their keys is read once: a
third as many took 1.4 times as long."""

_RECORD = b"SELECT number, outcome, answer FROM ops.record_decisions(%s, %s::text::jsonb, %s)"


@dataclass(frozen=True)
class Entry:
    """A decision. ``event``: the event as a row of the log, where it is to be recorded.

    ``sequence``: of the event, where it was in the log. ``known``: by key, the watermark of its
    signals. ``features``: float32, little-endian. ``decided_at``: where that was before now.
    """

    model: str
    version: str
    stream: str
    business_date: date
    event_id: str
    event_at: datetime
    sequence: int | None
    known: Mapping[str, datetime | None]
    stale: bool
    request: str
    features: bytes
    answer: str
    latency_ms: float
    event: Mapping[str, Any] | None = None
    decided_at: datetime | None = None

    def as_json(self, commit_ms: float) -> dict[str, Any]:
        """As ``ops.record_decisions`` takes it."""
        return {
            "model": self.model,
            "version": self.version,
            "business_date": self.business_date,
            "event_id": self.event_id,
            "event_at": self.event_at,
            "sequence": self.sequence,
            "known": self.known,
            "stale": self.stale,
            "request": self.request,
            "features": base64.b64encode(self.features).decode(),
            "answer": self.answer,
            "latency_ms": self.latency_ms,
            "commit_ms": commit_ms,
            "event": self.event,
            "decided_at": self.decided_at,
        }


class Recorded(NamedTuple):
    """What became of a decision about an event that was to be recorded.

    ``conflict``: its id is that of another event, and neither is kept. ``answer``: of the decision
    that was recorded about the event before, which holds; None: this one does.
    """

    conflict: bool
    answer: str | None


def record_decisions(
    engine: Engine, entries: Sequence[Entry], now: datetime, commit_ms: float = 0.0
) -> list[Recorded]:
    """Write decisions of one stream in one transaction, of which no two record the same event.

    ``engine``: that of lone statements. What returns was committed. Raises
    ``WarehouseUnavailable``, after which they may have been written or not.
    """
    rows = orjson.dumps([one.as_json(commit_ms) for one in entries])
    asked = (entries[0].stream, rows.decode(), now)

    def record(conn: Connection) -> list[Any]:
        return driver_of(conn).execute(_RECORD, asked).fetchall()

    found = {
        number: Recorded(outcome == "conflict", answer)
        for number, outcome, answer in repeatable(engine, record)
    }
    return [found[number] for number in range(1, len(entries) + 1)]


def recorded_answer(conn: Connection, model: str, stream: str, event_id: str) -> str | None:
    """The answer of the decision that was recorded about an event, as JSON; None: there is none."""
    c = decision.c
    # Sorted here: where the day has just begun, the first one in time would be looked for by time.
    query = select(c.decided_at, c.decision_id, c.answer).where(
        c.stream == stream, c.event_id == event_id, c.model == model, c.recorded
    )
    held = sorted(tuple(row) for row in conn.execute(query))
    return str(held[0][-1]) if held else None


def decisions_of(conn: Connection, model: str, business_date: date) -> Iterator[list[Row[Any]]]:
    """Decisions about events of a day in the order in which they were made, some at a time."""
    c = decision.c
    after: tuple[datetime, int] | None = None
    while True:
        query = select(decision).where(c.model == model, c.business_date == business_date)
        if after is not None:
            query = query.where(tuple_(c.decided_at, c.decision_id) > after)
        rows = list(conn.execute(query.order_by(c.decided_at, c.decision_id).limit(AT_ONCE)))
        if not rows:
            return
        after = rows[-1].decided_at, rows[-1].decision_id
        yield rows


@dataclass(frozen=True)
class Proof:
    """What the night found of a day. ``finding``: the first of what is wrong; empty: nothing is."""

    model: str
    business_date: date
    run_key: str
    decisions: int
    differing: int
    wrong_tiles: int
    finding: str
    proven_at: datetime


def days_to_prove(conn: Connection, model: str, through: date) -> list[date]:
    """Business dates up to ``through`` with more decisions than were proven; ``through`` as well.

    Decisions about late events belong to days that were proven before.
    """
    c, p = decision.c, proof.c
    made = (
        select(c.business_date, func.count().label("decisions"))
        .where(c.model == model, c.business_date <= through)
        .group_by(c.business_date)
        .subquery()
    )
    proven = (
        select(p.business_date, func.max(p.decisions).label("decisions"))
        .where(p.model == model)
        .group_by(p.business_date)
        .subquery()
    )
    query = (
        select(made.c.business_date)
        .outerjoin(proven, proven.c.business_date == made.c.business_date)
        .where(made.c.decisions > func.coalesce(proven.c.decisions, 0))
    )
    return sorted({through, *conn.scalars(query)})


def record_proof(conn: Connection, found: Proof) -> None:
    """Write it down; that of a run which is cleared and runs again replaces what it found."""
    statement = insert(proof).values(asdict(found))
    keys = list(proof.primary_key)
    changed = {one.name: statement.excluded[one.name] for one in proof.c if one not in keys}
    conn.execute(statement.on_conflict_do_update(index_elements=keys, set_=changed))
