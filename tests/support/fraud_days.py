"""Published days of the fraud model, with their log, written row by row for tests of reports."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import UTC, date, datetime, time, timedelta
from typing import Any, NamedTuple

from sqlalchemy import Connection, insert, text

from daybreak.ledger import generations as g
from daybreak.models.fraud.layout import Layout
from daybreak.models.fraud.options import DELAY
from daybreak.models.fraud.tables import scores as score_fraud
from daybreak.signals.log import Event, Label, append_events, append_labels
from daybreak.signals.stream import Stream, declare
from daybreak.warehouse import tables
from daybreak.warehouse.partitions import ensure_partition

MODEL = "fraud"
MONDAY = date(2026, 3, 9)
DAY, HOUR = timedelta(days=1), timedelta(hours=1)
STREAM = Stream("payments", ("card", "terminal"), ("amount",), 2, {}, "UTC")


class Scored(NamedTuple):
    """An event, and what the model says of it. ``cents``: None where it has no amount."""

    key: str
    event_id: str
    probability: float
    decision: str = "allow"
    cents: int | None = 500


def noon(day: date) -> datetime:
    """Of a day, UTC."""
    return datetime.combine(day, time(12), UTC)


def cutoff_of(day: date) -> datetime:
    """Of the run for a day."""
    return datetime.combine(day + DAY, time(2), UTC)


def begin_stream(
    conn: Connection, stream: Stream = STREAM, version: str = "v1", delay_days: int = 7
) -> None:
    """The stream, and a version that looks at it, as training describes it."""
    declare(conn, stream, noon(MONDAY))
    manifest = {"layout": Layout.of(stream, delay_days).as_json(), "options": {DELAY: delay_days}}
    conn.execute(
        insert(tables.model_version).values(
            model=MODEL, version=version, uri="", files={}, manifest=manifest,
            trained_through=MONDAY - 30 * DAY, registered_at=noon(MONDAY),
        )
    )  # fmt: skip


def happen(
    conn: Connection, events: Iterable[Scored], day: date = MONDAY, *, known: datetime | None = None
) -> None:
    """The events in the log, at noon of a day of the stream."""
    logged = [
        Event(
            one.event_id,
            noon(day),
            {"card": one.key} if one.key else {},
            {} if one.cents is None else {"amount": one.cents},
        )
        for one in events
    ]
    append_events(conn, STREAM, logged, known or noon(day))


def say(conn: Connection, fraud: bool, *event_ids: str, known: datetime | None = None) -> None:
    """Label events, a day after Monday noon."""
    labels = [Label(one, fraud) for one in event_ids]
    append_labels(conn, STREAM, labels, known or noon(MONDAY) + DAY)


def publish(
    conn: Connection,
    scored: Sequence[Scored],
    day: date = MONDAY,
    *,
    version: str = "v1",
    run_type: str = "scheduled",
) -> int:
    """The scores of a day."""
    cutoff = cutoff_of(day)
    snapshot_id = conn.execute(
        insert(tables.snapshot)
        .values(
            model=MODEL, business_date=day, cutoff=cutoff, layout=f"{version}{run_type}",
            rows=1, sha256="", built_at=cutoff,
        )
        .returning(tables.snapshot.c.snapshot_id)
    ).scalar_one()  # fmt: skip
    generation = g.open_generation(
        conn, model=MODEL, business_date=day, run_key=f"{run_type} {version} {day}",
        run_type=run_type, cutoff=cutoff, version=version, snapshot_id=snapshot_id, now=cutoff,
    )  # fmt: skip
    ensure_partition(conn, score_fraud, day)
    shared = {"business_date": day, "generation_id": generation.generation_id, "shard": 0}
    names = ("key", "event_id", "probability", "decision")
    rows = [shared | dict(zip(names, one[:4], strict=True)) for one in scored]
    if rows:
        conn.execute(insert(score_fraud), rows)
    g.mark_staged(conn, generation.generation_id, len(scored), cutoff)
    g.mark_audited(conn, generation.generation_id, cutoff)
    g.publish(conn, generation.generation_id, cutoff)
    return generation.generation_id


def decide(conn: Connection, decided_at: datetime, decision_id: int, **values: Any) -> None:
    """A decision in the log of decisions, about an event of the day on which it was made."""
    day = decided_at.astimezone(UTC).date()
    conn.execute(text("SELECT ops.ensure_day('ops', 'decision', :day)"), {"day": day})
    row = {
        "decided_at": decided_at, "decision_id": decision_id, "model": MODEL, "version": "v1",
        "stream": STREAM.name, "business_date": day, "event_id": f"e{decision_id}",
        "event_at": decided_at, "recorded": True, "known": {}, "stale": False, "request": "{}",
        "features": b"", "answer": "{}", "latency_ms": 1.0, "commit_ms": 1.0,
    }  # fmt: skip
    conn.execute(insert(tables.decision).values(row | values))


def prove(conn: Connection, day: date, run_key: str, proven_at: datetime, **values: Any) -> None:
    """What a night found."""
    row = {
        "model": MODEL, "business_date": day, "run_key": run_key, "decisions": 0, "differing": 0,
        "wrong_tiles": 0, "finding": "", "proven_at": proven_at,
    }  # fmt: skip
    conn.execute(insert(tables.proof).values(row | values))
