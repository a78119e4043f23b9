"""A moment is one for all workers, though none of them knows the time exactly."""

from __future__ import annotations

import math
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from daybreak.errors import NotPublished
from daybreak.serving import timeline
from daybreak.serving.timeline import HOLDS, SharedClock, Span, Step, Timeline

EPOCH = datetime(2026, 2, 1, tzinfo=UTC)
SECONDS = st.floats(0, 10, allow_nan=False)


class Warehouse:
    """Answers after ``there`` seconds with its time, and ``back`` seconds later it is read."""

    def __init__(self, ahead: float) -> None:
        self.ahead, self.now = ahead, 0.0
        self.there = self.back = 0.0

    def monotonic(self) -> float:
        return self.now

    def execute(self, _query: Any) -> Any:
        self.now += self.there
        told = EPOCH + timedelta(seconds=self.now + self.ahead)
        self.now += self.back
        return type("Result", (), {"scalar_one": lambda _self: told})()


@given(st.floats(-1e4, 1e4), st.lists(st.tuples(SECONDS, SECONDS), min_size=1, max_size=5), SECONDS)
def test_a_moment_is_within_its_span_however_long_looks_take(
    ahead: float, looks: list[tuple[float, float]], after: float
) -> None:
    warehouse = Warehouse(ahead)
    clock = SharedClock(warehouse.monotonic)
    for warehouse.there, warehouse.back in looks:
        clock.look(warehouse)  # type: ignore[arg-type]
    span = clock.span(EPOCH + timedelta(seconds=after))
    here = after - ahead  # by the monotonic clock
    assert span.closes - 1e-5 <= here <= span.opens + 1e-5
    assert span.opens - span.closes <= sum(looks[-1]) + 1e-5, "as wide as the last look at most"


def test_a_clock_that_was_set_is_believed_anew() -> None:
    warehouse = Warehouse(0)
    clock = SharedClock(warehouse.monotonic)
    clock.look(warehouse)  # type: ignore[arg-type]
    warehouse.ahead = 3600
    clock.look(warehouse)  # type: ignore[arg-type]
    span = clock.span(EPOCH + timedelta(hours=1, seconds=5))
    assert span == pytest.approx((5, 5), abs=1e-5)


def at(now: float, *steps: Step[str]) -> str:
    return Timeline((Step(HOLDS, "old"), *steps)).now(lambda: now)


def test_what_answers_is_the_last_whose_moment_has_come() -> None:
    steps = Step(Span(10, 10), "new"), Step(Span(20, 20), "newer")
    assert [at(now, *steps) for now in (9.9, 10, 19.9, 20, math.inf)] == [
        "old", "new", "new", "newer", "newer",
    ]  # fmt: skip


def test_a_moment_that_may_have_come_is_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    waited: list[float] = []
    monkeypatch.setattr(timeline.time, "sleep", waited.append)
    step = Step(Span(9.5, 10.25), "new")
    assert [at(now, step) for now in (9.25, 9.5, 10.0, 10.25)] == ["old", "new", "new", "new"]
    assert waited == [0.75, 0.25]


def test_from_a_moment_on_there_may_be_nothing() -> None:
    fault = NotPublished("withdrawn")
    for _ in range(2):
        with pytest.raises(NotPublished) as error:
            at(10, Step(Span(9, 9), fault))
        assert error.value is not fault
