"""The distances beside numbers worked by hand, and beside SciPy."""

from __future__ import annotations

from math import log
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy import stats

from daybreak.histogram import Histogram, bins_of, values_of
from daybreak.monitoring.drift.distances import ks, noise_of_psi, psi, side_by_side

COUNTS = arrays(np.int64, 6, elements=st.integers(0, 1000))


def test_psi_by_hand() -> None:
    now, before = np.array([10, 30]), np.array([20, 20])
    p, q = 10.5 / 41, 20.5 / 41
    by_hand = (p - q) * log(p / q) + (q - p) * log((1 - p) / (1 - q))
    assert psi(now, before) == pytest.approx(by_hand)
    # Of many values smoothing does not count: 0.25 ln 2 + 0.25 ln 1.5.
    assert psi(1000 * now, 1000 * before) == pytest.approx(0.2747, abs=1e-4)


@given(COUNTS, COUNTS)
def test_psi_is_the_sum_of_both_divergences_and_knows_no_direction(a: Any, b: Any) -> None:
    found = psi(a, b)
    assert found == pytest.approx(psi(b, a))
    assert found >= 0
    if a.sum() and b.sum():
        p, q = a + 0.5, b + 0.5
        assert found == pytest.approx(stats.entropy(p, q) + stats.entropy(q, p), abs=1e-9)
    assert psi(a, a) == 0


@given(
    arrays(np.float32, st.integers(1, 60), elements=st.floats(-100, 100, width=32)),
    arrays(np.float32, st.integers(1, 60), elements=st.floats(-100, 100, width=32)),
)
def test_ks_is_the_largest_gap_of_both_distribution_functions(a: Any, b: Any) -> None:
    a, b = (values_of(Histogram.of(one).keys) for one in (a, b))
    found = ks(*side_by_side(Histogram.of(a), Histogram.of(b)))
    at = np.concatenate([a, b])
    below = [(one[:, None] <= at).mean(axis=0) for one in (a, b)]
    assert found == pytest.approx(np.abs(below[0] - below[1]).max())


def test_what_is_missing_moves_the_statistic() -> None:
    known = np.ones(100, np.float32)
    some = known.copy()
    some[:30] = np.nan
    assert ks(*side_by_side(Histogram.of(some), Histogram.of(known))) == pytest.approx(0.3)


def test_nothing_is_as_far_as_it_could_be_from_nothing() -> None:
    nothing, something = np.zeros(3, np.int64), np.array([1, 2, 3])
    assert psi(nothing, something) == ks(nothing, something) == 0


def test_the_noise_is_what_draws_of_one_distribution_have_on_average() -> None:
    random = np.random.default_rng(3)
    n, m = 400, 900
    trained = bins_of(Histogram.of(random.normal(size=100_000).astype(np.float32)))
    drawn = [
        psi(
            *(
                trained.counts(Histogram.of(random.normal(size=size).astype(np.float32)))
                for size in (n, m)
            )
        )
        for _ in range(300)
    ]
    filled = trained.number - 3  # nothing is missing, below or above
    assert np.mean(drawn) == pytest.approx(noise_of_psi(filled, n, m), rel=0.15)
