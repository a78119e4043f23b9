"""Features of a transaction: hours by the wall's clock, what is absent, one or many the same."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from daybreak.errors import ArtifactAltered, ConfigError
from daybreak.models.fraud.features import assemble
from daybreak.models.fraud.layout import MONTH, Layout
from daybreak.signals.declared import Signal, check_signals
from daybreak.signals.log import Event
from daybreak.signals.slots import NOT_IN_LOG
from daybreak.signals.stream import Stream
from daybreak.signals.transactions import EventRows, as_transactions

STREAM = Stream(
    "payments",
    ("card", "terminal"),
    ("amount", "fee"),
    2,
    {"channel": "text", "distance": "number", "app": "flag"},
    "Europe/Berlin",
)
LAYOUT = Layout.of(STREAM, 7)
RATES = {"channel": {"web": 0.5}}
BERLIN = ZoneInfo("Europe/Berlin")


def rows(stream: Stream, layout: Layout, *events: Event) -> EventRows:
    """Events whose signals are 0, 1, 2 …"""
    transactions = as_transactions(stream, events, [NOT_IN_LOG] * len(events))
    signals = np.arange(len(layout.signals), dtype=np.float32)[None]
    return EventRows(transactions, signals.repeat(len(events), axis=0))


def assembled(*moments: datetime) -> np.ndarray:
    keys, attributes = {"card": "c-1"}, {"channel": "web", "distance": 2.5}
    events = [Event("x", one, keys, {"amount": 1234}, attributes) for one in moments]
    return assemble(LAYOUT, rows(STREAM, LAYOUT, *events), RATES)


def test_all_features_in_their_place() -> None:
    names = list(LAYOUT.features)
    assert len(set(names)) == len(names)
    (row,) = assembled(datetime(2026, 3, 2, 13, 30, tzinfo=BERLIN))  # a Monday
    found = dict(zip(names, row.tolist(), strict=True))

    assert row.dtype == np.float32
    assert (found["amount"], found["hour"], found["weekday"]) == (np.float32(12.34), 13.5, 0)
    assert (found["channel"], found["distance"]) == (0.5, 2.5)
    assert np.isnan([found["fee"], found["app"], found["fee_over_card_mean_fee_30d"]]).all()
    mean = found["card_mean_amount_30d"]
    assert found["amount_over_card_mean_amount_30d"] == np.float32(12.34) / np.float32(mean)
    assert found["card_sum_fee_1d_over_card_sum_fee_30d"] == np.float32(
        found["card_sum_fee_1d"]
    ) / np.float32(found["card_sum_fee_30d"])
    assert [found[one.name] for one in LAYOUT.signals] == list(range(len(LAYOUT.signals)))


def test_what_is_of_late_is_a_share_of_the_same_of_a_month() -> None:
    shares = {
        (LAYOUT.signals[part].name, LAYOUT.signals[whole].name) for part, whole in LAYOUT.shares
    }
    assert ("card_count_1h", "card_count_30d") in shares
    assert ("terminal_sum_fee_7d", "terminal_sum_fee_30d") in shares
    assert ("terminal_distinct_card_1d", "terminal_count_1d") in shares
    assert len(shares) == 2 * (3 + 2 * 3 + 3)
    assert Layout.of(Stream("logins", ("account",), (), 0, {}, "UTC"), 1).shares == tuple(
        (place, 4) for place in (1, 2, 3)
    )


def test_a_share_of_nothing_is_missing() -> None:
    asked = rows(STREAM, LAYOUT, Event("x", datetime(2026, 3, 2, tzinfo=UTC), {"card": "c-1"}))
    signals = np.zeros_like(asked.signals)
    signals[:, LAYOUT.signals.index(Signal("card", "sum", MONTH, "fee"))] = np.nan
    (row,) = assemble(LAYOUT, EventRows(asked.transactions, signals), RATES)
    assert np.isnan(row[-len(LAYOUT.shares) :]).all()


@given(
    st.lists(
        st.integers(0, 40 * 365 * 86_400 * 10**6).map(
            lambda n: datetime(2000, 1, 1, tzinfo=UTC) + timedelta(microseconds=n)
        ),
        min_size=1,
        max_size=5,
    )
)
def test_hours_are_those_of_the_clock_on_the_wall(moments: list[datetime]) -> None:
    rows = assembled(*moments)
    for moment, row in zip(moments, rows, strict=True):
        local = moment.astimezone(BERLIN)
        hours = timedelta(
            hours=local.hour,
            minutes=local.minute,
            seconds=local.second,
            microseconds=local.microsecond,
        )
        assert row[2] == np.float32(hours / timedelta(hours=1))
        assert row[3] == local.weekday()


def test_a_layout_is_that_of_its_manifest() -> None:
    check_signals(LAYOUT.signals, STREAM)
    assert Layout.from_manifest({"layout": LAYOUT.as_json()}) == LAYOUT
    with pytest.raises(ArtifactAltered, match="looks at"):
        Layout.from_manifest({})


def test_signals_of_another_stream_are_named() -> None:
    other = Stream("payments", ("card",), (), 2, {}, "UTC")
    with pytest.raises(ConfigError, match="card_sum_amount_15m"):
        check_signals(LAYOUT.signals, other)


def test_a_stream_of_one_key_and_no_amount_has_features_too() -> None:
    stream = Stream("logins", ("account",), (), 0, {}, "UTC")
    layout = Layout.of(stream, 1)
    assert layout.features[:3] == ("hour", "weekday", "account_count_15m")
    event = Event("x", datetime(2026, 3, 2, tzinfo=UTC), {"account": "a-1"})
    found = assemble(layout, rows(stream, layout, event), {})
    assert found.shape == (1, len(layout.features))
