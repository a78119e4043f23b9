"""The log: what counts once, what is known when, and what two writers at once leave behind."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from threading import Barrier, Thread
from typing import Any

import orjson
import pytest
from sqlalchemy import Connection, Engine, func, select, text
from sqlalchemy.exc import DBAPIError

from daybreak.errors import DatasetError, NotFound
from daybreak.signals.log import (
    Event,
    Label,
    append_events,
    append_labels,
    event_row,
    held_event,
    settle,
)
from daybreak.signals.retention import expired_days, prune_days
from daybreak.signals.stream import Stream, declare, read_progress, read_stream
from daybreak.signals.tiles import build_tiles, wrong_tiles
from daybreak.warehouse.engine import begin, connect

NOW = datetime(2026, 3, 2, 12, tzinfo=UTC)
MINUTE, HOUR, DAY = timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)
MICROSECOND = timedelta(microseconds=1)
STREAM = Stream("payments", ("card", "shop"), ("amount",), 2, {"channel": "text"}, "UTC")


@pytest.fixture
def conn(warehouse: Engine) -> Iterator[Connection]:
    with begin(warehouse) as conn:
        declare(conn, STREAM, NOW)
        yield conn


def paid(event_id: str, at: datetime = NOW, cents: int = 500, **attributes: str) -> Event:
    return Event(event_id, at, {"card": "c", "shop": "s"}, {"amount": cents}, attributes)


def loaded(
    conn: Connection, function: str, rows: list[dict[str, Any]], now: datetime = NOW
) -> list[Any]:
    """As a load of a file appends: with the times at which entries became known."""
    call = text(f"SELECT * FROM ops.append_{function}('payments', CAST(:rows AS jsonb), :now, 7)")
    return list(conn.execute(call, {"rows": orjson.dumps(rows).decode(), "now": now}))


def known_rows(conn: Connection, table: str) -> list[tuple[Any, ...]]:
    query = text(f"SELECT event_id, loaded_at FROM raw.{table} ORDER BY sequence")
    return [tuple(row) for row in conn.execute(query)]


def test_an_id_counts_once(conn: Connection) -> None:
    first, twice = append_events(conn, STREAM, [paid("a"), paid("a")], NOW)
    (again,) = append_events(conn, STREAM, [paid("a")], NOW + HOUR)

    assert first.outcome == "new"
    assert twice == again == first._replace(outcome="repeat")
    assert known_rows(conn, "event") == [("a", NOW)]


@pytest.mark.parametrize(
    "other",
    [
        paid("a", cents=501),
        paid("a", NOW - MICROSECOND),
        paid("a", channel="web"),
        Event("a", NOW, {"card": "c"}, {"amount": 500}),
        Event("a", NOW, {"card": "c", "shop": "s"}),
    ],
)
def test_an_id_of_another_event_is_a_conflict(conn: Connection, other: Event) -> None:
    append_events(conn, STREAM, [paid("a")], NOW)

    outcomes = [one.outcome for one in append_events(conn, STREAM, [other, paid("b"), other], NOW)]

    assert outcomes == ["conflict", "new", "conflict"]
    assert held_event(conn, STREAM, "a") == paid("a")
    assert held_event(conn, STREAM, "x") is None


def test_what_comes_live_is_known_after_all_that_was_known(conn: Connection) -> None:
    append_events(conn, STREAM, [paid("a")], NOW)
    append_events(conn, STREAM, [paid("b", NOW - DAY)], NOW)  # a clock that stands still
    append_labels(conn, STREAM, [Label("a", True)], NOW - HOUR)  # one that was set back

    assert known_rows(conn, "event") == [("a", NOW), ("b", NOW + MICROSECOND)]
    assert known_rows(conn, "label") == [("a", NOW + 2 * MICROSECOND)]
    assert read_progress(conn, "payments").watermark == NOW + 2 * MICROSECOND


def test_history_is_known_as_it_was_while_nothing_relies_on_the_log(conn: Connection) -> None:
    rows = [
        event_row(STREAM, paid(name, NOW - age)) | {"known_at": (NOW - age + MINUTE).isoformat()}
        for name, age in (("b", HOUR), ("a", 2 * HOUR))
    ]
    loaded(conn, "events", rows)
    loaded(
        conn, "events", [event_row(STREAM, paid("z", NOW - DAY)) | {"known_at": NOW.isoformat()}]
    )
    early = event_row(STREAM, paid("early", NOW - DAY))
    loaded(conn, "events", [early | {"known_at": (NOW - 2 * DAY).isoformat()}])
    known_at = (NOW - 90 * MINUTE).isoformat()
    loaded(conn, "labels", [{"event_id": "a", "fraud": True, "known_at": known_at}])

    assert known_rows(conn, "event") == [
        ("a", NOW - 2 * HOUR + MINUTE),
        ("b", NOW - HOUR + MINUTE),
        ("z", NOW),
        ("early", NOW - DAY),  # not before it happened
    ]
    assert known_rows(conn, "label") == [("a", NOW - 2 * HOUR + 30 * MINUTE)]


def test_history_comes_too_late_once_the_log_is_relied_on(conn: Connection) -> None:
    append_events(conn, STREAM, [paid("a", NOW - HOUR)], NOW - HOUR)
    settle(conn, STREAM, NOW)

    row = event_row(STREAM, paid("b", NOW - DAY))
    loaded(conn, "events", [row | {"known_at": (NOW - DAY).isoformat()}], NOW)
    ahead = event_row(STREAM, paid("c", NOW)) | {"known_at": (NOW + MINUTE).isoformat()}
    loaded(conn, "events", [ahead], NOW + HOUR)

    assert known_rows(conn, "event")[1:] == [("b", NOW), ("c", NOW + MINUTE)]


def test_a_settled_log_has_a_watermark_though_it_is_empty(conn: Connection) -> None:
    settle(conn, STREAM, NOW)

    assert read_progress(conn, "payments").watermark == NOW
    assert read_progress(conn, "payments").live


def said(conn: Connection) -> list[tuple[Any, ...]]:
    query = text(
        "SELECT event_id, was_fraud, fraud, event_at IS NOT NULL, key_1 FROM raw.label"
        " ORDER BY sequence"
    )
    return [tuple(row) for row in conn.execute(query)]


def test_a_label_changes_what_was_said_before(conn: Connection) -> None:
    append_events(conn, STREAM, [paid("a")], NOW)

    words = [Label("a", fraud) for fraud in (True, True, False, False, True)]
    receipts = append_labels(conn, STREAM, words, NOW)

    assert [one.outcome for one in receipts] == ["new", "repeat", "new", "repeat", "new"]
    assert said(conn) == [
        ("a", False, True, True, "c"),
        ("a", True, False, True, "c"),
        ("a", False, True, True, "c"),
    ]


def test_a_label_waits_for_its_event(conn: Connection) -> None:
    receipts = append_labels(conn, STREAM, [Label("a", True), Label("a", False)], NOW)
    receipts += append_labels(conn, STREAM, [Label("a", False)], NOW)
    assert [one.outcome for one in receipts] == ["waits", "waits", "repeat"]

    append_events(conn, STREAM, [paid("a", NOW - HOUR)], NOW + HOUR)

    assert said(conn)[2:] == [("a", False, False, True, "c")]  # the last word
    assert known_rows(conn, "label")[2:] == [("a", NOW + HOUR)]
    words = [Label("a", False), Label("a", True)]
    assert [one.outcome for one in append_labels(conn, STREAM, words, NOW)] == ["repeat", "new"]


def test_a_wrong_tile_is_found_and_named(conn: Connection) -> None:
    append_events(conn, STREAM, [paid("a", NOW - DAY), paid("b", NOW - 2 * DAY)], NOW)
    append_labels(conn, STREAM, [Label("a", True)], NOW)
    assert build_tiles(conn, STREAM).tiles == 4
    assert build_tiles(conn, STREAM).tiles == 0  # nothing became known
    append_events(conn, STREAM, [paid("c", NOW - 2 * DAY, 700)], NOW)
    assert build_tiles(conn, STREAM).tiles == 2
    assert wrong_tiles(conn, STREAM, date(2026, 1, 1)) == []

    conn.execute(
        text("UPDATE feature.tile SET most_1 = most_1 # 1 WHERE slot = 2 AND most_1 > 600")
    )

    (wrong,) = wrong_tiles(conn, STREAM, date(2026, 1, 1))
    assert wrong == ("shop", "s", date(2026, 2, 28), "most_1", 701, 700)
    assert wrong_tiles(conn, STREAM, date(2026, 3, 1)) == []
    conn.execute(
        text("UPDATE feature.tile SET others_2 = '{5}' WHERE business_date = '2026-03-01'")
    )
    conn.execute(text("DELETE FROM feature.tile WHERE business_date = '2026-02-28'"))
    assert [one[:4] for one in wrong_tiles(conn, STREAM, date(2026, 1, 1))] == [
        ("card", "c", date(2026, 2, 28), "events"),
        ("card", "c", date(2026, 3, 1), "others_2"),
        ("shop", "s", date(2026, 2, 28), "events"),
    ]


def test_of_many_writers_none_is_lost_and_what_was_known_never_grows(warehouse: Engine) -> None:
    """Each writer has some ids of its own and some of all; readers look at what they know."""
    with begin(warehouse) as conn:
        declare(conn, STREAM, NOW)
    seen: list[tuple[datetime, int]] = []
    over = False
    known = text("SELECT count(*) FROM raw.event WHERE loaded_at <= :by")

    def write(number: int) -> None:
        for n in range(40):
            with begin(warehouse) as conn:
                events = [paid(f"{number}-{n}"), paid(f"all-{n}"), paid(f"{number}-{n}+")]
                append_events(conn, STREAM, events, NOW + n * MICROSECOND)

    def read() -> None:
        while not over:
            with connect(warehouse) as conn:
                watermark = read_progress(conn, "payments").watermark
                if watermark is not None:
                    seen.append((watermark, int(conn.scalar(known, {"by": watermark}) or 0)))

    writers = [Thread(target=write, args=(number,)) for number in range(4)]
    reader = Thread(target=read)
    for thread in (*writers, reader):
        thread.start()
    for thread in writers:
        thread.join()
    over = True
    reader.join()
    with connect(warehouse) as conn:
        order = "SELECT loaded_at, sequence FROM raw.event ORDER BY sequence"
        rows = [tuple(row) for row in conn.execute(text(order))]
        assert [sequence for _, sequence in rows] == list(range(1, 4 * 80 + 40 + 1))
        assert rows == sorted(rows)
        assert len(seen) > 1
        for watermark, count in seen:
            assert conn.scalar(known, {"by": watermark}) == count


def test_streams_that_begin_a_day_together_both_find_it(warehouse: Engine) -> None:
    names = [f"stream{number}" for number in range(6)]
    with begin(warehouse) as conn:
        for name in names:
            declare(conn, replace(STREAM, name=name), NOW)
    faults: list[Exception] = []
    together = Barrier(len(names))

    def write(name: str) -> None:
        try:
            for day in range(5):
                with begin(warehouse) as conn:
                    stream = read_stream(conn, name)
                    together.wait(20)
                    append_events(conn, stream, [paid(f"e{day}")], NOW + day * DAY)
        except Exception as error:  # shown below
            faults.append(error)
            together.abort()

    threads = [Thread(target=write, args=(name,)) for name in names]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert faults == []
    with connect(warehouse) as conn:
        assert len(known_rows(conn, "event")) == 30


def test_a_stream_that_is_not_declared_is_named(conn: Connection) -> None:
    with pytest.raises(NotFound, match="streams are: payments"):
        read_stream(conn, "visits")


def test_a_stream_takes_on_new_names_and_keeps_old_ones(conn: Connection) -> None:
    grown = Stream("payments", ("device", "card"), ("fee",), 2, {"app": "flag"}, "UTC")

    declare(conn, grown, NOW)

    found = read_stream(conn, "payments")
    assert (found.keys, found.amounts) == (("card", "shop", "device"), ("amount", "fee"))
    assert found.attributes == {"channel": "text", "app": "flag"}


@pytest.mark.parametrize(
    ("changed", "field"),
    [
        (Stream("payments", ("card",), (), 0, {}, "UTC"), "decimals"),
        (Stream("payments", ("card",), (), 2, {}, "Europe/Berlin"), "timezone"),
        (Stream("payments", ("card",), (), 2, {"channel": "flag"}, "UTC"), "attributes.channel"),
        (Stream("payments", tuple("abcde"), (), 2, {}, "UTC"), "keys"),
        (Stream("payments", (), tuple("abcd"), 2, {}, "UTC"), "amounts"),
    ],
)
def test_a_stream_that_became_another_is_refused(
    conn: Connection, changed: Stream, field: str
) -> None:
    with pytest.raises(DatasetError) as caught:
        declare(conn, changed, NOW)
    assert caught.value.details["field"] == field


def test_days_past_their_time_go_and_others_stay(warehouse: Engine) -> None:
    with begin(warehouse) as conn:
        declare(conn, STREAM, NOW)
        for age in (400, 40, 39, 2, 0):
            append_events(conn, STREAM, [paid(f"e{age}", NOW - age * DAY)], NOW - age * DAY)
            append_labels(conn, STREAM, [Label(f"e{age}", True)], NOW - age * DAY)
        build_tiles(conn, STREAM)

    keep = 39 * DAY
    with connect(warehouse) as conn:
        assert expired_days(conn, 500 * DAY) == []
        planned = expired_days(conn, keep)
    assert planned == [(NOW - age * DAY).date() for age in (400, 40)]
    with connect(warehouse) as reading, reading.begin():
        reading.execute(text("SELECT * FROM raw.event_2025_01_26"))  # 400 days ago
        assert prune_days(warehouse, keep) == planned[1:]
    assert prune_days(warehouse, keep) == planned[:1]
    assert prune_days(warehouse, keep) == []

    with begin(warehouse) as conn:
        for table in ("event", "event_id", "label"):
            assert [one for one, _ in known_rows(conn, table)] == ["e39", "e2", "e0"]
        oldest = conn.scalar(text("SELECT min(business_date) FROM feature.tile"))
        assert oldest == (NOW - 40 * DAY).date()  # the day before the last that went
        (again,) = append_events(conn, STREAM, [paid("e400", NOW - DAY)], NOW + HOUR)
        assert again.outcome == "new"


def test_days_with_nothing_but_decisions_go_too(warehouse: Engine) -> None:
    with begin(warehouse) as conn:
        declare(conn, STREAM, NOW)
        append_events(conn, STREAM, [paid("e", NOW)], NOW)
        conn.execute(select(func.ops.ensure_day("ops", "decision", (NOW - 40 * DAY).date())))
    assert prune_days(warehouse, 39 * DAY) == [(NOW - 40 * DAY).date()]
    assert prune_days(warehouse, 39 * DAY) == []


def test_only_logs_have_days(warehouse: Engine) -> None:
    with begin(warehouse) as conn, pytest.raises(DBAPIError, match=r"raw\.label has no days"):
        conn.execute(select(func.ops.ensure_day("raw", "label", NOW.date())))


def test_nothing_is_past_its_time_where_there_is_no_stream(warehouse: Engine) -> None:
    assert prune_days(warehouse, DAY) == []
