"""When a distance is an alarm, night by night."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from daybreak.monitoring.drift.limits import (
    CHANCE,
    LEAST_PSI,
    LEAST_USUAL,
    Limits,
    Sign,
    State,
    deviations,
    limits_of_psi,
    limits_of_value,
    state_of,
    state_of_value,
)

LIMITS = Limits(1.0)


def states(distances: list[float], limits: Limits | None = LIMITS) -> list[State]:
    found: list[State] = []
    in_alarm = False
    for distance in distances:
        before = found[-1] if found else None
        found.append(state_of(Sign(distance), limits, before=before, in_alarm=in_alarm))
        in_alarm = found[-1] is State.ALARM
    return found


def test_two_nights_raise_one_does_not_and_between_the_limits_it_stays() -> None:
    quiet, over, alarm = State.QUIET, State.OVER, State.ALARM
    assert states([0.9, 1.1, 0.9, 1.1]) == [quiet, over, quiet, over]
    assert states([1.1, 1.1, 0.9, 0.6, 1.2]) == [over, alarm, alarm, alarm, alarm]
    assert states([1.1, 1.1, 0.4, 0.9, 1.1]) == [over, alarm, quiet, quiet, over]


def test_values_that_nobody_saw_are_an_alarm_at_once() -> None:
    def state(sign: Sign, limits: Limits | None, *, in_alarm: bool = False) -> State:
        before = State.ALARM if in_alarm else State.QUIET
        return state_of(sign, limits, before=before, in_alarm=in_alarm)

    assert state(Sign(2.0, new=0.6), LIMITS) is State.ALARM
    assert state(Sign(2.0, new=0.4), LIMITS) is State.OVER
    assert state(Sign(9.0, new=0.4), None) is State.QUIET
    assert state(Sign(9.0, new=0.6), None) is State.ALARM
    assert state(Sign(9.0, new=0.3), None, in_alarm=True) is State.ALARM
    assert state(Sign(9.0, new=0.2), None, in_alarm=True) is State.QUIET


def test_what_is_missing_counts_whatever_the_distance_is() -> None:
    gone = Sign(0.1, missing=0.06)
    first = state_of(gone, LIMITS, before=State.QUIET, in_alarm=False)
    assert first is State.OVER
    assert state_of(gone, LIMITS, before=first, in_alarm=False) is State.ALARM
    back = Sign(0.1, missing=0.01)
    assert state_of(back, LIMITS, before=State.ALARM, in_alarm=True) is State.QUIET


@given(st.lists(st.floats(0, 3), max_size=40))
def test_an_alarm_has_two_nights_above_and_ends_below_the_lower_limit(
    distances: list[float],
) -> None:
    found = states(distances)
    for night, state in enumerate(found):
        before = found[night - 1] if night else State.QUIET
        if state is State.ALARM and before is not State.ALARM:
            assert distances[night] > 1.0 < distances[night - 1]
        if before is State.ALARM and state is not State.ALARM:
            assert distances[night] < LIMITS.clear_at


def test_limits_are_learned_from_what_is_usual() -> None:
    assert limits_of_psi([0.3] * (LEAST_USUAL - 1), 0.0) is None
    learned = limits_of_psi([0.1] * 20 + [0.4, 5.0], 0.0)  # one odd night says nothing
    assert learned is not None
    assert learned.raise_at == pytest.approx(3 * 0.4)
    assert learned.clear_at == pytest.approx(learned.raise_at / 2)
    calm = limits_of_psi([0.0] * 20, 0.0)
    small = limits_of_psi([0.0] * 20, 0.7)
    assert calm == Limits(LEAST_PSI)
    assert small == Limits(1.4)


def test_limits_of_a_value_follow_its_deviations() -> None:
    assert limits_of_value([0.1] * 5, [], 0.05, 4) is None
    assert limits_of_value([0.001] * 20, [0.002] * 3, 0.05, 4) == Limits(0.05)
    found = limits_of_value([0.1] * 20 + [9.0], [0.05] * 3, 0.05, 4)
    assert found is not None
    assert found.raise_at == pytest.approx(deviations(4, 21) * 1.4826 * 0.1)
    sundays = limits_of_value([0.1] * 20, [0.3, 0.2, 0.4], 0.05, 4)
    assert sundays is not None
    assert sundays.raise_at == pytest.approx(deviations(4, 20) * 1.4826 * 0.3)
    assert deviations(4, 14) > deviations(4, 56) > deviations(1, 56), "few nights know little"


@pytest.mark.parametrize("watched", [1, 4, 12])
def test_however_many_numbers_are_watched_chance_has_the_same_say(watched: int) -> None:
    """Where deviations are known, so of as many nights as one likes."""
    nights = np.random.default_rng(watched).normal(size=(200_000, watched, 2)).mean(axis=2)
    any_above = (np.abs(nights) > deviations(watched, 10**6)).any(axis=1).mean()
    assert any_above == pytest.approx(CHANCE, rel=0.15)


def test_a_number_is_in_alarm_by_the_mean_of_two_nights_that_go_one_way() -> None:
    def state(*ratios: float) -> State:
        return state_of_value(ratios[1], ratios[0], in_alarm=False, waits=False)

    quiet, over, alarm = State.QUIET, State.OVER, State.ALARM
    assert state(0.0, 1.5) is over
    assert state(1.2, 0.9) is alarm
    assert state(0.9, 1.2) is alarm
    assert state(1.9, 0.7) is quiet, "one odd night does not make an alarm of the next"
    assert state(1.2, -1.2) is over, "a drift goes one way"
    assert state(-1.2, -1.2) is alarm
    assert state(0.0, 2.1) is alarm, "far"
    assert state_of_value(0.6, 1.5, in_alarm=True, waits=False) is alarm
    assert state_of_value(0.4, 1.5, in_alarm=True, waits=False) is quiet


def test_beside_a_holiday_a_measure_waits_for_the_next_day() -> None:
    eve = state_of_value(9.0, 9.0, in_alarm=False, waits=True)
    assert eve is State.OVER
    assert state_of_value(1.1, 9.0, in_alarm=False, waits=False) is State.ALARM
    assert state_of_value(0.1, 9.0, in_alarm=False, waits=False) is State.QUIET
    assert state_of_value(9.0, 9.0, in_alarm=True, waits=True) is State.ALARM
