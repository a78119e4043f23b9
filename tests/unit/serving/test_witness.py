"""What the drill of ``benchmarks/online/promotions.py`` finds fault with, with faults put in."""

from __future__ import annotations

import pytest
from benchmarks.online.witness import Answer, Judgement, State

QUESTION = ("S1", "pear", "2026-02-03")
TABLES = {"a": {QUESTION: (1.0,)}, "b": {QUESTION: (2.0,)}}
STATES = [
    State(0, 0, 1, "a", None),
    State(10, 6, 2, "b", None),
    State(20, 16, 1, "a", None),
    State(30, 26, 1, "a", ("b", 1.0)),
]


def judged(*seen: Answer) -> Judgement:
    judgement = Judgement()
    judgement.take(seen, STATES, TABLES)
    return judgement


def told(at: float, generation: int, version: str, score: float, status: int = 200) -> Answer:
    return Answer(at, at + 0.01, status, QUESTION, generation, version, (score,))


RIGHT = [told(1, 1, "a", 1), told(11, 2, "b", 2), told(21, 1, "a", 1), told(31, 1, "b", 2)]


def test_what_is_right_is_found_right() -> None:
    found = judged(RIGHT[0], told(8, 1, "a", 1), *RIGHT[1:])
    assert (found.answers, found.failed, found.mixed, found.backward) == (5, 0, 0, 0)
    assert found.reached == {0, 1, 2, 3}
    assert (found.apart, found.late) == (0, 2), "seconds from a commit to the last answer before"


@pytest.mark.parametrize(
    ("fault", "seen"),
    [
        ("failed", [told(1, 0, "", 0, status=503)]),
        ("mixed", [told(1, 1, "a", 2)]),
        ("mixed", [told(11, 2, "a", 1)]),
        ("mixed", [told(11, 1, "b", 1)]),
        ("backward", [*RIGHT[:2], told(12, 1, "a", 1)]),
        ("backward", [*RIGHT[:3], told(22, 2, "b", 2)]),
    ],
)
def test_a_fault_is_found(fault: str, seen: list[Answer]) -> None:
    assert getattr(judged(*seen), fault) == 1


def test_how_far_from_its_moment_a_change_was_seen() -> None:
    assert judged(told(9, 2, "b", 2)).apart == pytest.approx(0.99), "too early"
    assert judged(told(12, 1, "a", 1)).apart == pytest.approx(2), "too late"
