"""A caller asks as often as it may, and no other is counted with it."""

from __future__ import annotations

import os

import pytest

from daybreak.errors import TooManyRequests
from daybreak.serving.http.rates import PLACES, Rates


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


def allowed(rates: Rates, caller: str, times: int) -> int:
    passed = 0
    for _ in range(times):
        try:
            rates.take(caller)
        except TooManyRequests:
            continue
        passed += 1
    return passed


def test_a_second_s_requests_may_come_at_once_and_then_at_an_even_pace() -> None:
    clock = Clock()
    rates = Rates(10, monotonic=clock)
    assert allowed(rates, "a", 15) == 10
    clock.now += 0.25
    assert allowed(rates, "a", 15) == 2
    clock.now += 100
    assert allowed(rates, "a", 15) == 10
    assert allowed(rates, "b", 15) == 10, "another one has asked nothing yet"


def test_less_than_one_a_second_is_one_now_and_then() -> None:
    clock = Clock()
    rates = Rates(0.1, monotonic=clock)
    rates.take("a")
    with pytest.raises(TooManyRequests) as refused:
        rates.take("a")
    assert refused.value.details == {"limit": 0.1, "retry_after": 10}
    clock.now += 10
    assert allowed(rates, "a", 2) == 1


def test_any_number_by_default() -> None:
    assert allowed(Rates(0), "a", 1000) == 1000


@pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")  # the child only counts
def test_processes_count_together() -> None:
    rates = Rates(10, monotonic=Clock())
    assert allowed(rates, "a", 4) == 4
    child = os.fork()
    if not child:
        os._exit(allowed(rates, "a", 4))
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 4
    assert allowed(rates, "a", 4) == 2


def test_more_callers_than_places_share_some() -> None:
    rates = Rates(1, monotonic=Clock())
    for caller in range(PLACES):
        rates.take(str(caller))
    with pytest.raises(TooManyRequests):
        rates.take("one more")
