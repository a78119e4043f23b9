"""Figures of a night, from histograms made by hand."""

from __future__ import annotations

from datetime import date, timedelta
from typing import Any

import numpy as np
import pytest

from daybreak.histogram import FEATURE, Histogram, Name
from daybreak.monitoring.drift.alarms import changes_of, past_of
from daybreak.monitoring.drift.figures import Figure, Night, Past, Value, figures_of
from daybreak.monitoring.drift.limits import State
from daybreak.monitoring.drift.reference import Binned, from_manifest, to_manifest

LEVEL = Name(FEATURE, "level")
BIAS = Name("quality", "bias")


def night(values: Any, **numbers: Value) -> Night:
    found = np.asarray(values, np.float32)
    return Night(
        len(found),
        {LEVEL: Histogram.of(found)},
        {Name("quality", name): value for name, value in numbers.items()},
    )


def drawn(seed: int, shift: float = 0.0) -> Any:
    return np.random.default_rng(seed).normal(10 + shift, 1, 500)


def of(figures: list[Figure], name: Name) -> Figure:
    (found,) = (one for one in figures if (one.kind, one.name) == name)
    return found


def test_nights_of_the_weekday_and_the_training_are_both_compared() -> None:
    training = from_manifest({"drift": to_manifest(night(drawn(0)).histograms)})
    earlier = [night(drawn(seed)) for seed in (1, 2, 3)]
    found = of(figures_of(night(drawn(4, shift=1)), earlier, training, {}), LEVEL)
    assert found.psi_training is not None
    assert found.psi_earlier == pytest.approx(found.psi_training, rel=0.5)
    assert found.psi_earlier > 0.5
    assert found.distance == found.psi_earlier
    assert found.raise_at is None, "nothing is usual yet"
    assert (found.earlier_nights, found.state) == (3, State.QUIET)


def test_without_a_training_earlier_nights_give_the_bins() -> None:
    found = of(figures_of(night(drawn(4)), [night(drawn(1)), night(drawn(2))], {}, {}), LEVEL)
    assert found.psi_training is None
    assert found.psi_earlier is not None
    first = of(figures_of(night(drawn(4)), [], {}, {}), LEVEL)
    assert (first.distance, first.psi_earlier, first.state) == (None, None, State.QUIET)


def test_a_change_of_units_is_outside_of_the_training_and_an_alarm_at_once() -> None:
    training = {LEVEL: Binned.of(night(drawn(0)).histograms[LEVEL])}
    found = of(figures_of(night(100 * drawn(4)), [night(drawn(1))], training, {}), LEVEL)
    assert found.outside == 1
    assert found.state is State.ALARM
    # What was outside before, too, is none.
    usual = [night(100 * drawn(seed)) for seed in (1, 2)]
    assert of(figures_of(night(100 * drawn(4)), usual, training, {}), LEVEL).state is State.QUIET


def test_missing_values_count_beyond_those_of_earlier_nights() -> None:
    some = drawn(4)
    some[:50] = np.nan
    usual = {LEVEL: Past([5.0] * 20, state=State.OVER)}  # a distance that hides everything
    found = of(figures_of(night(some), [night(drawn(1)), night(drawn(2))], {}, usual), LEVEL)
    assert (found.missing, found.missing_earlier) == (0.1, 0.0)
    assert found.state is State.ALARM
    rhythm = [night(some), night(some)]
    assert of(figures_of(night(some), rhythm, {}, usual), LEVEL).state is State.QUIET


