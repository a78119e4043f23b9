"""Streams and labels from files: what counts, what is known when, what is kept apart."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine, text

from daybreak.errors import DatasetError
from daybreak.signals.log import Event, append_events, settle
from daybreak.signals.stream import read_progress, read_stream
from daybreak.sources.check import check_dataset
from daybreak.sources.contract.spec import load_spec
from daybreak.sources.load import load_dataset
from daybreak.sources.report import LoadReport
from daybreak.warehouse.engine import begin, connect

NOW = datetime(2026, 3, 2, tzinfo=UTC)
HEAD = "id,time,card,shop,amount,channel,distance\n"
EVENTS = (
    HEAD
    + "a,2026-02-01 10:00:00,c1,s1,12.34,web,1.5\n"
    + "b,2026-02-01 11:00:00.000001,c1,,0,,\n"
    + "c,2026-02-02 00:30:00,c2,s1,,shop,\n"
)
LABELS = "id,fraud,known\na,1,2026-02-05\nc,0,2026-02-06\nz,1,2026-02-07\n"
STREAM = """
name: bank
calendar: {timezone: Europe/Berlin}
streams:
  - name: payments
    files: ${HERE}/events*.csv
    columns: {event_id: id, event_at: time, card: card, shop: shop, amount: amount,
              channel: channel, distance: distance}
    keys: [card, shop]
    amounts: [amount]
    attributes: {channel: text, distance: number}
    max_bad_share: 0.5
"""
LABELLED = """
labels:
  - stream: payments
    files: ${HERE}/labels.csv
    columns: {event_id: id, fraud: fraud, known_at: known}
"""

Load = Callable[..., LoadReport]


@pytest.fixture
def load(warehouse: Engine, tmp_path: Path) -> Load:
    def run(yaml: str, files: dict[str, str], now: datetime = NOW, **how: Any) -> LoadReport:
        for name, content in files.items():
            (tmp_path / name).write_text(content)
        (tmp_path / "bank.yaml").write_text(yaml)
        return load_dataset(warehouse, load_spec(tmp_path / "bank.yaml"), now=now, **how)

    return run


def rows(warehouse: Engine, query: str) -> list[tuple[Any, ...]]:
    with connect(warehouse) as conn:
        return [tuple(row) for row in conn.execute(text(query))]


def local(*parts: int) -> datetime:
    """A winter's time in Berlin."""
    return datetime(*parts, tzinfo=UTC) - timedelta(hours=1)  # type: ignore[misc]


def test_events_and_labels_are_loaded_with_their_own_clocks(warehouse: Engine, load: Load) -> None:
    report = load(STREAM + LABELLED, {"events.csv": EVENTS, "labels.csv": LABELS})

    assert [file.loaded for file in report.files] == [3, 3]
    assert report.last_closed == date(2026, 2, 2)
    columns = "event_id, business_date, key_1, key_2, amount_1, attributes, loaded_at"
    assert rows(warehouse, f"SELECT {columns} FROM raw.event ORDER BY sequence") == [
        ("a", date(2026, 2, 1), "c1", "s1", 1234, {"channel": "web", "distance": 1.5},
         local(2026, 2, 1, 10)),
        ("b", date(2026, 2, 1), "c1", None, 0, None, local(2026, 2, 1, 11, 0, 0, 1)),
        ("c", date(2026, 2, 2), "c2", "s1", None, {"channel": "shop"}, local(2026, 2, 2, 0, 30)),
    ]  # fmt: skip
    # z waits for its event, so nothing says when it was known but the load.
    label = "SELECT event_id, fraud, key_1, loaded_at FROM raw.label ORDER BY loaded_at"
    assert rows(warehouse, label) == [
        ("a", True, "c1", local(2026, 2, 5)),
        ("c", False, "c2", local(2026, 2, 6)),
        ("z", True, None, local(2026, 2, 7)),
    ]


def test_the_same_events_again_are_no_new_ones(warehouse: Engine, load: Load) -> None:
    load(STREAM, {"events.csv": EVENTS})

    more = EVENTS + "d,2026-02-03 10:00:00,c1,s1,1,,\n"
    report = load(STREAM, {"events.csv": more, "events2.csv": EVENTS})

    assert [(file.loaded, file.already_loaded) for file in report.files] == [(1, False), (0, True)]
    assert len(rows(warehouse, "SELECT FROM raw.event")) == 4


