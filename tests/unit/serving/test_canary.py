"""An entity is on one side of a canary, and stays there."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from daybreak.serving.canary import drawn
from daybreak.serving.shadows import difference

KEYS = st.lists(st.text(), max_size=3).map(tuple)
SHARES = st.floats(0, 1)


@given(st.text(), KEYS, SHARES, SHARES)
def test_a_larger_share_has_all_that_a_smaller_one_has(
    version: str, key: tuple[str, ...], one: float, other: float
) -> None:
    less, more = sorted((one, other))
    assert drawn(version, key, less) <= drawn(version, key, more)
    assert drawn(version, key, 1.0)
    assert not drawn(version, key, 0.0)


def test_a_share_is_of_that_size_and_another_one_for_another_version() -> None:
    keys = [("S1", str(number)) for number in range(20_000)]
    first, second = ([drawn(version, key, 0.1) for key in keys] for version in ("a", "b"))
    both = sum(one and other for one, other in zip(first, second, strict=True))
    assert 1800 < sum(first) < 2200
    assert 1800 < sum(second) < 2200
    assert 140 < both < 260, "as often as by chance"


def test_the_parts_of_a_key_are_told_apart() -> None:
    keys = [("ab", "c"), ("a", "bc"), ("abc",)]
    shares = [share / 1000 for share in range(1001)]
    first = {min(share for share in shares if drawn("v", key, share)) for key in keys}
    assert len(first) == len(keys)


def test_the_difference_of_two_answers_is_that_of_the_worst_number() -> None:
    row = {"item_id": "pear", "horizon": 2, "mean": 4.0, "p10": 0.0}
    assert difference([row], [dict(row)]) == 0
    assert difference([row], [row | {"mean": 3.0}]) == 0.25
    assert difference([row], [row | {"mean": -4.0}]) == 2
    assert difference([row], [row | {"item_id": "apple"}]) == 1
    assert difference([row], [row | {"p10": 0.5}]) == 1
    assert difference([row], [row, row]) == 1
    assert difference([], []) == 0
