"""How many may wait for a thread, while more comes than can be answered and afterwards."""

from __future__ import annotations

import random

from daybreak.serving.server.waiting import FEW, PROBES, Waiting

MOST = 64


def taken(waiting: Waiting[int], count: int) -> list[int | None]:
    return [waiting.get() for _ in range(count)]


def full() -> Waiting[int]:
    """As many wait as may, and one was refused."""
    waiting: Waiting[int] = Waiting(MOST)
    assert all(waiting.put(number) for number in range(MOST))
    assert not waiting.put(MOST)
    return waiting


def test_a_burst_is_answered_in_its_order_and_one_more_is_refused() -> None:
    waiting = full()
    assert len(waiting) == MOST
    assert taken(waiting, MOST) == [*range(MOST)]


def test_a_few_probes_may_wait_where_others_may_not() -> None:
    waiting = full()
    assert [waiting.put(0, probe=True) for _ in range(PROBES + 1)] == [True] * PROBES + [False]
    taken(waiting, len(waiting))
    assert all(waiting.put(0) for _ in range(FEW))
    assert waiting.put(0, probe=True)
    assert not waiting.put(0)


def test_few_may_wait_once_there_was_no_room() -> None:
    waiting = full()
    taken(waiting, MOST)
    assert [waiting.put(number) for number in range(FEW + 1)] == [True] * FEW + [False]


def test_many_may_wait_again_when_the_threads_found_nothing_to_do_often_enough() -> None:
    waiting = full()
    taken(waiting, MOST)  # once
    assert not all(waiting.put(0) for _ in range(FEW + 1))  # one refusal more
    taken(waiting, FEW)
    for _ in range(MOST - 2):
        waiting.put(0)
        taken(waiting, 1)
    waiting.put(0)
    taken(waiting, 1)
    assert all(waiting.put(0) for _ in range(MOST))


def test_or_when_nothing_came_for_four_looks() -> None:
    waiting = full()
    taken(waiting, MOST)
    for _ in range(4):
        waiting.rest()
    assert all(waiting.put(0) for _ in range(MOST))


def test_where_none_may_wait_all_are_refused() -> None:
    waiting: Waiting[int] = Waiting(0)
    assert not waiting.put(1)
    assert not waiting.put(1)


def refused(load: float, requests: int, waiting: Waiting[int]) -> tuple[float, int]:
    """Share of random arrivals that one thread refuses, and the longest line that one joined, where
    ``load`` of them come on average while one is answered."""
    draw, now, free, share, longest = random.Random(1), 0.0, 0.0, 0, 0
    for number in range(requests):
        now += draw.expovariate(load)
        while len(waiting) and free <= now:
            waiting.get()
            free += 1
        before = len(waiting)
        if not waiting.put(number):
            share += 1
        elif before == 0 and free <= now:
            waiting.get()
            free = now + 1
        longest = max(longest, before)
    return share / requests, longest


def test_twice_of_what_can_be_answered_waits_for_few_and_less_than_all_of_it_for_none() -> None:
    waiting = full()
    taken(waiting, MOST)
    share, longest = refused(2.0, 10_000, waiting)
    assert longest <= FEW
    assert 0.49 < share < 0.52, "hardly less is answered than can be"
    refused(0.9, 3_000, waiting)  # it catches up
    assert refused(0.9, 10_000, waiting)[0] == 0
