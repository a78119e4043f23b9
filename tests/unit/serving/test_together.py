"""What waits at once is worked on together, and nobody waits in vain."""

from __future__ import annotations

import threading
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

import pytest

from daybreak.errors import InvalidRequest, WarehouseUnavailable
from daybreak.serving import together
from daybreak.serving.together import Together

THREADS = 12


class Work:
    """Doubles numbers; 13 is refused. ``groups``: what was worked on together."""

    def __init__(self) -> None:
        self.groups: list[list[int]] = []
        self.at_once = 0
        self.most = 0

    def __call__(self, items: Sequence[int]) -> list[int]:
        self.at_once += 1
        self.most = max(self.most, self.at_once)
        time.sleep(0.002)
        self.at_once -= 1
        self.groups.append(list(items))
        if 13 in items:
            raise InvalidRequest("13 is refused.", remedy="Ask for another one.")
        return [2 * item for item in items]


def test_each_has_its_own_answer_and_one_thread_works_at_a_time() -> None:
    work = Work()
    group: Together[int, int] = Together(work, lambda chosen, _one: len(chosen) < 5)
    with ThreadPoolExecutor(THREADS) as pool:
        assert list(pool.map(group.do, range(100, 400))) == [2 * n for n in range(100, 400)]
    assert work.most == 1
    assert sorted(n for each in work.groups for n in each) == list(range(100, 400))
    assert 1 < max(map(len, work.groups)) <= 5


def test_what_does_not_fit_goes_with_the_next() -> None:
    work = Work()
    group: Together[int, int] = Together(work, lambda chosen, one: one not in chosen)
    with ThreadPoolExecutor(THREADS) as pool:
        assert list(pool.map(group.do, [7] * 50)) == [14] * 50
    assert all(len(each) == len(set(each)) for each in work.groups)


def test_who_is_at_fault_is_told_and_the_others_are_answered() -> None:
    group: Together[int, int] = Together(Work(), lambda _chosen, _one: True)

    def asked(number: int) -> int | str:
        try:
            return group.do(number)
        except InvalidRequest as error:
            return error.message

    with ThreadPoolExecutor(THREADS) as pool:
        found = list(pool.map(asked, [11, 12, 13, 14] * 20))
    assert found == [22, 24, "13 is refused.", 28] * 20


def test_while_the_warehouse_is_away_all_are_told_and_the_next_are_answered() -> None:
    away = [True]

    def work(items: Sequence[int]) -> list[int]:
        time.sleep(0.002)
        if away[0]:
            raise WarehouseUnavailable("It is away.", remedy="Wait.")
        return list(items)

    group: Together[int, int] = Together(work, lambda _chosen, _one: True)

    def asked(number: int) -> bool:
        try:
            group.do(number)
        except WarehouseUnavailable:
            return False
        return True

    with ThreadPoolExecutor(THREADS) as pool:
        assert not any(pool.map(asked, range(40)))
        away[0] = False
        assert all(pool.map(asked, range(40)))


def test_an_error_of_ours_leaves_nobody_waiting() -> None:
    def work(items: Sequence[int]) -> list[int]:
        time.sleep(0.002)
        raise ZeroDivisionError

    group: Together[int, int] = Together(work, lambda _chosen, _one: True)

    def asked(number: int) -> bool:
        with pytest.raises(ZeroDivisionError):
            group.do(number)
        return True

    with ThreadPoolExecutor(THREADS) as pool:
        assert all(pool.map(asked, range(40)))


def test_who_comes_while_work_hangs_is_refused_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(together, "PATIENCE", 0.05)
    monkeypatch.setattr(together, "LONGEST_WAIT", 0.3)
    hangs = threading.Event()

    def work(items: Sequence[int]) -> list[int]:
        hangs.wait(5)
        return list(items)

    group: Together[int, int] = Together(work, lambda _chosen, _one: True)
    with ThreadPoolExecutor(3) as pool:
        first = pool.submit(group.do, 1)
        time.sleep(0.02)
        second = pool.submit(group.do, 2)
        time.sleep(0.1)
        begun = time.monotonic()
        with pytest.raises(WarehouseUnavailable):
            group.do(3)
        assert time.monotonic() - begun < 0.05
        with pytest.raises(WarehouseUnavailable):
            second.result()
        hangs.set()
        assert first.result() == 1
        assert pool.submit(group.do, 4).result() == 4