def test_an_id_with_other_content_is_kept_apart(warehouse: Engine, load: Load) -> None:
    load(STREAM, {"events.csv": EVENTS})
    other = EVENTS.replace("12.34", "12.35") + "d,2026-02-03 10:00:00,c1,s1,1,,\n" * 2

    report = load(STREAM, {"events.csv": other + "d,2026-02-03 10:00:01,c1,s1,1,,\n"})

    assert (report.files[0].loaded, report.files[0].quarantined) == (1, 2)
    kept = rows(warehouse, "SELECT row_number, field, reason FROM raw.quarantine ORDER BY 1")
    reason = "is that of an event with other content, which is known already"
    assert kept == [(1, "event_id", reason), (6, "event_id", reason)]


def test_too_many_of_these_refuse_the_file(load: Load) -> None:
    load(STREAM, {"events.csv": EVENTS})
    with pytest.raises(DatasetError, match="known already"):
        load(
            STREAM.replace("max_bad_share: 0.5", "max_bad_share: 0.1"),
            {"events.csv": EVENTS.replace("12.34", "12.35")},
        )


@pytest.mark.parametrize(
    ("row", "field", "reason"),
    [
        (",2026-02-01 10:00:00,c,s,1,,", "event_id", "absent"),
        ("x,,c,s,1,,", "event_at", "absent"),
        ("x,yesterday,c,s,1,,", "event_at", "date"),
        ("x,2026-04-01 10:00:00,c,s,1,,", "event_at", "future"),
        ("x,2026-02-01 10:00:00,c,s,-1,,", "amount", "negative"),
        ("x,2026-02-01 10:00:00,c,s,1.234,,", "amount", "2 decimals"),
        ("x,2026-02-01 10:00:00,c,s,90071992547410,,", "amount", "2^53"),
        ("x,2026-02-01 10:00:00,c,s,much,,", "amount", "number"),
        ("x,2026-02-01 10:00:00," + "c" * 201 + ",s,1,,", "card", "200 characters"),
        ("x,2026-02-01 10:00:00,c,s,1,,far", "distance", "number"),
    ],
)
def test_bad_rows_are_named(
    warehouse: Engine, load: Load, row: str, field: str, reason: str
) -> None:
    load(STREAM, {"events.csv": EVENTS + row + "\n"})

    ((number, named, why),) = rows(
        warehouse, "SELECT row_number, field, reason FROM raw.quarantine"
    )
    assert (number, named) == (4, field)
    assert reason in why


@pytest.mark.parametrize("amount", ["0.29", "1.1", "90071992547409.91", "4503599627370.49"])
def test_an_amount_that_float64_cannot_write_exactly(
    warehouse: Engine, load: Load, amount: str
) -> None:
    load(STREAM, {"events.csv": HEAD + f"x,2026-02-01 10:00:00,c,s,{amount},,\n"})

    cents = int(Decimal(amount) * 100)
    assert rows(warehouse, "SELECT amount_1 FROM raw.event") == [(cents,)]


def test_what_is_loaded_up_to_a_day_leaves_later_knowledge(warehouse: Engine, load: Load) -> None:
    files = {"events.csv": EVENTS, "labels.csv": LABELS}
    load(STREAM + LABELLED, files, through=date(2026, 2, 5))

    assert rows(warehouse, "SELECT event_id FROM raw.label") == [("a",)]
    load(STREAM + LABELLED, files)
    assert len(rows(warehouse, "SELECT FROM raw.label")) == 3


def test_a_delay_stands_in_for_a_column(warehouse: Engine, load: Load) -> None:
    delayed = """
labels:
  stream: payments
  files: ${HERE}/labels.csv
  columns: {event_id: id, fraud: fraud}
  delay: 7d
"""
    load(STREAM + delayed, {"events.csv": EVENTS, "labels.csv": "id,fraud\na,yes\nz,yes\n"})

    label = "SELECT event_id, loaded_at FROM raw.label ORDER BY sequence"
    assert rows(warehouse, label) == [("a", local(2026, 2, 8, 10)), ("z", NOW)]


