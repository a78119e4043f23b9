"""How decisions get into the warehouse."""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any, NamedTuple

import orjson
from sqlalchemy import Connection, Engine

from daybreak.warehouse.engine import driver_of, repeatable

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