def test_a_value_is_held_beside_its_weekday() -> None:
    monday = date(2026, 1, 5)
    nights = {}
    for day in range(70):
        sunday = day % 7 == 6
        value = Value(0.5 if sunday else 0.0, 100, 0.05)
        past = past_of(nights, (), monday + timedelta(days=day))
        nights[monday + timedelta(days=day)] = figures_of(
            night(drawn(day), bias=value), [], {}, past
        )
    day = monday + timedelta(days=69)
    last = of(nights[day], BIAS)
    assert (last.value, last.value_earlier, last.state) == (0.5, 0.5, State.QUIET)
    tuesday = date(2026, 3, 17)
    past = past_of(nights, (), tuesday)
    found = figures_of(night(drawn(1), bias=Value(0.5, 100, 0.05)), [], {}, past)
    assert of(found, BIAS).state is State.ALARM, "far above its limit"
    assert [change.event for change in changes_of(found, past)] == ["raised"]


def test_one_value_for_all_is_a_distribution_only_if_it_was_always_the_same() -> None:
    usual = {LEVEL: Past([0.0] * 20, state=State.OVER)}
    weather = [night([11.0] * 50), night([14.0] * 50)]
    found = of(figures_of(night([25.0] * 50), weather, {}, usual), LEVEL)
    assert (found.raise_at, found.state) == (None, State.QUIET)
    always = [night([11.0] * 50), night([11.0] * 50)]
    found = of(figures_of(night([25.0] * 50), always, {}, usual), LEVEL)
    assert found.state is State.ALARM


def test_rain_is_no_drift_after_weeks_without_any() -> None:
    """Four dry nights and a wet one; the training has rain, as it has nights of other weeks."""
    usual = {LEVEL: Past([0.0] * 20, state=State.OVER)}
    dry = [night([0.0] * 50)] * 4
    training = {LEVEL: Binned.of(Histogram.of(np.repeat([0.0, 0.0, 2.0, 5.0], 50)))}

    def state(value: float) -> State:
        return of(figures_of(night([value] * 50), dry, training, usual), LEVEL).state

    assert state(3.0) is State.QUIET
    assert state(9.0) is State.QUIET, "beyond four values is one in five by chance"
    assert state(300.0) is State.ALARM, "in other units"
    first = {LEVEL: Past([0.0] * 20, state=State.QUIET)}
    once = of(figures_of(night([300.0] * 50), dry, training, first), LEVEL)
    assert once.state is State.OVER, "one value is one observation"
    never = {LEVEL: Binned.of(Histogram.of(np.zeros(200)))}
    found = of(figures_of(night([3.0] * 50), dry, never, first), LEVEL)
    assert found.state is State.ALARM, "no night of the training had another value"


def test_what_a_holiday_leaves_behind_is_no_drift_and_what_comes_after_it_is() -> None:
    usual = {LEVEL: Past([0.01] * 20, state=State.OVER)}
    earlier = [night(drawn(seed)) for seed in (1, 2, 3)]
    holiday = [night(drawn(4, shift=1))]
    after = night(drawn(5, shift=1))

    def found(one: Night, holidays: list[Night], past: Past = usual[LEVEL]) -> Figure:
        return of(figures_of(one, earlier, {}, {LEVEL: past}, holidays), LEVEL)

    assert found(after, []).state is State.ALARM
    explained = found(after, holiday)
    assert (explained.state, explained.distance) == (State.QUIET, explained.psi_holiday)
    assert explained.psi_earlier is not None
    assert explained.raise_at is not None
    assert explained.psi_earlier > explained.raise_at
    assert found(night(drawn(6, shift=3)), holiday).state is State.ALARM
    # An alarm that was raised before the holiday is not cleared by it.
    raised = Past([0.1] * 20, state=State.ALARM, in_alarm=True)
    assert explained.distance < found(after, [], raised).clear_at  # type: ignore[operator]
    assert found(after, holiday, raised).state is State.ALARM
    # A quiet night stays what limits are learned from.
    calm = found(night(drawn(7)), holiday)
    assert calm.distance == calm.psi_earlier


def test_an_alarm_of_what_is_not_measured_any_more_is_cleared() -> None:
    gone = {Name(FEATURE, "gone"): Past(in_alarm=True)}
    (change,) = changes_of(figures_of(night(drawn(1)), [], {}, {}), gone)
    assert (change.name.name, change.event) == ("gone", "cleared")