def test_what_comes_late_into_a_live_stream_is_known_now(warehouse: Engine, load: Load) -> None:
    load(STREAM, {"events.csv": EVENTS})
    with begin(warehouse) as conn:
        settle(conn, read_stream(conn, "payments"), NOW)

    late = HEAD + "x,2026-02-01 10:00:00,c,s,1,,\n"
    load(STREAM, {"events2.csv": late}, NOW + timedelta(hours=1))

    known = rows(warehouse, "SELECT loaded_at FROM raw.event WHERE event_id = 'x'")
    assert known == [(NOW + timedelta(hours=1),)]


def test_a_stream_without_files_is_declared(warehouse: Engine, load: Load) -> None:
    alone = """
name: bank
streams: {name: payments, keys: [card], amounts: [amount], decimals: 0}
interactions:
  files: ${HERE}/i.csv
  columns: {event_at: at, user_id: u, item_id: i, kind: {const: view}}
"""
    load(alone, {"i.csv": "at,u,i\n2026-02-01,u,i\n"})

    with begin(warehouse) as conn:
        stream = read_stream(conn, "payments")
        assert (stream.keys, stream.scale, stream.timezone) == (("card",), 1, "UTC")
        event = Event("e", NOW, {"card": "c"}, {"amount": 5})
        assert append_events(conn, stream, [event], NOW)[0].outcome == "new"
        assert read_progress(conn, "payments").live


@pytest.mark.parametrize(
    ("change", "fault"),
    [
        (("keys: [card, shop]", "keys: []"), "at least 1 item"),
        (("amounts: [amount]", "amounts: [amount, card]"), r"\['card'\] stand twice"),
        (("amounts: [amount]", "amounts: [event_id, amount]"), r"\['event_id'\] stand twice"),
        (("distance: number", "distance: money"), "text', 'number' or 'flag'"),
        (("shop: shop, ", "till: shop, "), "knows .*'shop'"),
        (("keys: [card, shop]", "keys: [Card]"), "match pattern"),
        (("files: ${HERE}/events*.csv", "longest_text: 100"), "nothing is read: add `files`"),
    ],
)
def test_a_wrong_section_is_named(tmp_path: Path, change: tuple[str, str], fault: str) -> None:
    (tmp_path / "bank.yaml").write_text(STREAM.replace(*change))
    with pytest.raises(DatasetError, match=fault):
        load_spec(tmp_path / "bank.yaml")


@pytest.mark.parametrize(
    ("change", "fault"),
    [
        (("stream: payments", "stream: visits"), "'visits'; there is payments"),
        ((", known_at: known", ""), "either `delay` or a column"),
        (("stream: payments", "delay: 1d\n    stream: payments"), "either `delay` or a column"),
    ],
)
def test_wrong_labels_are_named(tmp_path: Path, change: tuple[str, str], fault: str) -> None:
    (tmp_path / "bank.yaml").write_text(STREAM + LABELLED.replace(*change))
    with pytest.raises(DatasetError, match=fault):
        load_spec(tmp_path / "bank.yaml")


def test_a_check_reads_them_without_a_warehouse(tmp_path: Path) -> None:
    (tmp_path / "bank.yaml").write_text(STREAM + LABELLED)
    (tmp_path / "events.csv").write_text(EVENTS)
    (tmp_path / "labels.csv").write_text(LABELS)

    report = check_dataset(load_spec(tmp_path / "bank.yaml"), now=NOW)

    assert [file.rows for file in report.files] == [3, 3]


def test_many_events_are_loaded_by_keys(warehouse: Engine, load: Load) -> None:
    """Without statistics a plan may compare each with each; 20,000 then take a minute."""
    drawn = """
name: bank
generators: {payments: {cards: 300, terminals: 60, start: 2026-01-01, end: 2026-01-31}}
streams:
  name: payments
  generator: payments
  keys: [card, terminal]
  amounts: [amount]
  attributes: {channel: text, distance: number}
labels: {stream: payments, generator: payments}
"""
    report = load(drawn, {})

    events, labels = report.files
    assert events.rows > events.loaded > 10_000  # some come twice
    assert (events.quarantined, labels.loaded) == (0, labels.rows)
    known = rows(warehouse, "SELECT count(*) FROM raw.label WHERE event_at IS NOT NULL")
    assert known == [(labels.rows,)]
