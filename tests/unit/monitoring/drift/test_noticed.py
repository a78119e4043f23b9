"""Whether a change that is said to be noticed is."""

from __future__ import annotations

import math

import numpy as np
import pytest

from daybreak.histogram import Histogram, bins_of
from daybreak.monitoring.drift.distances import psi
from daybreak.monitoring.drift.limits import State, limits_of_value, state_of_value
from daybreak.monitoring.drift.noticed import GROWTHS, POWER, least_growth, least_shift


def test_four_of_five_such_shifts_are_an_alarm_on_the_second_night() -> None:
    random = np.random.default_rng(3)
    usual = np.abs(random.normal(0, 0.1, 20_000))
    limits = limits_of_value(usual.tolist(), [], 0.05, 4)
    assert limits is not None
    shift = least_shift(limits.raise_at, usual.tolist(), as_is=True)
    drifted = shift + random.normal(0, 0.1, (4_000, 2))
    states = [
        state_of_value(second, first, in_alarm=False, waits=False)
        for first, second in (drifted / limits.raise_at).tolist()
    ]
    assert states.count(State.ALARM) / len(states) == pytest.approx(POWER, abs=0.03)


def test_a_size_is_said_as_a_part_of_itself() -> None:
    assert least_shift(0.1, [0.0] * 20, as_is=True) == pytest.approx(0.1)
    assert least_shift(0.1, [0.0] * 20, as_is=False) == pytest.approx(math.exp(0.1) - 1)


@pytest.mark.parametrize("raise_at", [0.05, 0.3, 2.0])
def test_values_that_grow_by_it_are_above_the_limit_and_by_less_are_not(raise_at: float) -> None:
    values = np.random.default_rng(5).lognormal(1, 0.5, 20_000).astype(np.float32)
    usual = Histogram.of(values)
    bins = bins_of(usual)

    def distance(growth: float) -> float:
        grown = Histogram.of((values * np.float32(1 + growth)).astype(np.float32))
        return psi(bins.counts(grown), bins.counts(usual))

    found = least_growth(usual, bins, raise_at)
    assert found is not None
    place = GROWTHS.index(found)
    # Values are moved as what their place on the grid stands for, at most 1/128 below them.
    assert distance(found + 1 / 64) >= raise_at
    assert distance(GROWTHS[place - 1] - 1 / 64) < raise_at


def test_what_is_nothing_does_not_grow() -> None:
    nothing = Histogram.of(np.array([0, 0, np.nan] * 100, np.float32))
    assert least_growth(nothing, bins_of(nothing), 0.05) is None


def test_numbers_of_units_grow_by_whole_ones() -> None:
    units = Histogram.of(np.repeat(np.arange(1, 5, dtype=np.float32), 100))
    found = least_growth(units, bins_of(units), 0.05)
    assert found is not None
    assert found >= 0.15, "4 becomes 5 from 4.5 on, and 3 then 3.4, which is 3"
