"""Figures of what was asked, against sums that are worked out here."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import pytest

from daybreak.histogram import Bins, Name, keys_of
from daybreak.monitoring.drift.asked import LEAST_ANSWERS, figures_of_asked
from daybreak.monitoring.drift.asked_counts import OfFeature
from daybreak.monitoring.drift.figures import Figure, Past
from daybreak.monitoring.drift.limits import LEAST_PSI, State
from daybreak.monitoring.drift.reference import Binned

PRICE = Name("asked", "price")
BINS = Bins(keys_of(np.array([1, 2, 4], np.float32)))
TRAINED = Binned(BINS, np.array([0, 0, 50, 50, 0]))


def of(
    asked: Sequence[int], past: Past, night: Sequence[int] = (0, 0, 500, 500, 0), answers: int = 900
) -> Figure:
    one = OfFeature(answers, np.array(asked), np.array(night), TRAINED)
    (found,) = figures_of_asked({"price": one}, {PRICE: past})
    return found


def test_the_distance_is_by_how_much_both_are_further_apart_than_usual() -> None:
    usual = [0.3, 0.3, 0.5, 0.1, 0.3]
    found = of([30, 0, 600, 270, 0], Past(values=usual))
    shares = [(n + 0.5) / (900 + 2.5) for n in (30, 0, 600, 270, 0)]
    before = [(n + 0.5) / (1000 + 2.5) for n in (0, 0, 500, 500, 0)]
    apart = sum((p - q) * math.log(p / q) for p, q in zip(shares, before, strict=True))
    assert found.value == found.psi_earlier == pytest.approx(apart)
    assert found.value_earlier == 0.3
    assert found.distance == pytest.approx(max(apart - 0.3, 0))
    # Missing ones are the lowest: 30 of 900, then 630 beside 500 of 1,000.
    assert found.ks_earlier == pytest.approx(630 / 900 - 0.5)
    assert (found.missing, found.missing_earlier) == (pytest.approx(1 / 30), 0)
    assert found.outside == pytest.approx(1 / 30), "none was missing in training"


def test_what_is_always_apart_in_the_same_way_is_no_distance() -> None:
    """And a limit is not made of what is always there."""
    crowd = [0, 0, 850, 50, 0]
    always = of(crowd, Past()).value
    assert always is not None
    assert always > 0.5
    past = Past(usual=[0.0] * 20, values=[always] * 20)
    quiet = of(crowd, past)
    assert (quiet.distance, quiet.raise_at) == (0.0, LEAST_PSI)
    assert quiet.state is State.QUIET
    # A tenth in another unit.
    over = of([0, 0, 765, 45, 90], past)
    assert over.state is State.OVER
    again = Past(usual=past.usual, values=past.values, state=State.OVER)
    assert of([0, 0, 765, 45, 90], again).state is State.ALARM


def test_more_like_the_night_than_usual_is_no_alarm() -> None:
    found = of([0, 0, 450, 450, 0], Past(usual=[0.0] * 20, values=[2.0] * 20, state=State.OVER))
    assert (found.distance, found.state) == (0.0, State.QUIET)


def test_of_few_answers_nothing_is_said() -> None:
    usual = Past(usual=[0.0] * 20, values=[0.1] * 20, state=State.OVER)
    wild = [0, 0, 0, 0, 900]
    few = of(wild, usual, answers=LEAST_ANSWERS - 1)
    assert (few.value, few.distance, few.state) == (None, None, State.QUIET)
    raised = Past(usual=[0.0] * 20, values=[0.1] * 20, in_alarm=True)
    assert of(wild, raised, answers=LEAST_ANSWERS - 1).state is State.ALARM
    assert of(wild, usual, answers=LEAST_ANSWERS).state is State.ALARM


def test_until_something_is_usual_nothing_is_raised() -> None:
    wild = [0, 0, 0, 0, 900]
    assert of(wild, Past()).state is State.QUIET
    assert of(wild, Past(usual=[0.0] * 13, values=[0.1] * 14)).raise_at is None


def test_an_alarm_of_what_nobody_asks_about_stays() -> None:
    past = {PRICE: Past(in_alarm=True), Name("feature", "level"): Past(in_alarm=True)}
    (found,) = figures_of_asked({}, past)
    assert (found.kind, found.name, found.state) == ("asked", "price", State.ALARM)
