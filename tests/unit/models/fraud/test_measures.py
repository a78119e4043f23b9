"""Measures against numbers worked out by hand, and against counting pairs."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from daybreak.models.fraud.learn.measures import auc, average_precision, card_precision

ranked = st.lists(st.tuples(st.integers(0, 5), st.booleans()), min_size=1, max_size=30)


def test_by_hand() -> None:
    scores = np.array([0.9, 0.8, 0.8, 0.3, 0.1])
    fraud = np.array([True, False, True, False, True])
    # Pairs of a fraud and another: 2 of 2, then 1 and a half tie, then 0 of 2: 3.5 of 6.
    assert auc(scores, fraud) == pytest.approx(3.5 / 6)
    # At .9: 1/1 for 1/3 of the frauds; at .8: 2/3 for 1/3; at .1: 3/5 for 1/3.
    assert average_precision(scores, fraud) == pytest.approx((1 + 2 / 3 + 3 / 5) / 3)


@given(ranked)
def test_auc_is_the_share_of_pairs(given_rows: list[tuple[int, bool]]) -> None:
    scores, fraud = (np.array(column) for column in zip(*given_rows, strict=True))
    pairs = [
        Fraction(1) if a > b else Fraction(1, 2) if a == b else Fraction(0)
        for a in scores[fraud].tolist()
        for b in scores[~fraud].tolist()
    ]
    found = auc(scores, fraud)
    if pairs:
        assert found == pytest.approx(float(sum(pairs) / len(pairs)))
    else:
        assert np.isnan(found)


@given(ranked, st.randoms())
def test_average_precision_does_not_depend_on_the_order_of_rows(
    given_rows: list[tuple[int, bool]], random: object
) -> None:
    scores, fraud = (np.array(column) for column in zip(*given_rows, strict=True))
    order = np.array(sorted(range(len(scores)), key=lambda _: random.random()))  # type: ignore[attr-defined]
    found = average_precision(scores, fraud)
    assert np.isnan(found) == (not fraud.any())
    if fraud.any():
        assert average_precision(scores[order], fraud[order]) == pytest.approx(found)
        steps = sorted(set(scores[fraud].tolist()), reverse=True)
        total = Fraction(0)
        for step in steps:
            at, above = (scores == step) & fraud, scores >= step
            total += Fraction(int(at.sum()), int(fraud.sum())) * Fraction(
                int((above & fraud).sum()), int(above.sum())
            )
        assert found == pytest.approx(float(total))


def test_cards_count_once_a_day() -> None:
    day = np.array([1, 1, 1, 1, 2, 2])
    card = np.array([7, 7, 8, 9, 7, 8])
    scores = np.array([0.1, 0.9, 0.8, 0.2, 0.6, 0.5])
    fraud = np.array([True, False, False, True, False, True])
    # Day 1: cards 7 (fraud) and 8; day 2: cards 7 and 8 (fraud).
    assert card_precision(scores, fraud, card, day, 2) == pytest.approx((1 / 2 + 1 / 2) / 2)
    assert card_precision(scores, fraud, card, day, 1) == pytest.approx((1 + 0) / 2)
    assert card_precision(scores, fraud, card, day, 99) == pytest.approx((2 / 3 + 1 / 2) / 2)
