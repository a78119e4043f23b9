"""Reasons are the features that added most, in words that people understand."""

from __future__ import annotations

import numpy as np
import pytest

from daybreak.models.fraud.layout import Layout
from daybreak.models.fraud.reasons import MOST, reasons_of
from daybreak.models.fraud.words import said_of
from daybreak.signals.stream import Stream

STREAM = Stream(
    "payments", ("card", "terminal"), ("amount",), 2, {"channel": "text", "app": "flag"}, "UTC"
)
LAYOUT = Layout.of(STREAM, 7)
PLACE = {name: place for place, name in enumerate(LAYOUT.features)}


@pytest.mark.parametrize(
    ("feature", "value", "said"),
    [
        ("amount", 812.5, "amount 812.5"),
        ("hour", 1.5213889, "at 01:31"),
        ("hour", 23.999, "at 23:59"),
        ("weekday", 0, "on a Monday"),
        ("app", 1, "app: yes"),
        ("app", 0, "app: no"),
        ("channel", 0.0123, "channel with 1.23 % fraud"),
        ("channel", np.nan, "channel is rare or missing"),
        ("card_count_1h", 7, "7 events of this card within 1 hour"),
        ("card_sum_amount_15m", 40, "amount of 40.00 in all of this card within 15 minutes"),
        ("terminal_max_amount_30d", 9, "amount of 9.00 at most of this terminal within 30 days"),
        ("card_mean_amount_30d", np.nan, "nothing known of this card within 30 days"),
        ("card_distinct_terminal_1d", 3, "3 different terminal of this card within 1 day"),
        ("card_since_last_30d", 90, "1.5 minutes since the last event of this card"),
        (
            "terminal_fraud_share_7d_7d_ago",
            0.25,
            "25 % of the events of this terminal in 7 days up to 7 days ago were fraud",
        ),
        (
            "amount_over_card_mean_amount_30d",
            9.317,
            "amount 9.32 times that of this card within 30 days",
        ),
        (
            "card_sum_amount_1h_over_card_sum_amount_30d",
            0.412,
            "41.2 % of the amount of this card within 30 days is of the last 1 hour",
        ),
        (
            "terminal_count_7d_over_terminal_count_30d",
            0.5,
            "50 % of the events of this terminal within 30 days are of the last 7 days",
        ),
        (
            "card_distinct_terminal_1d_over_card_count_1d",
            0.25,
            "0.25 different terminal an event of this card within 1 day",
        ),
        (
            "card_count_1h_over_card_count_30d",
            np.nan,
            "nothing known of this card within 30 days",
        ),
    ],
)
def test_a_feature_is_said_in_words(feature: str, value: float, said: str) -> None:
    assert said_of(LAYOUT)[PLACE[feature]](value) == said


def test_every_feature_can_be_said_whatever_its_value() -> None:
    for say in said_of(LAYOUT):
        for value in (0.0, 1.0, 1e30, 0.001):
            assert say(min(value, 6.0) if say == said_of(LAYOUT)[PLACE["weekday"]] else value)
    for name in set(LAYOUT.features) - {"hour", "weekday"}:
        assert said_of(LAYOUT)[PLACE[name]](float("nan"))


def test_the_strongest_reasons_come_first_whichever_way_they_speak() -> None:
    features = np.zeros((2, len(LAYOUT.features)), np.float32)
    features[0, PLACE["amount"]] = 12.1
    features[0, PLACE["channel"]] = np.nan
    added = np.zeros((2, len(LAYOUT.features) + 1), np.float32)
    added[0, PLACE["amount"]], added[0, PLACE["hour"]] = 0.5, -1.5
    added[0, PLACE["channel"]], added[0, PLACE["app"]] = 1.0, 0.25
    added[1, PLACE["weekday"]] = -0.125
    added[:, -1] = 9  # the base is no reason

    first, second = reasons_of(LAYOUT, features, added)
    assert [one["feature"] for one in first] == ["hour", "channel", "amount"][:MOST]
    assert [one["adds"] for one in first] == [-1.5, 1.0, 0.5]
    assert first[1]["value"] is None
    assert first[2]["value"] == np.float32(12.1)
    assert [one["feature"] for one in second] == ["weekday"]
