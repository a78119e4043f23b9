"""How decisions get into the warehouse: those that wait at once are written together.

One thread writes at a time, everything that has come meanwhile, in one transaction, and the others
wait for it. So a commit costs each of them a part of itself, and the log of the stream, which has
one writer at a time, is held by one thread of the process.
"""

from __future__ import annotations

import base64
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from threading import Event, Lock
from typing import Any, NamedTuple

import orjson
from sqlalchemy import Connection, Engine

from daybreak.errors import DaybreakError, WarehouseUnavailable
from daybreak.runtime import Runtime
from daybreak.serving.turn import pass_on
from daybreak.warehouse.engine import driver_of, repeatable
from daybreak.warehouse.faults import UNAVAILABLE

MOST_AT_ONCE = 500
PATIENCE = 1.0
"""Seconds that a recording may have been going on before more are refused at once."""
LONGEST_WAIT = 6.0
"""Seconds that one waits for its own; a statement of the service may take five."""

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


@dataclass
class _Waiting:
    entry: Entry
    done: Event = field(default_factory=Event)
    outcome: Recorded | DaybreakError | None = None


class Journal:
    """Records decisions. Safe for many threads."""

    def __init__(self, runtime: Runtime) -> None:
        self._runtime = runtime
        self._lock = Lock()
        self._waiting: list[_Waiting] = []
        self._since: float | None = None
        """Since when a thread writes."""
        self._commit_ms = 0.0

    def record(self, entries: Sequence[Entry]) -> list[Recorded]:
        """Write them, each wholly or not at all; what returns was committed.

        Raises ``WarehouseUnavailable``, after which they may have been written or not.
        """
        mine = [_Waiting(one) for one in entries]
        pass_on()
        with self._lock:
            if self._since is not None and time.monotonic() - self._since > PATIENCE:
                raise _slow()
            self._waiting += mine
            leads = self._since is None
            if leads:
                self._since = time.monotonic()
        if leads:
            self._write_all()
        found = []
        for one in mine:
            if not one.done.wait(LONGEST_WAIT):
                raise _slow()
            if isinstance(one.outcome, Recorded):
                found.append(one.outcome)
            elif one.outcome is not None:
                raise one.outcome
        return found

    def _write_all(self) -> None:
        """Until nobody waits; the last of those that came meanwhile included."""
        while True:
            with self._lock:
                some, self._waiting = _together(self._waiting)
                self._since = time.monotonic() if some else None
            if not some:
                return
            self._write(some)

    def _write(self, some: Sequence[_Waiting]) -> None:
        began = time.perf_counter()
        try:
            rows = [one.entry for one in some]
            found = record_decisions(
                self._runtime.lone_statements, rows, self._runtime.clock(), self._commit_ms
            )
            for one, outcome in zip(some, found, strict=True):
                one.outcome = outcome
        except DaybreakError as error:
            for one in some:
                one.outcome = error
        except BaseException:
            for one in some:
                one.outcome = _slow()
            raise
        finally:
            self._commit_ms = 1000 * (time.perf_counter() - began)
            for one in some:
                one.done.set()


def record_decisions(
    engine: Engine, entries: Sequence[Entry], now: datetime, commit_ms: float = 0.0
) -> list[Recorded]:
    """Write decisions of one stream in one transaction, of which no two record the same event.

    ``engine``: that of lone statements. Raises ``WarehouseUnavailable``.
    """
    rows = orjson.dumps([one.as_json(commit_ms) for one in entries])
    asked = (entries[0].stream, rows.decode(), now)

    def record(conn: Connection) -> list[Any]:
        return driver_of(conn).execute(_RECORD, asked).fetchall()

    found = {
        number: Recorded(what == "conflict", answer)
        for number, what, answer in repeatable(engine, record)
    }
    return [found[number] for number in range(1, len(entries) + 1)]


def _together(waiting: Sequence[_Waiting]) -> tuple[list[_Waiting], list[_Waiting]]:
    """Those that are written next, of one stream and about different events; and the rest."""
    some: list[_Waiting] = []
    rest: list[_Waiting] = []
    seen: set[tuple[str, str]] = set()
    for one in waiting:
        event = one.entry.stream, one.entry.event_id
        fits = not some or one.entry.stream == some[0].entry.stream
        if fits and event not in seen and len(some) < MOST_AT_ONCE:
            some.append(one)
            seen.add(event)
        else:
            rest.append(one)
    return some, rest


def _slow() -> WarehouseUnavailable:
    return WarehouseUnavailable("The warehouse takes long to record decisions.", remedy=UNAVAILABLE)
