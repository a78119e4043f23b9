"""Features of a transaction: hours by the wall's clock, what is absent, one or many the same."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from daybreak.errors import ArtifactAltered, ConfigError
from daybreak.models.fraud.features import Asked, assemble
from daybreak.models.fraud.layout import Layout
from daybreak.signals.batch import microseconds
from daybreak.signals.declared import check_signals
from daybreak.signals.slots import ABSENT
from daybreak.signals.stream import Stream

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


def objects(*values: Any) -> np.ndarray:
    return np.array([*values, None], object)[:-1]


def assembled(*moments: datetime) -> np.ndarray:
    count = len(moments)
    asked = Asked(
        np.array([microseconds(one) for one in moments]),
        {"amount": np.full(count, 1234), "fee": np.full(count, ABSENT)},
        {
            "channel": objects(*["web"] * count),
            "distance": objects(*[2.5] * count),
            "app": objects(*[None] * count),
        },
    )
    signals = np.arange(len(LAYOUT.signals), dtype=np.float32)[None].repeat(count, axis=0)
    return assemble(LAYOUT, asked, signals, RATES)


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
    assert [found[one.name] for one in LAYOUT.signals] == list(range(len(LAYOUT.signals)))


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
    layout = Layout.of(Stream("logins", ("account",), (), 0, {}, "UTC"), 1)
    assert layout.features[:3] == ("hour", "weekday", "account_count_15m")
    asked = Asked(np.array([0]), {}, {})
    signals = np.zeros((1, len(layout.signals)), np.float32)
    assert assemble(layout, asked, signals, {}).shape == (1, len(layout.features))
