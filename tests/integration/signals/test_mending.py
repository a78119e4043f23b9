"""Tiles that are wrong are made anew, all of them and no others, and signals are right again."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime, timedelta
from threading import Thread
from typing import Any

import numpy as np
import pytest
from sqlalchemy import Connection, Engine, text

from daybreak.errors import DaybreakError
from daybreak.jobs.streams import check_streams
from daybreak.runtime import Runtime
from daybreak.signals import tiles
from daybreak.signals.batch import Moments, microseconds, signals_of
from daybreak.signals.declared import DAY, Signal, Window
from daybreak.signals.log import Event, Label, append_events, append_labels, settle
from daybreak.signals.online import Signals
from daybreak.signals.reading import Moment
from daybreak.signals.retention import first_whole_day, prune_days
from daybreak.signals.slots import NOT_IN_LOG
from daybreak.signals.stream import Stream, declare, read_progress
from daybreak.signals.tiles import build_tiles, mend_tiles, wrong_tiles
from daybreak.warehouse.engine import begin, connect

NOON = datetime(2026, 3, 27, 12, tzinfo=UTC)
STREAM = Stream("payments", ("card", "shop"), ("amount", "fee"), 2, {}, "Europe/Berlin")
OTHER = Stream("visits", ("card", "shop"), ("amount",), 2, {}, "UTC")
LONG = Window(30 * DAY)
SIGNALS = tuple(
    signal
    for key, other in (("card", "shop"), ("shop", "card"))
    for signal in (
        Signal(key, "count", LONG),
        Signal(key, "sum", LONG, "amount"),
        Signal(key, "mean", LONG, "fee"),
        Signal(key, "max", LONG, "amount"),
        Signal(key, "distinct", LONG, other),
        Signal(key, "since_last", LONG),
        Signal(key, "fraud_share", Window(20 * DAY, DAY)),
    )
)
ALWAYS = date(2026, 1, 1)
CARDS, SHOPS = "abcd", "abx"
"""Some are called alike, and are not the same."""


def fill(conn: Connection, stream: Stream = STREAM, seed: int = 7) -> None:
    """Twenty days with late events and labels, and a build on each second of them."""
    rng = np.random.default_rng(seed)
    declare(conn, stream, NOON)
    settle(conn, stream, NOON - 21 * DAY)
    for age in range(20, -1, -1):
        now = NOON - age * DAY
        append_events(conn, stream, [drawn(rng, stream, f"{age}-{n}", now) for n in range(6)], now)
        labels = [Label(f"{age + 3}-{n}", bool(rng.random() < 0.7)) for n in range(3)]
        append_labels(conn, stream, labels, now)
        if age % 2 == 0:
            build_tiles(conn, stream)


def drawn(rng: np.random.Generator, stream: Stream, name: str, now: datetime) -> Event:
    late = timedelta(hours=float(rng.choice([0, 1, 30, 50])))
    keys = {"card": str(rng.choice(list(CARDS)))}
    if rng.random() < 0.8:
        keys["shop"] = str(rng.choice(list(SHOPS)))
    amounts = {} if rng.random() < 0.2 else {"amount": int(rng.integers(0, 9_999))}
    if stream.amounts == ("amount", "fee") and amounts:
        amounts["fee"] = amounts["amount"] // 7
    return Event(name, now - late, keys, amounts)


@pytest.fixture
def conn(warehouse: Engine) -> Iterator[Connection]:
    with begin(warehouse) as conn:
        fill(conn)
        yield conn


def online_and_batch(conn: Connection) -> tuple[np.ndarray, np.ndarray]:
    """All signals of each card and shop now, by both ways; float32 as bits."""
    progress = read_progress(conn, STREAM.name)
    assert progress.watermark is not None
    at = NOON + timedelta(hours=1)
    pairs = [(card, shop) for card in CARDS for shop in SHOPS]
    signals = Signals(STREAM, SIGNALS)
    online = [
        signals.of(conn, Moment(at, {"card": card, "shop": shop}), progress) for card, shop in pairs
    ]

    def same(number: int) -> np.ndarray:
        return np.full(len(pairs), number, np.int64)

    moments = Moments(
        {
            "card": np.array([card for card, _ in pairs], object),
            "shop": np.array([shop for _, shop in pairs], object),
        },
        same(microseconds(at)),
        same(NOT_IN_LOG),
        same(microseconds(progress.watermark)),
        same((STREAM.day_of(at) - date(1970, 1, 1)).days),
    )
    batch = signals_of(conn, STREAM, SIGNALS, moments)
    return np.stack(online).view(np.uint32), batch.view(np.uint32)


def assert_right(conn: Connection) -> None:
    assert wrong_tiles(conn, STREAM, ALWAYS) == []
    online, batch = online_and_batch(conn)
    np.testing.assert_array_equal(online, batch)


def rows(conn: Connection, query: str) -> set[tuple[Any, ...]]:
    found = conn.execute(text(query))
    return {tuple(str(value) for value in row) for row in found}


ALL = "SELECT * FROM feature.tile"
ONE = (
    "ctid = (SELECT ctid FROM feature.tile WHERE stream = 'payments' AND slot = 1"
    " AND key = 'a' AND events > 0 AND sum_1 > 0 AND others_2 IS NOT NULL"
    " ORDER BY business_date, through LIMIT 1)"
    " AND tableoid = (SELECT tableoid FROM feature.tile WHERE stream = 'payments' AND slot = 1"
    " AND key = 'a' AND events > 0 AND sum_1 > 0 AND others_2 IS NOT NULL"
    " ORDER BY business_date, through LIMIT 1)"
)
NOTHING = (
    "INSERT INTO feature.tile (business_date, stream, slot, key, through, events, frauds)"
    " VALUES ('{day}', 'payments', {slot}, '{key}', '2026-03-20Z', 1, 0)"
)
DAMAGES = {
    "events": f"UPDATE feature.tile SET events = events + 1 WHERE {ONE}",
    "frauds": f"UPDATE feature.tile SET frauds = frauds # 1 WHERE {ONE}",
    "last_at": f"UPDATE feature.tile SET last_at = last_at + interval '1 microsecond' WHERE {ONE}",
    "sum_1": f"UPDATE feature.tile SET sum_1 = sum_1 # 1024 WHERE {ONE}",
    "most_1": f"UPDATE feature.tile SET most_1 = most_1 # (1::bigint << 40) WHERE {ONE}",
    "given_2": f"UPDATE feature.tile SET given_2 = given_2 # 1 WHERE {ONE}",
    "others_2": f"UPDATE feature.tile SET others_2[1] = others_2[1] # 1 WHERE {ONE}",
    "no others": f"UPDATE feature.tile SET others_2 = NULL WHERE {ONE}",
    "none": f"DELETE FROM feature.tile WHERE {ONE}",
    "a key of nothing": NOTHING.format(day="2026-03-15", slot=1, key="nobody"),
    "a day of nothing": NOTHING.format(day="2026-02-15", slot=2, key="x"),
    "all of a day": "DELETE FROM feature.tile WHERE business_date = '2026-03-20'",
    "no tile at all": "DELETE FROM feature.tile",
    "no table of the month": "DROP TABLE feature.tile_2026_03",
    "more than 2^63": "UPDATE feature.tile SET sum_1 = 9223372036854775807, sum_2 = -sum_2",
}


@pytest.mark.parametrize("damage", DAMAGES.values(), ids=DAMAGES.keys())
def test_what_is_wrong_is_made_anew_and_nothing_else(conn: Connection, damage: str) -> None:
    assert_right(conn)
    partition = "CREATE TABLE IF NOT EXISTS feature.tile_2026_02 PARTITION OF feature.tile"
    conn.execute(text(f"{partition} FOR VALUES FROM ('2026-02-01') TO ('2026-03-01')"))
    before = rows(conn, ALL)
    conn.execute(text(damage))
    wrong = wrong_tiles(conn, STREAM, ALWAYS, 10_000)
    assert wrong
    untouched = before & rows(conn, ALL)

    assert mend_tiles(conn, STREAM, ALWAYS) == len(wrong)

    assert_right(conn)
    assert mend_tiles(conn, STREAM, ALWAYS) == 0
    named = {(str(one.business_date), one.key, one.value) for one in wrong}
    after = rows(conn, ALL)
    assert {identity(row) for row in untouched ^ after} <= named
    mended = [row for row in after if identity(row) in named]
    assert len(mended) == len(set(map(identity, mended)))
    assert {row[4] for row in mended} <= {str(read_progress(conn, STREAM.name).tiled_through)}
    # What comes later is built on what was mended.
    late = Event("late", NOON - 7 * DAY, {"card": "a", "shop": "x"}, {"amount": 9_999})
    append_events(conn, STREAM, [late], NOON)
    append_labels(conn, STREAM, [Label("late", True), Label("20-0", False)], NOON)
    np.testing.assert_array_equal(*online_and_batch(conn))
    build_tiles(conn, STREAM)
    assert_right(conn)


def identity(row: tuple[str, ...]) -> tuple[str, str, str]:
    day, _, slot, key, *_ = row
    return day, STREAM.keys[int(slot) - 1], key


@pytest.mark.parametrize("damage", ["events", "sum_1", "others_2", "none"])
def test_a_wrong_tile_is_a_wrong_signal(conn: Connection, damage: str) -> None:
    """So that the tests above would see it."""
    conn.execute(text(DAMAGES[damage]))

    online, batch = online_and_batch(conn)

    assert (online != batch).any()


@pytest.mark.parametrize("seed", range(6))
def test_many_that_are_wrong_at_once(conn: Connection, seed: int) -> None:
    rng = np.random.default_rng(seed)
    fill(conn, OTHER, seed)
    others = rows(conn, f"{ALL} WHERE stream = 'visits'")
    for name in ("events", "frauds", "sum_1", "most_2", "given_1", "others_1", "others_2"):
        part = f"hashtext(key || business_date || through || '{name} {seed}') % 5 = 0"
        bit = f"{name} # (1::bigint << {rng.integers(0, 12)})"
        value = f"{name} || 5::bigint" if name.startswith("others") else bit
        only = "WHERE stream = 'payments' AND"
        conn.execute(text(f"UPDATE feature.tile SET {name} = {value} {only} {part}"))
    gone = "hashtext(key || business_date) % 7 = 0"
    conn.execute(text(f"DELETE FROM feature.tile WHERE stream = 'payments' AND {gone}"))
    assert len(wrong_tiles(conn, STREAM, ALWAYS, 10_000)) > 20

    mend_tiles(conn, STREAM, ALWAYS)

    assert_right(conn)
    assert rows(conn, f"{ALL} WHERE stream = 'visits'") == others


def test_earlier_days_stay_as_they_are(conn: Connection) -> None:
    conn.execute(text("UPDATE feature.tile SET events = events + 1"))
    first = date(2026, 3, 20)

    mend_tiles(conn, STREAM, first)

    assert wrong_tiles(conn, STREAM, first) == []
    days = {one.business_date for one in wrong_tiles(conn, STREAM, ALWAYS, 10_000)}
    assert max(days) == date(2026, 3, 19)


def test_history_that_was_loaded_behind_the_tiles_is_in_them_then(warehouse: Engine) -> None:
    """A stream that is not live takes entries that were known before its tiles were built."""
    with begin(warehouse) as conn:
        declare(conn, STREAM, NOON)
        load = text("SELECT * FROM ops.append_events('payments', CAST(:rows AS jsonb), :now, 7)")
        row = (
            '[{{"event_id": "{0}", "event_at": "2026-03-{1}T12:00Z", "key_1": "a", "key_2": "x",'
            ' "business_date": "2026-03-{1}", "known_at": "2026-03-{1}T12:00Z"}}]'
        )
        conn.execute(load, {"rows": row.format("e", 20), "now": NOON})
        build_tiles(conn, STREAM)
        conn.execute(load, {"rows": row.format("f", 10), "now": NOON})
        assert len(wrong_tiles(conn, STREAM, ALWAYS)) == 2

        assert mend_tiles(conn, STREAM, ALWAYS) == 2
        assert_right(conn)


def test_there_is_nothing_to_mend_without_tiles(warehouse: Engine) -> None:
    with begin(warehouse) as conn:
        declare(conn, STREAM, NOON)
        settle(conn, STREAM, NOON)

        assert mend_tiles(conn, STREAM, ALWAYS) == 0


def test_a_build_and_a_mending_wait_for_each_other(warehouse: Engine) -> None:
    with begin(warehouse) as conn:
        fill(conn)
        conn.execute(text(DAMAGES["events"]))
    done: list[int] = []

    def mend() -> None:
        with begin(warehouse) as conn:
            done.append(mend_tiles(conn, STREAM, ALWAYS))

    with begin(warehouse) as building:
        late = Event("late", NOON - 20 * DAY, {"card": "a", "shop": "x"}, {"amount": 1})
        append_events(building, STREAM, [late], NOON)
        build_tiles(building, STREAM)
        mending = Thread(target=mend)
        mending.start()
        mending.join(0.5)
        assert mending.is_alive()
    mending.join(60)
    assert done == [1]
    with connect(warehouse) as conn:
        assert_right(conn)


def test_tiles_that_cannot_be_mended_are_left_as_they_were(
    conn: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tiles, "_mend", lambda *_: 1)

    with pytest.raises(DaybreakError, match="differ from the log again") as caught:
        mend_tiles(conn, STREAM, ALWAYS)

    assert "REINDEX" in caught.value.remedy


def test_days_whose_log_has_gone_are_not_compared(
    warehouse: Engine, make_runtime: Callable[..., Runtime]
) -> None:
    """Tiles of the day before which the log was cut still say what has gone from it."""
    with begin(warehouse) as conn:
        fill(conn)
        assert first_whole_day(conn, STREAM.name) is None
    gone = prune_days(warehouse, 10 * DAY)
    assert gone[-1] == date(2026, 3, 16)
    with connect(warehouse) as conn:
        assert first_whole_day(conn, STREAM.name) == date(2026, 3, 18)
        assert first_whole_day(conn, "visits") is None
        assert wrong_tiles(conn, STREAM, ALWAYS)
        assert wrong_tiles(conn, STREAM, date(2026, 3, 18)) == []
    runtime = make_runtime(now=NOON)

    (found,) = check_streams(first_day=ALWAYS, mend=True, runtime=runtime)

    assert (found["wrong"], found["mended"], found["from"]) == ([], 0, "2026-03-18")
