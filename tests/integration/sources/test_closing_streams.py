"""Which days are closed where events come over HTTP: no file says that a day is complete."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from threading import Thread
from typing import Any

import pytest
from sqlalchemy import Engine, text

from daybreak.facts.days import closed_at
from daybreak.jobs.ingest import load_new_files
from daybreak.runtime import Runtime
from daybreak.signals.log import Event, Label, append_events, append_labels, settle
from daybreak.signals.stream import read_progress, read_stream
from daybreak.sources.closing import awaited
from daybreak.sources.contract.spec import DatasetSpec, load_spec
from daybreak.sources.load import load_dataset
from daybreak.warehouse.engine import begin, connect

BERLIN = "calendar: {timezone: Europe/Berlin}\n"
LIVE = """
streams:
  - {name: payments, keys: [card], amounts: [amount]}
"""
FILED = """
streams:
  - name: payments
    files: ${HERE}/payments*.csv
    columns: {event_id: id, event_at: at, card: {const: c}}
    keys: [card]
"""
VISITS = """
  - name: visits
    files: ${HERE}/visits*.csv
    columns: {event_id: id, event_at: at, card: {const: c}}
    keys: [card]
"""
SALES = """
sales:
  files: ${HERE}/sales*.csv
  columns: {business_date: day, store_id: {const: a}, item_id: {const: x}, units: {const: 1}}
