"""EASE beside the regression that it is the closed form of, solved item by item."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import sparse

from daybreak.models.recommendations.learn.ease import ease, most_active
from daybreak.models.recommendations.learn.neighbours import Kernels, learn
from random_events import random_events


def regressions(rows: np.ndarray, penalty: float) -> np.ndarray:
    """Column j: the ridge regression of item j on all the others, float64."""
    items = rows.shape[1]
    weights = np.zeros((items, items))
    for item in range(items):
        others = [n for n in range(items) if n != item]
        known = rows[:, others]
        gram = known.T @ known + penalty * np.eye(items - 1)
        weights[others, item] = np.linalg.solve(gram, known.T @ rows[:, item])
    return weights


@given(
    st.integers(0, 10_000), st.integers(1, 12), st.integers(1, 30), st.sampled_from([0.5, 3, 80])
)
@settings(max_examples=40, deadline=None)
def test_weights_are_those_of_the_regressions(
    seed: int, items: int, users: int, penalty: float
) -> None:
    rng = np.random.default_rng(seed)
    rows = (rng.random((users, items)) < 0.4) * rng.choice([0.25, 1.0], (users, items))
    found = ease(sparse.csr_matrix(rows.astype(np.float32)), penalty)
    assert found.dtype == np.float32
    np.testing.assert_allclose(found, regressions(rows, penalty), atol=2e-5)


def test_no_item_has_no_weights() -> None:
    assert ease(sparse.csr_matrix((3, 0), dtype=np.float32), 1.0).shape == (0, 0)


def test_the_most_active_have_the_largest_sums_and_something() -> None:
    rows = sparse.csr_matrix(np.array([[1, 0, 2, 0, 1], [1, 0, 2, 3, 1]], np.float32))
    assert most_active(rows, 2).tolist() == [2, 3]
    assert most_active(rows, 3).tolist() == [0, 2, 3], "the first of equals"
    assert most_active(rows, 9).tolist() == [0, 2, 3, 4]


@pytest.mark.parametrize("source", ["ease", "basket"])
def test_a_version_keeps_the_strongest_weights_of_the_most_active_items(source: str) -> None:
    events = random_events(31, users=60, items=40, events=2500)
    few, many = (
        learn(events, Kernels(neighbours=40, ease_items=n, ease_penalty=2.0), threads=1)
        for n in (10, 40)
    )
    found, dense = few.neighbours[source], many.neighbours[source].toarray()
    known = np.diff(found.indptr) > 0
    active = np.unique(few.neighbours["ease"].tocoo().row)
    assert 2 <= len(active) <= 10
    if source == "ease":
        assert set(np.flatnonzero(known)) == set(active)
        assert set(found.indices) <= set(active)
    else:
        assert known.sum() > 10, "the others are known by their cosine"
    cut = learn(events, Kernels(neighbours=3, ease_penalty=2.0), threads=1).neighbours[source]
    for item, row in enumerate(cut.toarray()):
        best = np.sort(dense[item])[::-1][:3]
        np.testing.assert_array_equal(np.sort(row)[::-1][:3], best)
        assert (row > 0).sum() == (best > 0).sum()
