"""One computation for batch and online: random logs through the database, both ways, and a loop."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import Connection, Engine, text

from daybreak.signals.batch import Moments, signals_of
from daybreak.signals.declared import DAY, Signal, Window
from daybreak.signals.log import Event, Label, append_events, append_labels, settle
from daybreak.signals.online import Moment, Signals
from daybreak.signals.reading import Reader
from daybreak.signals.stream import Stream, declare, read_progress
from daybreak.signals.tiles import build_tiles, wrong_tiles
from daybreak.warehouse.engine import begin, connect, driver_of, make_engine
from signal_oracle import Entry, Said, value_of
from signal_oracle import Moment as Asked

NOON = datetime(2026, 3, 27, 12, tzinfo=UTC)
"""Clocks in Berlin go forward two days later."""
STREAM = Stream(
    "payments", ("card", "shop"), ("amount", "fee"), 2, {"channel": "text"}, "Europe/Berlin"
)
WINDOWS = (Window(timedelta(minutes=15)), Window(timedelta(hours=1)), Window(DAY))
LONG = (Window(2 * DAY), Window(7 * DAY))
SIGNALS = tuple(
    signal
    for key, other in (("card", "shop"), ("shop", "card"))
    for window in (*WINDOWS, *LONG)
    for signal in (
        Signal(key, "count", window),
        Signal(key, "sum", window, "amount"),
        Signal(key, "mean", window, "fee"),
        Signal(key, "max", window, "amount"),
        Signal(key, "distinct", window, other),
        Signal(key, "since_last", window),
    )
) + tuple(Signal("shop", "fraud_share", Window(days * DAY, DAY)) for days in (1, 5))


@dataclass
class Kept:
    """What the log holds, as the loop reads it."""

    log: list[Entry]
    said: list[Said]


def microseconds(moment: datetime) -> int:
    return (moment - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(microseconds=1)


def day_of(moment: datetime) -> int:
    return (STREAM.day_of(moment) - date(1970, 1, 1)).days


@st.composite
def steps(draw: st.DrawFn) -> list[tuple[Any, ...]]:
    """What comes in: events that happened now or before, labels, builds, questions."""
    event = st.tuples(
        st.just("event"),
        st.sampled_from([0, 0, 0, 0, 10, 60, 24 * 60, 50 * 60]),
        st.sampled_from("abc"),
        st.sampled_from([None, "x", "x", "y"]),
        st.one_of(st.none(), st.integers(0, 9_999)),
    )
    label = st.tuples(st.just("label"), st.integers(1, 9), st.sampled_from([True, True, False]))
    question = st.tuples(
        st.just("ask"),
        st.sampled_from([0, 0, 5, 30 * 60]),
        st.sampled_from("abcd"),
        st.sampled_from([None, "x", "x", "y", "z"]),
    )
    again = st.tuples(st.just("again"), st.integers(0, 9))
    wait = st.tuples(st.just("wait"), st.sampled_from([1, 60, 600, 25 * 60, 40 * 60]))
    build = st.just(("build",))
    kinds = [event, event, event, event, label, label, question, again, wait, wait, wait, build]
    listed: list[tuple[Any, ...]] = draw(st.lists(st.one_of(*kinds), min_size=12, max_size=60))
    return [*listed, ("ask", 0, "a", "x")]


@settings(
    max_examples=150,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(steps())
def test_online_is_batch_is_the_loop(warehouse: Engine, given_steps: list[tuple[Any, ...]]) -> None:
    with warehouse.connect() as conn, conn.begin() as transaction:
        declare(conn, STREAM, NOON)
        settle(conn, STREAM, NOON)
        play(conn, given_steps)
        transaction.rollback()


def play(conn: Connection, given_steps: Sequence[tuple[Any, ...]]) -> None:
    signals = Signals(STREAM, SIGNALS)
    now, ids = NOON, 0
    asked: list[tuple[Moment, datetime, np.ndarray]] = []
    events: list[tuple[Event, int]] = []
    for kind, *step in given_steps:
        now += timedelta(seconds=1)
        if kind == "wait":
            now += timedelta(minutes=step[0])
        elif kind == "build":
            build_tiles(conn, STREAM)
            assert wrong_tiles(conn, STREAM, date(2026, 1, 1)) == []
        elif kind == "label":
            append_labels(conn, STREAM, [Label(f"e{step[0]}", step[1])], now)
        elif kind == "event":
            late, card, shop, amount = step
            ids += 1
            given_amounts = {} if amount is None else {"amount": amount, "fee": amount // 7}
            keys = {"card": card} | ({} if shop is None else {"shop": shop})
            event = Event(f"e{ids}", now - timedelta(minutes=late), keys, given_amounts)
            (receipt,) = append_events(conn, STREAM, [event], now)
            events.append((event, receipt.sequence))
        else:
            if kind == "ask":
                early, card, shop = step
                keys = {"card": card} | ({} if shop is None else {"shop": shop})
                moment = Moment(now - timedelta(minutes=early), keys)
            elif step[0] < len(events):
                event, sequence = events[step[0]]
                moment = Moment(event.event_at, event.keys, sequence)
            else:
                continue
            progress = read_progress(conn, STREAM.name)
            assert progress.watermark is not None
            values = signals.of(conn, moment, progress)
            asked.append((moment, progress.watermark, values))
    kept = read_log(conn)
    batch = signals_of(conn, STREAM, SIGNALS, moments_of(asked))
    for (moment, known, online), in_batch in zip(asked, batch, strict=True):
        at = Asked(
            microseconds(moment.at),
            moment.sequence,
            microseconds(known),
            day_of(moment.at),
            moment.keys,
        )
        loop = np.array([value_of(s, at, kept.log, kept.said, 100) for s in SIGNALS], np.float32)
        assert_equal_bits(online, loop)
        assert_equal_bits(in_batch, loop)


def assert_equal_bits(found: np.ndarray, expected: np.ndarray) -> None:
    names = [signal.name for signal in SIGNALS]
    differing = np.flatnonzero(found.view(np.uint32) != expected.view(np.uint32))
    assert [(names[n], found[n], expected[n]) for n in differing] == []


def moments_of(asked: list[tuple[Moment, datetime, np.ndarray]]) -> Moments:
    def numbers(values: list[int]) -> np.ndarray:
        return np.array(values, np.int64)

    return Moments(
        {
            key: np.array([one.keys.get(key) for one, _, _ in asked] + [None], object)[:-1]
            for key in STREAM.keys
        },
        numbers([microseconds(one.at) for one, _, _ in asked]),
        numbers([one.sequence for one, _, _ in asked]),
        numbers([microseconds(known) for _, known, _ in asked]),
        numbers([day_of(one.at) for one, _, _ in asked]),
    )


def read_log(conn: Connection) -> Kept:
    """The log by plain SQL."""
    log = [
        Entry(
            row.event_id,
            microseconds(row.event_at),
            row.sequence,
            microseconds(row.loaded_at),
            (row.business_date - date(1970, 1, 1)).days,
            {name: value for name, value in (("card", row.key_1), ("shop", row.key_2)) if value},
            {
                name: value
                for name, value in (("amount", row.amount_1), ("fee", row.amount_2))
                if value is not None
            },
        )
        for row in conn.execute(text("SELECT * FROM raw.event ORDER BY sequence"))
    ]
    # A label that waited is written again when its event has come.
    said = [
        Said(row.event_id, row.fraud, row.sequence, microseconds(row.loaded_at))
        for row in conn.execute(text("SELECT * FROM raw.label WHERE event_at IS NOT NULL"))
    ]
    return Kept(log, said)


def test_many_at_once_see_tiles_whose_partition_is_made_meanwhile(
    warehouse: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Within one transaction PostgreSQL does not make a plan anew for a partition that was attached
    meanwhile, and yet sees what says that it is to be read."""
    now = datetime(2026, 3, 27, 12, tzinfo=UTC)
    with begin(warehouse) as conn:
        declare(conn, STREAM, now)
        settle(conn, STREAM, now - 9 * DAY)
        for age in range(8, 0, -1):
            events = [Event(f"{age}-{n}", now - age * DAY, {"card": "c"}) for n in range(3)]
            append_events(conn, STREAM, events, now - age * DAY)
    signals = Signals(STREAM, (Signal("card", "count", Window(30 * DAY)),))
    moments = [Moment(now, {"card": "c"})] * 2
    ask, asked = Reader._ask, []

    def and_build(*given: Any, **named: Any) -> Any:
        asked.append(given)
        if len(asked) == 22:  # the second of two, after enough that the statement is prepared
            with begin(warehouse) as conn:
                assert build_tiles(conn, STREAM).tiles > 0
        return ask(*given, **named)

    monkeypatch.setattr(Reader, "_ask", and_build)
    alone = make_engine(warehouse.url.render_as_string(hide_password=False), within=5.0, alone=True)
    with connect(alone) as conn:
        for _ in range(20):
            signals.read(driver_of(conn), moments[:1], ["x"])
        found = signals.read(driver_of(conn), moments, ["x", "x"])
    alone.dispose()
    values = [signals.fold(moments[0], one.heads).tolist() for one in found]
    assert found[1].progress.tiled_through is not None
    assert values == [[24.0], [24.0]]