"""
HOUR, DAY = timedelta(hours=1), timedelta(days=1)


def march(day: int, hour: int = 0, minute: int = 0) -> datetime:
    """A moment in Berlin, in winter."""
    return datetime(2026, 3, day, hour, minute, tzinfo=UTC) - HOUR


class Bank:
    """A data set in a folder, and the log of its streams."""

    def __init__(self, engine: Engine, folder: Path) -> None:
        self.engine, self.folder = engine, folder
        self._ids = 0

    def spec(self, sections: str) -> DatasetSpec:
        head = "" if "calendar:" in sections else BERLIN
        (self.folder / "bank.yaml").write_text(f"name: bank\n{head}{sections}")
        return load_spec(self.folder / "bank.yaml")

    def file(self, name: str, *days: int) -> None:
        """A file that has a row of each of these days."""
        rows = [f"{name}-{day},2026-03-{day:02} 12:00:00,2026-03-{day:02}" for day in days]
        (self.folder / f"{name}.csv").write_text("\n".join(["id,at,day", *rows]) + "\n")

    def ingest(
        self, sections: str, now: datetime, through: date | None = None
    ) -> tuple[int, date | None]:
        report = load_dataset(self.engine, self.spec(sections), now=now, through=through)
        return report.days_closed, report.last_closed

    def pay(self, at: datetime, now: datetime | None = None, stream: str = "payments") -> None:
        """An event comes over HTTP."""
        self._ids += 1
        with begin(self.engine) as conn:
            event = Event(f"{stream} {self._ids}", at, {"card": "c"})
            append_events(conn, read_stream(conn, stream), [event], now or at)

    def settle(self, now: datetime, stream: str = "payments") -> None:
        with begin(self.engine) as conn:
            settle(conn, read_stream(conn, stream), now)

    def closed(self) -> list[int]:
        return [row[0].day for row in self.rows("SELECT business_date FROM raw.day_closed")]

    def awaited(self, sections: str, day: int, now: datetime | None = None) -> tuple[str, ...]:
        with connect(self.engine) as conn:
            return awaited(conn, self.spec(sections), date(2026, 3, day), now)

    def rows(self, query: str) -> list[tuple[Any, ...]]:
        with connect(self.engine) as conn:
            return [tuple(row) for row in conn.execute(text(f"{query} ORDER BY 1"))]


@pytest.fixture
def bank(warehouse: Engine, tmp_path: Path) -> Bank:
    return Bank(warehouse, tmp_path)


def test_days_of_a_stream_without_files_close_once_they_are_over(bank: Bank) -> None:
    assert bank.ingest(LIVE, march(1, 12)) == (0, None)
    assert bank.awaited(LIVE, 1, march(2, 12)) == ("streams",)  # it is not live

    bank.pay(march(2, 10))
    assert bank.ingest(LIVE, march(2, 23, 59)) == (0, None)
    assert bank.awaited(LIVE, 2, march(2, 23, 59)) == ("streams",)
    assert bank.awaited(LIVE, 2, march(3)) == ()
    assert bank.awaited(LIVE, 2) == ()  # without a clock it is taken for over

    assert bank.ingest(LIVE, march(3)) == (1, date(2026, 3, 2))
    assert bank.ingest(LIVE, march(3, 12)) == (0, date(2026, 3, 2))  # nothing is closed twice
    # Nothing comes on the third and on the fourth.
    assert bank.ingest(LIVE, march(5, 2)) == (2, date(2026, 3, 4))
    assert bank.rows("SELECT business_date, closed_at FROM raw.day_closed") == [
        (date(2026, 3, day), march(day + 1)) for day in (2, 3, 4)
    ]
    assert bank.awaited(LIVE, 5, march(5, 2)) == ("streams",)
    assert bank.awaited(LIVE, 1, march(5, 2)) == ("streams",)  # before its first day


def test_the_load_of_a_closed_day_says_where_its_rows_come_from(bank: Bank) -> None:
    bank.ingest(LIVE, march(1))
    bank.pay(march(1, 10))
    for day in (3, 4, 5):
        bank.ingest(LIVE, march(day))

    found = bank.rows(
        "SELECT business_date, source, uri, first_date, last_date, rows_loaded"
        " FROM raw.day_closed JOIN ops.load USING (load_id)"
    )
    assert found == [
        (date(2026, 3, day), "streams", "/v1/streams/payments/events", date(2026, 3, 1), None, 0)
        for day in (1, 2, 3, 4)
    ]
    assert len(bank.rows("SELECT load_id FROM ops.load")) == 1


def test_days_from_the_first_event_on_are_closed_and_earlier_ones_are_not(bank: Bank) -> None:
    bank.ingest(LIVE, march(1))
    bank.pay(march(4, 10))
    bank.pay(march(3, 23, 59), march(4, 11))  # late

    bank.ingest(LIVE, march(5))
    assert bank.closed() == [3, 4]

    bank.pay(march(2, 12), march(5, 12))  # of a day before, when it is too late for that day
    bank.ingest(LIVE, march(6))
    assert bank.closed() == [3, 4, 5]


def test_a_stream_that_is_not_live_waits_for_its_files(bank: Bank) -> None:
    bank.file("payments", 1, 2, 3)

    assert bank.ingest(FILED, march(10)) == (3, date(2026, 3, 3))
    assert bank.ingest(FILED, march(12)) == (0, date(2026, 3, 3))
    assert bank.awaited(FILED, 4, march(12)) == ("streams",)
    assert bank.awaited(FILED, 3, march(12)) == ()


def test_a_live_stream_goes_on_where_its_files_end(bank: Bank) -> None:
    bank.file("payments", 1, 2, 4, 5)
    bank.file("payments2", 8)
    bank.ingest(FILED, march(9))
    assert bank.closed() == [1, 2, 3, 4, 5, 8]

    bank.pay(march(11, 10))
    bank.ingest(FILED, march(11, 12))
    assert bank.closed() == [1, 2, 3, 4, 5, 8, 9, 10]
    bank.ingest(FILED, march(12))
    assert bank.closed()[-1] == 11
    assert bank.awaited(FILED, 12, march(12)) == ("streams",)
    # The gap was there before, and is one still: a file may fill it.
    assert bank.awaited(FILED, 6, march(12)) == ("streams",)
    bank.file("payments3", 6, 7)
    bank.ingest(FILED, march(12, 1))
    assert bank.closed() == list(range(1, 12))


def test_a_file_for_a_live_stream_moves_no_day(bank: Bank) -> None:
    """Otherwise days between that file and the earlier ones would be awaited again."""
    bank.file("payments", 1, 2)
    bank.file("sales", 1, 2)
    both = FILED + SALES
    bank.ingest(both, march(3))
    bank.pay(march(3, 10))
    bank.ingest(both, march(4))

    bank.file("payments2", 8)
    bank.ingest(both, march(9))
    assert bank.closed() == [1, 2]
    assert bank.awaited(both, 5, march(9)) == ("sales",)
    bank.file("sales2", 3, 4, 5, 6)
    bank.ingest(both, march(10))
    assert bank.closed() == [1, 2, 3, 4, 5, 6]


def test_a_day_waits_as_long_as_its_facts_take_to_arrive(bank: Bank) -> None:
    slow = LIVE + "arrival_lag: 90m\n"
    bank.ingest(slow, march(1))
    bank.pay(march(1, 10))

    bank.ingest(slow, march(2, 1, 29))
    assert bank.closed() == []
    assert bank.awaited(slow, 1, march(2, 1, 29)) == ("streams",)
    assert bank.awaited(slow, 1, march(2, 1, 30)) == ()
    bank.ingest(slow, march(2, 4))

    with connect(bank.engine) as conn:
        assert closed_at(conn, date(2026, 3, 1)) == march(2, 1, 30)


def test_sales_wait_for_a_live_stream_only_until_the_day_is_over(bank: Bank) -> None:
    both = SALES + LIVE
    bank.file("sales", 1, 2, 3)
    bank.ingest(both, march(4))
    assert bank.closed() == [1, 2, 3]  # a stream that never had a row is not waited for

    bank.pay(march(4, 10))
    bank.file("sales2", 4, 5, 6)
    slow = both + "arrival_lag: 1h\n"
    bank.ingest(slow, march(7, 0, 30))
    assert bank.closed() == [1, 2, 3, 4, 5]
    assert bank.awaited(slow, 6, march(7, 0, 30)) == ("streams",)
    bank.ingest(slow, march(8, 2))
    assert bank.closed() == [1, 2, 3, 4, 5, 6]
    assert bank.awaited(slow, 7, march(8, 2)) == ("sales",)


def test_sales_wait_for_a_stream_on_its_first_day_too(bank: Bank) -> None:
    both = SALES + LIVE + "arrival_lag: 1h\n"
    bank.file("sales", 1, 2, 3, 4)
    bank.ingest(both, march(4, 9))
    bank.pay(march(4, 10))

    bank.ingest(both, march(5, 0, 30))
    assert bank.closed() == [1, 2, 3]
    bank.ingest(both, march(5, 1))
    assert bank.closed() == [1, 2, 3, 4]


def test_a_live_stream_that_closes_no_days_changes_nothing(bank: Bank) -> None:
    both = SALES + LIVE.replace("name:", "closes_days: false, name:")
    bank.file("sales", 1, 2, 3)
    bank.ingest(both, march(4))
    bank.pay(march(2, 10), march(4))

    bank.ingest(both, march(9))

    assert bank.closed() == [1, 2, 3]
    assert bank.awaited(both, 4, march(9)) == ("sales",)
    assert bank.rows("SELECT source FROM ops.load") == [("sales",)]
    assert bank.rows("SELECT watermark FROM ops.stream") == [(march(4),)]


def test_a_day_waits_for_each_of_two_streams(bank: Bank) -> None:
    two = FILED + VISITS
    bank.file("payments", 1, 2, 3, 4, 5)
    bank.file("visits", 2, 3)
    bank.ingest(two, march(9))
    assert bank.closed() == [1, 2, 3]  # the other one begins on the second
    assert bank.awaited(two, 4, march(9)) == ("streams",)

    bank.settle(march(9))
    bank.ingest(two, march(9, 1))
    assert bank.closed() == [1, 2, 3]

    bank.file("visits2", 4, 5, 6, 7)
    bank.ingest(two, march(9, 2))
    assert bank.closed() == [1, 2, 3, 4, 5, 6, 7]

    bank.settle(march(9, 3), "visits")
    bank.ingest(two, march(9, 4))
    assert bank.closed() == [1, 2, 3, 4, 5, 6, 7, 8]
    assert bank.awaited(two, 9, march(9, 4)) == ("streams",)


def test_of_two_streams_one_may_be_left_out(bank: Bank) -> None:
    two = FILED + VISITS.replace("keys:", "closes_days: false\n    keys:")
    bank.file("payments", 1, 2, 3)
    bank.file("visits", 2, 3, 4, 5, 6)

    bank.ingest(two, march(9))

    assert bank.closed() == [1, 2, 3]
    assert bank.awaited(two, 4, march(9)) == ("streams",)


def test_files_of_two_streams_are_told_apart_after_a_mapping_was_changed(bank: Bank) -> None:
    two = FILED + VISITS
    bank.file("payments", 1, 2, 3, 4)
    bank.file("visits", 1, 2)
    bank.ingest(two, march(9))
    assert bank.closed() == [1, 2]

    # What is read in another way is read again; loads of before cover the days of nobody else.
    changed = two.replace("keys: [card]\n", "keys: [card]\n    max_bad_share: 0.5\n", 1)
    bank.ingest(changed, march(9, 1))
    assert bank.closed() == [1, 2]
    bank.file("visits2", 3, 4, 5, 6)
    bank.ingest(changed, march(9, 2))
    assert bank.closed() == [1, 2, 3, 4]
    # Where its files are gone, loads of before say how far they went.
    again = changed.replace("max_bad_share: 0.5", "max_bad_share: 0.6", 1)
    assert bank.awaited(again, 4) == ()
    assert bank.awaited(again, 5) == ("streams",)


def test_two_sections_of_one_stream_cover_days_together(bank: Bank) -> None:
    more = FILED + VISITS.replace("name: visits", "name: payments")
    bank.file("payments", 1, 2)
    bank.file("visits", 3, 4)

    bank.ingest(more, march(9))

    assert bank.closed() == [1, 2, 3, 4]


def test_labels_hold_no_day_back(bank: Bank) -> None:
    labelled = (
        LIVE
        + """
