"""What recording decisions costs while their day has just begun."""

from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import Engine, text

import fraud_days
from daybreak.ledger.decisions import Entry, record_decisions, recorded_answer
from daybreak.warehouse.engine import begin, connect, make_engine

NOW = datetime(2026, 3, 10, 12, tzinfo=UTC)
DECISIONS = 200


def entry(number: int, *, spooled: bool = False) -> Entry:
    at = NOW + timedelta(seconds=number)
    event = {
        "event_id": f"e{number}", "event_at": at.isoformat(), "business_date": "2026-03-10",
        "key_1": "card", "key_2": "terminal", "amount_1": 100,
    }  # fmt: skip
    return Entry(
        model="fraud", version="v1", stream="payments", business_date=at.date(),
        event_id=f"e{number}", event_at=at, sequence=None, known={}, stale=False, request="{}",
        features=b"", answer=f"answer {number}", latency_ms=1.0,
        event=None if spooled else event, decided_at=at if spooled else None,
    )  # fmt: skip


@pytest.fixture
def lone(warehouse: Engine):
    """As a service has it: one connection, plans kept, no statistics of the new day yet."""
    with begin(warehouse) as conn:
        fraud_days.begin_stream(conn)
    engine = make_engine(
        warehouse.url.render_as_string(hide_password=False), within=10.0, alone=True
    )
    yield engine
    engine.dispose()


def rows_read(engine: Engine) -> int:
    """By an index of decisions or by none."""
    with connect(engine) as conn:
        conn.execute(text("SELECT pg_stat_force_next_flush()"))
    with connect(engine) as conn:
        return conn.execute(
            text(
                "SELECT (SELECT sum(idx_tup_read) FROM pg_stat_user_indexes "
                "WHERE relname LIKE 'decision%') + (SELECT sum(seq_tup_read) "
                "FROM pg_stat_user_tables WHERE relname LIKE 'decision%')"
            )
        ).scalar_one()


@pytest.mark.parametrize("kind", ["new", "repeated", "spooled"])
def test_a_decision_reads_no_others_of_its_day(lone: Engine, kind: str) -> None:
    for number in range(DECISIONS):
        asked = [entry(number, spooled=kind == "spooled")]
        (first,) = record_decisions(lone, asked, NOW)
        assert first.answer is None
        if kind == "repeated":
            (again,) = record_decisions(lone, asked, NOW)
            assert again.answer == f"answer {number}"
            with connect(lone) as conn:
                assert recorded_answer(conn, "fraud", "payments", f"e{number}") == again.answer
    assert rows_read(lone) <= 10 * DECISIONS
