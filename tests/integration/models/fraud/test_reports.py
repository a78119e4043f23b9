"""Views of the fraud model: worked by hand, and against the measures of the gate."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from types import SimpleNamespace
from typing import Any, cast

import numpy as np
import pytest
from sqlalchemy import Connection, Engine, insert, text

from daybreak.ledger import generations as g
from daybreak.ledger.decisions import Entry, record_decisions
from daybreak.ledger.verdicts import record_verdict
from daybreak.models.fraud.learn.gate import measures_of
from daybreak.models.fraud.learn.measures import auc, average_precision, card_precision
from daybreak.signals.stream import declare
from daybreak.warehouse import tables
from daybreak.warehouse.engine import begin, make_engine
from fraud_days import (
    DAY,
    HOUR,
    MODEL,
    MONDAY,
    STREAM,
    Scored,
    begin_stream,
    cutoff_of,
    decide,
    happen,
    noon,
    prove,
    publish,
    say,
)

MEASURES = ("auc", "average_precision", "card_precision")
VIEWS = ("fraud_queue", "fraud_quality", "fraud_latency", "fraud_proof")


@pytest.fixture
def conn(warehouse: Engine) -> Iterator[Connection]:
    with begin(warehouse) as connection:
        begin_stream(connection)
        yield connection


def rows(
    conn: Connection, view: str, order: str = "business_date", **equal: Any
) -> list[dict[str, Any]]:
    where = " AND ".join(f"{name} = :{name}" for name in equal) or "TRUE"
    query = text(f"SELECT * FROM report.{view} WHERE {where} ORDER BY {order}")
    return [dict(row) for row in conn.execute(query, equal).mappings()]


def queue(conn: Connection) -> list[dict[str, Any]]:
    return rows(conn, "fraud_queue", "business_date, rank")


def quality(conn: Connection) -> dict[str, Any]:
    (row,) = rows(conn, "fraud_quality")
    return row


# --- the queue -------------------------------------------------------------------------------

SMALL = [
    Scored("a", "a1", 0.25, "review", 1000),
    Scored("a", "a2", 0.75, "block", 4050),
    Scored("a", "a3", 0.125, "allow", 7),
    Scored("B", "b1", 0.5, "review", None),
    Scored("b", "b2", 0.5, "review", 100),
    Scored("b", "b10", 0.5, "review", 200),
    Scored("", "n1", 0.0, "allow", 1),
    Scored("", "n2", 0.625, "review", 2),
]


def test_the_queue_worked_by_hand(conn: Connection) -> None:
    """B is before b, and b10 before b2, by bytes. n1 and n2 have no key."""
    happen(conn, SMALL)
    generation = publish(conn, SMALL)
    say(conn, True, "a3", "b2", "n1")
    say(conn, False, "b2", "b1", known=noon(MONDAY) + 2 * DAY)

    shared = {
        "business_date": MONDAY, "event_at": noon(MONDAY), "version": "v1",
        "generation_id": generation, "published_at": cutoff_of(MONDAY), "gate": "not_judged",
    }  # fmt: skip
    names = (
        "rank", "key", "events", "reviews", "blocks", "event_id", "probability", "decision",
        "amount", "expected_loss", "known_fraud",
    )  # fmt: skip
    assert queue(conn) == [
        shared | dict(zip(names, values, strict=True))
        for values in (
            (1, "a", 3, 1, 1, "a2", 0.75, "block", 40.5, 40.5 * 0.75, True),
            (2, "", 2, 1, 0, "n2", 0.625, "review", 0.02, 0.02 * 0.625, True),
            (3, "B", 1, 1, 0, "b1", 0.5, "review", None, None, False),
            (4, "b", 2, 2, 0, "b10", 0.5, "review", 2.0, 1.0, False),
        )
    ]


def test_the_queue_ends_at_a_hundred_keys_a_day(conn: Connection) -> None:
    for day in (MONDAY, MONDAY + DAY):
        cards = [Scored(f"c{n:03d}", f"{day} {n}", (n % 60) / 64) for n in range(130)]
        publish(conn, cards, day)
    expected = sorted(((n % 60) / 64, -n) for n in range(130))[::-1][:100]
    for day in (MONDAY, MONDAY + DAY):
        found = rows(conn, "fraud_queue", "rank", business_date=day)
        assert [row["rank"] for row in found] == [*range(1, 101)]
        assert [(row["probability"], row["key"]) for row in found] == [
            (probability, f"c{-n:03d}") for probability, n in expected
        ]
        assert {(row["event_at"], row["amount"], row["known_fraud"]) for row in found} == {
            (None, None, False)  # none of these is in the log
        }


def test_an_event_that_became_known_days_later_is_found(conn: Connection) -> None:
    """By a backfill, which scored it; and a fraud that came after the run marks its card."""
    late = Scored("a", "late", 0.5, "review", 300)
    happen(conn, [late], known=noon(MONDAY) + 9 * DAY)
    publish(conn, [late])
    happen(conn, [Scored("a", "unscored", 0.0, cents=900)], known=noon(MONDAY) + 20 * DAY)
    assert [(row["amount"], row["known_fraud"]) for row in queue(conn)] == [(3.0, False)]
    say(conn, True, "unscored", known=noon(MONDAY) + 21 * DAY)

    (row,) = queue(conn)
    assert (row["event_id"], row["events"], row["known_fraud"]) == ("late", 1, True)
    found = quality(conn)
    assert (found["events"], found["frauds"], found["card_precision"]) == (1, 0, 1.0)
    assert (found["auc"], found["caught_value"], found["missed_value"]) == (None, 0.0, 0.0)
    say(conn, True, "late", known=noon(MONDAY) + 30 * DAY)
    assert quality(conn)["caught_value"] == 3.0


def test_a_fraud_on_another_day_or_of_another_stream_is_none_of_this_day(
    conn: Connection,
) -> None:
    other = replace(STREAM, name="elsewhere")
    declare(conn, other, noon(MONDAY))
    here, there = Scored("a", "here", 0.5), Scored("a", "there", 0.5)
    happen(conn, [here])
    happen(conn, [there], MONDAY + DAY)
    publish(conn, [here])
    say(conn, True, "there", known=noon(MONDAY) + 2 * DAY)
    copied = {"stream": other.name, "event_id": "here", "business_date": MONDAY, "key_1": "a"}
    conn.execute(
        insert(tables.label).values(
            copied | {"sequence": 9, "fraud": True, "was_fraud": False, "loaded_at": noon(MONDAY)}
        )
    )
    assert [row["known_fraud"] for row in queue(conn)] == [False]
    assert quality(conn)["frauds"] == 0


# --- quality ---------------------------------------------------------------------------------


def test_quality_worked_by_hand(conn: Connection) -> None:
    """Two frauds: a3 (0.125, allowed) and b10 (0.5, reviewed, of three with that probability).

    By probability: 0.75, 0.625, 0.5 x 3, 0.25, 0.125, 0. Below b10 are 0.25 and 0, beside it two;
    below a3 is 0. At 0.5 one of five is a fraud, at 0.125 two of seven.
    """
    happen(conn, SMALL)
    generation = publish(conn, SMALL)
    say(conn, True, "a3", "b10")

    # By weights: 3.25 frauds and 4.75 others; of the latter 4.5 are below 0.75, and so on.
    pairs = (
        0.75 * (4.5 + 0.25 / 2) + 0.625 * (4.125 + 0.375 / 2) + 1.5 * (2.625 + 1.5 / 2)
        + 0.25 * (1.875 + 0.75 / 2) + 0.125 * (1 + 0.875 / 2)
    )  # fmt: skip
    steps = (
        0.75 * 0.75 / 1 + 0.625 * 1.375 / 2 + 1.5 * 2.875 / 5 + 0.25 * 3.125 / 6 + 0.125 * 3.25 / 7
    )
    assert quality(conn) == {
        "business_date": MONDAY, "delay_days": 7, "mature": False, "events": 8, "cards": 4,
        "frauds": 2, "expected_frauds": pytest.approx(3.25),
        "auc": pytest.approx((2 + 2 / 2 + 1) / (2 * 6)),
        "estimated_auc": pytest.approx(pairs / (3.25 * 4.75)),
        "average_precision": pytest.approx((1 / 5 + 2 / 7) / 2),
        "estimated_average_precision": pytest.approx(steps / 3.25),
        "card_precision": 1.0,  # of four cards the first is looked at: a
        "estimated_card_precision": pytest.approx(1 - 0.75 * 0.25 * 0.875),
        "caught_value": 2.0, "missed_value": 0.07,
        "version": "v1", "generation_id": generation, "gate": "not_judged",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("seed", "events", "cards", "levels"),
    [(1, 400, 37, 16), (2, 3000, 1500, 16), (3, 2500, 800, 64), (4, 1500, 1200, 1), (5, 30, 3, 4)],
)
def test_measures_are_those_of_the_gate_and_estimates_those_of_weights(
    conn: Connection, seed: int, events: int, cards: int, levels: int
) -> None:
    """Ties, many or few; probabilities are n / ``levels``, 0 and 1 among them.

    So an event of probability n / levels is, for the estimates, n frauds and the rest none.
    """
    rng = np.random.default_rng(seed)
    parts = np.minimum(rng.geometric(2 / levels, events) - 1, levels) if levels > 4 else (
        rng.integers(0, levels + 1, events))  # fmt: skip
    probability = (parts / levels).astype(np.float32)
    key = rng.integers(0, cards, events)
    fraud = rng.random(events) < probability * 0.7 + 0.03
    names = np.array([f"Card {n}" if n % 2 else f"card {n:04d}" for n in range(cards)])
    scored = [
        Scored(names[key[n]], f"e{n}", float(probability[n]), ("allow", "review", "block")[n % 3],
               int(n)) for n in range(events)
    ]  # fmt: skip
    happen(conn, scored)
    publish(conn, scored)
    say(conn, True, *(f"e{n}" for n in np.flatnonzero(fraud)))

    _, card = np.unique(names[key], return_inverse=True)
    day = np.zeros(events, np.int64)
    truth = cast("Any", SimpleNamespace(day=day, cards=card, fraud=fraud))
    found = quality(conn)
    assert {name: found[name] for name in MEASURES} == pytest.approx(
        measures_of(truth, probability), rel=1e-12
    )
    assert (found["events"], found["cards"]) == (events, len(np.unique(card)))
    assert found["frauds"] == fraud.sum()
    caught = fraud & (np.arange(events) % 3 > 0)
    cents = np.arange(events)
    assert found["caught_value"] == pytest.approx(cents[caught].sum() / 100)
    assert found["missed_value"] == pytest.approx(cents[fraud & ~caught].sum() / 100)

    often = np.repeat(probability, levels)
    as_fraud = np.arange(levels)[None, :] < parts[:, None]
    assert found["expected_frauds"] == pytest.approx(parts.sum() / levels)
    assert found["estimated_auc"] == pytest.approx(auc(often, as_fraud.ravel()))
    assert found["estimated_average_precision"] == pytest.approx(
        average_precision(often, as_fraud.ravel())
    )
    chance = 1 - np.array([np.prod(1.0 - probability[card == one]) for one in np.unique(card)])
    best = np.array([probability[card == one].max() for one in np.unique(card)])
    most = max(1, min(100, len(chance) // 10))
    top = np.argsort(-best, kind="stable")[:most]
    assert found["estimated_card_precision"] == pytest.approx(chance[top].mean())
    assert most == 100 or len(chance) < 1000
    if most == 100:
        assert found["card_precision"] == pytest.approx(
            card_precision(probability, fraud, card, day)
        )


def test_estimates_are_what_comes_true_on_average(conn: Connection) -> None:
    """Where frauds are drawn by the probabilities themselves, one card an event."""
    rng = np.random.default_rng(8)
    probability = rng.beta(0.3, 3, 20_000).astype(np.float32)
    scored = [Scored(f"c{n}", f"e{n}", float(one)) for n, one in enumerate(probability)]
    happen(conn, scored)
    publish(conn, scored)
    say(conn, True, *(f"e{n}" for n in np.flatnonzero(rng.random(20_000) < probability)))

    found = quality(conn)
    assert found["expected_frauds"] == pytest.approx(found["frauds"], rel=0.05)
    assert found["estimated_auc"] == pytest.approx(found["auc"], abs=0.01)
    assert found["estimated_average_precision"] == pytest.approx(
        found["average_precision"], abs=0.03
    )
    assert found["estimated_card_precision"] == pytest.approx(found["card_precision"], abs=0.1)


def test_what_cannot_be_said_is_null(conn: Connection) -> None:
    """Without a known fraud; with nothing but frauds; without any event."""
    happen(conn, SMALL)
    publish(conn, SMALL)
    found = quality(conn)
    assert (found["frauds"], found["auc"], found["average_precision"]) == (0, None, None)
    assert (found["card_precision"], found["caught_value"], found["missed_value"]) == (0, 0, 0)
    assert None not in (found[f"estimated_{name}"] for name in MEASURES)

    say(conn, True, *(one.event_id for one in SMALL))
    found = quality(conn)
    assert (found["auc"], found["average_precision"], found["card_precision"]) == (None, 1, 1)

    publish(conn, [], MONDAY + DAY)
    (empty,) = rows(conn, "fraud_quality", business_date=MONDAY + DAY)
    assert (empty["events"], empty["cards"], empty["frauds"], empty["expected_frauds"]) == (0,) * 4
    assert {empty[f"{prefix}{name}"] for prefix in ("", "estimated_") for name in MEASURES} == {
        None
    }


@pytest.mark.parametrize("probability", [0.0, 1.0])
def test_certain_probabilities_leave_no_auc_to_estimate(
    conn: Connection, probability: float
) -> None:
    publish(conn, [Scored("a", "e", probability), Scored("b", "f", probability)])
    found = quality(conn)
    assert found["estimated_auc"] is None
    assert found["estimated_card_precision"] == found["expected_frauds"] / 2 == probability
    assert found["estimated_average_precision"] == (1.0 if probability else None)


def test_a_stream_without_amounts_has_no_value(warehouse: Engine) -> None:
    with begin(warehouse) as conn:
        begin_stream(conn, replace(STREAM, amounts=()))
        scored = [Scored("a", "e", 0.5, "review", None), Scored("b", "f", 0.25, "allow", None)]
        happen(conn, scored)
        publish(conn, scored)
        say(conn, True, "e", "f")
        found = quality(conn)
        assert (found["caught_value"], found["missed_value"]) == (None, None)
        assert [(row["amount"], row["expected_loss"]) for row in queue(conn)] == [(None, None)] * 2


def test_the_last_word_about_an_event_counts_once_its_event_is_there(conn: Connection) -> None:
    """A label that is withdrawn and given again; one that came before its event."""
    scored = [Scored("a", "e", 0.5, "review"), Scored("b", "f", 0.25)]
    happen(conn, scored[:1])
    publish(conn, scored)
    known = noon(MONDAY) + DAY

    def seen() -> tuple[int, list[bool]]:
        return quality(conn)["frauds"], [row["known_fraud"] for row in queue(conn)]

    assert seen() == (0, [False, False])
    say(conn, True, "e", known=known)
    assert seen() == (1, [True, False])
    say(conn, False, "e", known=known + DAY)
    assert seen() == (0, [False, False])
    say(conn, True, "e", known=known + 2 * DAY)
    assert seen() == (1, [True, False])
    say(conn, True, "f", known=known + 3 * DAY)
    assert seen() == (1, [True, False]), "it waits for its event"
    happen(conn, scored[1:], known=known + 4 * DAY)
    assert seen() == (2, [True, True])


def test_only_what_is_published_is_shown(conn: Connection) -> None:
    old = [Scored("a", "e", 0.25), Scored("b", "f", 0.5)]
    new = [Scored("a", "e", 0.75)]
    first = publish(conn, old)
    second = publish(conn, new, run_type="backfill")
    assert [row["generation_id"] for row in queue(conn)] == [second]
    assert (quality(conn)["events"], quality(conn)["generation_id"]) == (1, second)
    g.rollback(conn, MODEL, MONDAY, noon(MONDAY) + 2 * DAY)
    assert [(row["key"], row["generation_id"]) for row in queue(conn)] == [
        ("b", first), ("a", first),
    ]  # fmt: skip
    assert quality(conn)["expected_frauds"] == 0.75
    g.rollback(conn, MODEL, MONDAY, noon(MONDAY) + 2 * DAY)
    assert queue(conn) == rows(conn, "fraud_quality") == []


def test_a_day_is_mature_when_the_delay_of_its_version_has_passed(conn: Connection) -> None:
    begin_stream(conn, version="slow", delay_days=9)
    publish(conn, SMALL)
    publish(conn, SMALL, MONDAY + DAY, version="slow")
    publish(conn, SMALL, MONDAY + 2 * DAY, version="not registered")

    def mature() -> list[tuple[int, bool]]:
        return [(row["delay_days"], row["mature"]) for row in rows(conn, "fraud_quality")]

    def close(days: int) -> None:
        day = MONDAY + days * DAY
        conn.execute(
            insert(tables.day_closed).values(business_date=day, closed_at=cutoff_of(day), load_id=1)
        )

    assert mature() == [(7, False), (9, False), (7, False)]
    close(6)
    assert mature() == [(7, False), (9, False), (7, False)]
    close(7)
    assert mature() == [(7, True), (9, False), (7, False)]
    close(9)
    assert mature() == [(7, True), (9, False), (7, True)]
    close(10)
    assert mature() == [(7, True), (9, True), (7, True)]


def test_a_refused_version_is_marked(conn: Connection) -> None:
    publish(conn, SMALL)
    record_verdict(
        conn, model=MODEL, version="v1", passed=False, reason="", evidence={}, actor="test",
        now=noon(MONDAY), headline=None,
    )  # fmt: skip
    assert {row["gate"] for row in queue(conn)} == {quality(conn)["gate"]} == {"refused"}


# --- latency ---------------------------------------------------------------------------------


def test_latency_worked_by_hand(conn: Connection) -> None:
    """Nine of an hour, 2 to 50 ms; one of another hour, and one of the next day."""
    begins = noon(MONDAY)
    for n, ms in enumerate((2, 4, 6, 8, 10, 20, 30, 40, 50)):
        decide(
            conn, begins + n * timedelta(minutes=6), n, latency_ms=ms - 1.5, commit_ms=1.5,
            recorded=n > 0, stale=n > 6,
        )  # fmt: skip
    decide(conn, begins + HOUR, 10, latency_ms=41.0, commit_ms=0.0)
    decide(conn, begins + DAY, 11, latency_ms=3.0, commit_ms=4.0, business_date=MONDAY)
    decide(conn, begins, 12, model="other")

    names = (
        "business_date", "hour", "decisions", "recorded", "stale", "p50_ms", "p90_ms", "p99_ms",
        "max_ms", "within_40_ms",
    )  # fmt: skip
    assert rows(conn, "fraud_latency", "business_date, hour") == [
        {"stream": "payments", **dict(zip(names, values, strict=True))}
        for values in (
            (MONDAY, 12, 9, 8, 2, 10.0, pytest.approx(42.0), pytest.approx(49.2), 50.0, 8 / 9),
            (MONDAY, 13, 1, 1, 0, 41.0, 41.0, 41.0, 41.0, 0.0),
            (MONDAY + DAY, 12, 1, 1, 0, 7.0, 7.0, 7.0, 7.0, 1.0),
        )
    ]


def test_days_and_hours_are_those_of_the_stream(warehouse: Engine) -> None:
    """In New York clocks go back on 1 November, and 01:00 comes twice."""
    with begin(warehouse) as conn:
        begin_stream(conn, replace(STREAM, timezone="America/New_York"))
        for n, at in enumerate(
            (
                datetime(2026, 11, 1, 3, 59, tzinfo=UTC),  # 31 October, 23:59
                datetime(2026, 11, 1, 4, 0, tzinfo=UTC),  # midnight
                datetime(2026, 11, 1, 5, 30, tzinfo=UTC),  # 01:30
                datetime(2026, 11, 1, 6, 30, tzinfo=UTC),  # 01:30 again
                datetime(2026, 11, 2, 4, 59, tzinfo=UTC),  # 23:59
                datetime(2026, 11, 2, 5, 0, tzinfo=UTC),  # midnight
            )
        ):
            decide(conn, at, n)
        found = rows(conn, "fraud_latency", "business_date, hour")
    assert [(row["business_date"].day, row["hour"], row["decisions"]) for row in found] == [
        (31, 23, 1), (1, 0, 1), (1, 1, 2), (1, 23, 1), (2, 0, 1),
    ]  # fmt: skip


def test_decisions_as_they_are_recorded_are_seen(warehouse: Engine) -> None:
    with begin(warehouse) as conn:
        begin_stream(conn)
    entries = [
        Entry(
            MODEL, "v1", STREAM.name, MONDAY, f"e{n}", noon(MONDAY), None, {}, n == 1, "{}", b"",
            '{"predictions": []}', 20.0 * n,
        )
        for n in (1, 2, 3)
    ]  # fmt: skip
    alone = warehouse.execution_options(isolation_level="AUTOCOMMIT")
    record_decisions(alone, entries, noon(MONDAY), 5.0)
    with begin(warehouse) as conn:
        (row,) = rows(conn, "fraud_latency")
    assert (row["decisions"], row["recorded"], row["stale"]) == (3, 0, 1)
    assert (row["p50_ms"], row["max_ms"], row["within_40_ms"]) == (45.0, 65.0, 1 / 3)


# --- proof -----------------------------------------------------------------------------------


def test_the_newest_proof_of_a_day_counts_and_only_a_whole_one_is_one(conn: Connection) -> None:
    first, night = MONDAY, noon(MONDAY) + DAY
    for n in range(3):
        decide(conn, noon(first), n)
    prove(conn, first, "z", night, decisions=2, differing=1, finding="e1 differs")
    prove(conn, first, "a", night + DAY, decisions=3)
    prove(conn, first, "other", night + 2 * DAY, model="other", decisions=9, differing=9)
    prove(conn, first + DAY, "a", night + DAY)  # nothing was decided
    prove(conn, first + 2 * DAY, "b", night + 3 * DAY, wrong_tiles=1, finding="a tile")

    def found() -> list[tuple[Any, ...]]:
        names = ("proven", "decisions", "decisions_made", "differing", "wrong_tiles", "run_key")
        return [tuple(row[name] for name in names) for row in rows(conn, "fraud_proof")]

    assert found() == [
        (True, 3, 3, 0, 0, "a"), (True, 0, 0, 0, 0, "a"), (False, 0, 0, 0, 1, "b"),
    ]  # fmt: skip
    assert rows(conn, "fraud_proof")[2] == {
        "business_date": first + 2 * DAY, "proven": False, "decisions": 0, "decisions_made": 0,
        "differing": 0, "wrong_tiles": 1, "finding": "a tile", "proven_at": night + 3 * DAY,
        "run_key": "b",
    }  # fmt: skip
    decide(conn, noon(first) + 4 * DAY, 9, business_date=first)  # about a late event
    assert found()[0] == (False, 3, 4, 0, 0, "a")
    prove(conn, first, "b", night + 4 * DAY, decisions=4, differing=1)
    assert found()[0] == (False, 4, 4, 1, 0, "b")


# --- what a question costs -------------------------------------------------------------------


def test_a_question_about_a_day_reads_nothing_of_the_days_before(postgres: Any) -> None:
    """Counted in rows, which other work on the machine does not change."""
    few, many = (reads_after(postgres, days) for days in (4, 40))
    assert not {view: (few[view], many[view]) for view in VIEWS if many[view] > few[view] + 150}


def reads_after(postgres: Any, days: int) -> dict[str, float]:
    """Of each view, what a question about the last of so many days takes up."""
    with postgres.database("warehouse_template") as name:
        engine = make_engine(postgres.url(name))
        with begin(engine) as conn:
            begin_stream(conn)
            for number in range(days):
                fill(conn, MONDAY + number * DAY)
        with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as conn:
            conn.execute(text("VACUUM ANALYZE"))
            conn.execute(text("SET enable_seqscan = off"))  # so few rows are soonest read all
            found = {view: rows_read(conn, view, MONDAY + (days - 1) * DAY) for view in VIEWS}
        engine.dispose()
    return found


def fill(conn: Connection, day: date) -> None:
    """Forty cards of its own: of a card all labels are read that there ever were."""
    scored = [Scored(f"{day} {n % 40}", f"{day} {n}", (n % 50) / 64) for n in range(200)]
    happen(conn, scored, day)
    say(conn, True, *(one.event_id for one in scored[::20]), known=noon(day) + HOUR)
    publish(conn, scored, day)
    for n in range(20):
        decide(conn, noon(day), n + 100 * day.toordinal())
    prove(conn, day, "r", cutoff_of(day), decisions=20)


def rows_read(conn: Connection, view: str, day: date) -> float:
    explained = conn.execute(
        text(
            f"EXPLAIN (ANALYZE, FORMAT JSON) SELECT * FROM report.{view} "
            f"WHERE business_date = DATE '{day}'"
        )
    ).scalar_one()
    plan = explained[0]["Plan"]
    assert plan["Actual Rows"] > 0, view
    return sum(map(read_by, nodes(plan)))


def nodes(plan: dict[str, Any]) -> Iterator[dict[str, Any]]:
    yield plan
    for below in plan.get("Plans", []):
        yield from nodes(below)


def read_by(node: dict[str, Any]) -> float:
    removed = node.get("Rows Removed by Filter", 0) + node.get("Rows Removed by Index Recheck", 0)
    return node["Actual Loops"] * (node["Actual Rows"] + removed) if "Relation Name" in node else 0