labels:
  stream: payments
  files: ${HERE}/labels*.csv
  columns: {event_id: id, fraud: {const: true}, known_at: at}
"""
    )
    bank.file("labels", 1)
    bank.ingest(labelled, march(2))
    with begin(bank.engine) as conn:
        append_labels(conn, read_stream(conn, "payments"), [Label("e", True)], march(2))
    assert bank.ingest(labelled, march(3)) == (0, None)  # of labels alone no day begins

    bank.pay(march(3, 10))
    bank.ingest(labelled, march(5))

    assert bank.closed() == [3, 4]
    assert bank.awaited(labelled, 4, march(5)) == ()


def test_weeks_of_a_live_stream(bank: Bank) -> None:
    """They end on Sundays: 1, 8, 15 and 22 March 2026."""
    weeks = "calendar: {timezone: Europe/Berlin, period: week}\n" + FILED
    bank.file("payments", 3, 10)  # up to a Tuesday
    bank.ingest(weeks, march(12))
    assert bank.closed() == [8]

    bank.pay(march(12, 10))
    bank.ingest(weeks, march(15, 23, 59))
    assert bank.closed() == [8]
    assert bank.awaited(weeks, 15, march(15, 23, 59)) == ("streams",)
    bank.ingest(weeks, march(16))
    assert bank.closed() == [8, 15]
    bank.ingest(weeks, march(24))
    assert bank.closed() == [8, 15, 22]


def test_a_week_in_which_a_live_stream_begins(bank: Bank) -> None:
    weeks = "calendar: {timezone: Europe/Berlin, period: week}\n" + LIVE
    bank.ingest(weeks, march(11))
    bank.pay(march(11, 10))

    bank.ingest(weeks, march(14))
    assert bank.closed() == []
    bank.ingest(weeks, march(16))
    assert bank.closed() == [15]


def test_shut_days_of_a_live_stream_are_closed_like_all_others(bank: Bank) -> None:
    shut = "calendar: {timezone: Europe/Berlin, closed_weekdays: [sunday]}\n"  # 8 March 2026
    both = shut + SALES + LIVE
    bank.file("sales", 5, 6)
    bank.ingest(both, march(7))
    bank.pay(march(5, 10), march(7))

    bank.ingest(both, march(9))
    assert bank.closed() == [5, 6]  # Saturday's sales are awaited, and so is Sunday after it
    bank.file("sales2", 7)
    bank.ingest(both, march(9, 1))
    assert bank.closed() == [5, 6, 7, 8]

    alone = shut + LIVE
    assert bank.awaited(alone, 8, march(9)) == ()
    bank.ingest(alone, march(11))
    assert bank.closed() == [5, 6, 7, 8, 9, 10]


def test_a_simulated_ingest_closes_no_day_after_the_one_asked_for(bank: Bank) -> None:
    bank.ingest(LIVE, march(1))
    bank.pay(march(1, 10))

    for day in (1, 3):
        bank.ingest(LIVE, march(9), through=date(2026, 3, day))
        assert bank.closed()[-1] == day
    bank.ingest(LIVE, march(9))
    assert bank.closed() == list(range(1, 9))


def test_what_was_known_when_a_day_was_closed_never_grows(bank: Bank) -> None:
    """An entry is stamped before it is committed, and clocks of machines differ."""
    bank.ingest(LIVE, march(1))
    bank.pay(march(1, 10))
    committed: list[datetime] = []

    with begin(bank.engine) as conn:  # stamped a second before midnight, and not committed yet
        stream = read_stream(conn, "payments")
        second = timedelta(seconds=1)
        append_events(conn, stream, [Event("x", march(1, 23), {"card": "c"})], march(2) - second)
        closing = Thread(target=lambda: committed.append(_ingested(bank, march(2))))
        closing.start()
        closing.join(0.5)
        assert closing.is_alive(), "it has to wait for who appends"
    closing.join(60)
    known = text("SELECT event_id FROM raw.event WHERE loaded_at <= :moment ORDER BY 1")
    with connect(bank.engine) as conn:
        moment = closed_at(conn, date(2026, 3, 1))
        assert moment == march(2)
        before = list(conn.scalars(known, {"moment": moment}))
        assert before == ["payments 1", "x"]

    bank.pay(march(1, 23, 30), march(2) - second)  # by a clock that is slow
    with connect(bank.engine) as conn:
        assert list(conn.scalars(known, {"moment": moment})) == before
        watermark = read_progress(conn, "payments").watermark
        assert watermark == march(2) + timedelta(microseconds=1)


def _ingested(bank: Bank, now: datetime) -> datetime:
    bank.ingest(LIVE, now)
    return now


def test_the_watermark_is_not_set_back(bank: Bank) -> None:
    bank.ingest(LIVE, march(1))
    bank.pay(march(1, 10))
    bank.pay(march(2, 10))

    bank.ingest(LIVE, march(2, 11))

    assert bank.closed() == [1]
    assert bank.rows("SELECT watermark FROM ops.stream") == [(march(2, 10),)]


def test_the_job_closes_days_with_the_rights_that_jobs_have(
    bank: Bank, make_runtime: Callable[..., Runtime]
) -> None:
    bank.spec(LIVE)
    runtime = make_runtime(now=march(1), dataset=str(bank.folder / "bank.yaml"))
    load_new_files(runtime=runtime)
    bank.pay(march(1, 10))

    later = make_runtime(now=march(3), dataset=str(bank.folder / "bank.yaml"))
    first, again = load_new_files(runtime=later), load_new_files(runtime=later)

    assert (first["days_closed"], first["rows"], first["business_date"]) == (2, 0, "2026-03-02")
    assert (again["days_closed"], again["business_date"]) == (0, "2026-03-02")
