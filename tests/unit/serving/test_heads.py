"""Heads that are held for the time in which the warehouse is down."""

from __future__ import annotations

import tracemalloc
from datetime import UTC, datetime, timedelta

import pytest

from daybreak.serving.heads import Heads
from daybreak.signals.reading import Head, Moment, Read
from daybreak.signals.stream import Progress

AT = datetime(2026, 6, 30, 12, tzinfo=UTC)
PROGRESS = Progress(AT, AT, live=True)


def _moment(key: str, at: datetime = AT) -> Moment:
    return Moment(at, {"card": key})


def _head(events: int, tiles: int = 0, at: datetime = AT) -> Head:
    """Rows like those of the log: moments, integers larger than Python keeps once, gaps."""

    def rows(part: int, count: int) -> list[tuple[object, ...]]:
        return [
            (
                part,
                at - timedelta(seconds=1000 * part + place),
                10**6 + place,
                at - timedelta(seconds=place, microseconds=1),
                None,
                10**7 + place,
                None,
                12_345 + place,
                12_345 + place,
                1000 + place,
                2**40 + place,
            )
            for place in range(count)
        ]

    return Head(at, PROGRESS, Read(rows(1, events), rows(2, tiles), ()))


@pytest.mark.slow
def test_what_is_held_takes_no_more_memory_than_it_may() -> None:
    heads = Heads(seconds=60, capacity=2 << 20)

    tracemalloc.start()
    try:
        before, _ = tracemalloc.get_traced_memory()
        for number in range(3000):
            heads.keep("v", _moment(f"c{number}"), {"card": _head(number % 40, number % 7)})
        after, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()

    assert 1 << 20 < after - before <= 2.2 * 2**20


def test_those_asked_last_are_held() -> None:
    heads = Heads(seconds=60, capacity=100_000)

    for number in range(100):
        heads.keep("v", _moment(f"c{number}"), {"card": _head(10)})
        assert heads.of("v", _moment("c0"))

    assert heads.of("v", _moment("c99"))
    assert not heads.of("v", _moment("c50"))


def test_one_that_is_larger_than_all_of_it_is_left_out() -> None:
    heads = Heads(seconds=60, capacity=10_000)

    heads.keep("v", _moment("small"), {"card": _head(1)})
    heads.keep("v", _moment("large"), {"card": _head(1000)})

    assert heads.of("v", _moment("small"))
    assert not heads.of("v", _moment("large"))


def test_neither_an_old_one_nor_one_of_a_later_moment_is_given() -> None:
    now = 0.0
    heads = Heads(seconds=60, monotonic=lambda: now)
    heads.keep("v", _moment("c"), {"card": _head(3)})

    assert heads.of("v", _moment("c", AT + timedelta(seconds=1)))
    assert not heads.of("v", _moment("c", AT - timedelta(seconds=1)))
    assert not heads.of("another", _moment("c"))
    now = 60.1
    assert not heads.of("v", _moment("c"))
