"""A held value is re-read when due, survives its source for a while, and is never a lie."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from daybreak.errors import ArtifactAltered, DaybreakError, WarehouseUnavailable
from daybreak.serving import held as held_values
from daybreak.serving.held import Held
from daybreak.serving.turn import Turn


class Source:
    """Gives what it is set up to give, and counts the calls."""

    def __init__(self, *outcomes: str | DaybreakError) -> None:
        self.outcomes: Iterator[str | DaybreakError] = iter(outcomes)
        self.asked = 0
        self.previous: list[str | None] = []

    def __call__(self, previous: str | None) -> str:
        self.asked += 1
        self.previous.append(previous)
        outcome = next(self.outcomes)
        if isinstance(outcome, DaybreakError):
            raise outcome
        return outcome


class Clock:
    now = 100.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


def hold(source: Source, clock: Clock) -> Held[str]:
    return Held(source, refresh=5, stale=60, monotonic=clock)


def test_a_young_value_is_not_read_again(clock: Clock) -> None:
    source = Source("first", "second")
    held = hold(source, clock)
    assert held.get() == "first"
    clock.now += 4.9
    assert held.get() == "first"
    assert source.asked == 1
    clock.now += 0.1
    assert held.age == 5
    assert held.get() == "second"
    assert held.age == 0
    assert source.previous == [None, "first"]


def test_a_value_may_be_wanted_fresher_than_usual(clock: Clock) -> None:
    source = Source("first", "second", "third")
    held = hold(source, clock)
    assert held.get(within=1) == "first"
    clock.now += 0.9
    assert held.get(within=1) == "first"
    clock.now += 0.1
    assert held.get() == "first"
    assert held.get(within=1) == "second"
    clock.now += 5
    assert held.get(within=60) == "third", "but never older"


def test_a_source_that_is_down_leaves_the_last_value_for_a_while(clock: Clock) -> None:
    down = WarehouseUnavailable("away")
    source = Source("first", *[down] * 13, "back")
    held = hold(source, clock)
    held.get()
    for _ in range(12):  # up to 60 s
        clock.now += 5
        assert held.get() == "first"
    clock.now += 5
    with pytest.raises(WarehouseUnavailable):
        held.get()
    clock.now += 5
    assert held.get() == "back"


def test_a_dead_source_is_not_asked_by_every_request(clock: Clock) -> None:
    source = Source(WarehouseUnavailable("away"), "back")
    held = hold(source, clock)
    for _ in range(10):
        with pytest.raises(WarehouseUnavailable):
            held.get()
    assert source.asked == 1
    clock.now += 5
    assert held.get() == "back"


def test_any_other_error_ends_the_value_at_once(clock: Clock) -> None:
    source = Source("first", ArtifactAltered("altered"), WarehouseUnavailable("away"), "working")
    held = hold(source, clock)
    held.get()
    clock.now += 5
    with pytest.raises(ArtifactAltered):
        held.get()
    clock.now += 5
    with pytest.raises(WarehouseUnavailable):  # the value from before the error is gone
        held.get()
    clock.now += 5
    assert held.get() == "working"
    assert source.previous == [None, "first", None, None]


def test_each_raise_is_an_error_of_its_own(clock: Clock) -> None:
    """One instance raised by many threads would grow a traceback with each request."""
    held = hold(Source(WarehouseUnavailable("away", remedy="wait", field="x")), clock)
    caught = []
    for _ in range(2):
        with pytest.raises(WarehouseUnavailable) as info:
            held.get()
        caught.append(info.value)
    assert caught[0] is not caught[1]
    assert caught[0].as_json() == caught[1].as_json()
    assert caught[0].remedy == "wait"


def test_a_fault_of_ours_is_raised_and_asked_again(clock: Clock) -> None:
    def read(_previous: str | None) -> str:
        raise KeyError("a bug")

    held = Held(read, refresh=5, stale=60, monotonic=clock)
    for _ in range(2):
        with pytest.raises(KeyError):
            held.get()


def test_nobody_waits_while_one_thread_reads_anew(clock: Clock) -> None:
    reading, go_on = threading.Event(), threading.Event()

    def read(previous: str | None) -> str:
        if previous is None:
            return "first"
        reading.set()
        assert go_on.wait(10)
        return "second"

    held = Held(read, refresh=5, stale=60, monotonic=clock)
    held.get()
    clock.now += 5
    with ThreadPoolExecutor(1) as pool:
        slow = pool.submit(held.get)
        assert reading.wait(10)
        assert held.get() == "first"
        go_on.set()
        assert slow.result() == "second"
    assert held.get() == "second"


@pytest.mark.parametrize(("wait", "seen"), [(30, "second"), (0.01, "first")])
def test_what_is_too_old_to_be_trusted_is_waited_for_within_limits(
    clock: Clock, monkeypatch: pytest.MonkeyPatch, wait: float, seen: str
) -> None:
    monkeypatch.setattr(held_values, "LONGEST_WAIT", wait)
    reading, go_on, asking = threading.Event(), threading.Event(), threading.Event()

    def read(previous: str | None) -> str:
        if previous is None:
            return "first"
        reading.set()
        assert go_on.wait(10)
        return "second"

    held = Held(read, refresh=5, trusted=8, stale=60, monotonic=clock)
    held.get()

    def ask() -> list[str]:
        asking.set()
        return [held.get() for _ in range(3)]  # of these, the first alone waits in vain

    with ThreadPoolExecutor(2) as pool:
        clock.now += 5
        slow = pool.submit(held.get)
        assert reading.wait(10)
        assert held.get() == "first", "it is trusted still"
        clock.now += 3
        waiting = pool.submit(ask)
        assert asking.wait(10)
        if seen == "first":
            assert waiting.result() == ["first"] * 3
        go_on.set()
        assert slow.result() == "second"
        if seen == "second":
            assert waiting.result() == ["second"] * 3


def test_a_refresh_holds_the_error_and_does_not_raise_it(clock: Clock) -> None:
    held = hold(Source("first", ArtifactAltered("altered"), "second"), clock)
    held.get()
    held.refresh()
    with pytest.raises(ArtifactAltered):
        held.get()
    held.refresh()
    assert held.get() == "second"


def test_whoever_reads_or_waits_for_a_read_lets_others_answer() -> None:
    turn, reading, go_on = Turn(), threading.Event(), threading.Event()

    def read(_last: int | None) -> int:
        reading.set()
        assert go_on.wait(10)
        return 1

    held = Held(read, refresh=60, stale=60)

    def ask() -> int:
        turn.take()
        turn.lend(now=0.0)
        value = held.get()
        assert not turn.back()
        return value

    with ThreadPoolExecutor(2) as pool:
        first = pool.submit(ask)
        assert reading.wait(10)
        second = pool.submit(ask)
        for _ in range(2):  # the second one has it for a moment
            turn.take()  # nobody who waits keeps it
            turn.leave()
            time.sleep(0.05)
        go_on.set()
        assert (first.result(), second.result()) == (1, 1)


def test_the_first_read_is_waited_for_by_all_and_done_once(clock: Clock) -> None:
    source = Source("first")
    held = hold(source, clock)
    with ThreadPoolExecutor(8) as pool:
        assert set(pool.map(lambda _: held.get(), range(32))) == {"first"}
    assert source.asked == 1


def test_what_was_not_confirmed_for_too_long_is_not_given_while_another_reads(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(held_values, "CONNECTING", 0.01)
    clock, reading, go_on = Clock(), threading.Event(), threading.Event()

    def read(previous: str | None) -> str:
        if previous is not None:
            reading.set()
            assert go_on.wait(20)
        return "new" if previous else "old"

    held = Held(read, refresh=5, stale=60, monotonic=clock)
    assert held.get() == "old"
    clock.now += 3600
    with ThreadPoolExecutor(1) as pool:
        first = pool.submit(held.get)
        assert reading.wait(20)
        with pytest.raises(WarehouseUnavailable, match="3600 s ago"):
            held.get()
        go_on.set()
        assert first.result(20) == "new"
    assert held.get() == "new"
