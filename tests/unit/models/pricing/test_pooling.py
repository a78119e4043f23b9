"""Shrinkage against the nested normal model by dense matrices, and variances that were planted."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from daybreak.models.pricing.elasticity.pooling import Tree, between_variance, pooled

BETWEEN = (0.2, 0.5, 0.7)
NONE = (np.zeros(4), np.zeros(2))


def example(seed: int) -> tuple[Tree, np.ndarray, np.ndarray]:
    """Nine series of four items of two categories."""
    rng = np.random.default_rng(seed)
    tree = Tree(np.array([0, 0, 0, 1, 1, 2, 2, 3, 3]), np.array([0, 0, 1, 1]), 2)
    return tree, rng.normal(-2, 1, 9), rng.uniform(0.05, 2.0, 9)


def dense(tree: Tree, b: np.ndarray, v: np.ndarray, common: tuple[np.ndarray, np.ndarray]):  # type: ignore[no-untyped-def]
    """Means and variances of series and items by best linear unbiased prediction (GLS)."""
    n, category = len(b), tree.category[tree.item]
    same_item = tree.item[:, None] == tree.item
    same_category = category[:, None] == category
    series = BETWEEN[0] * np.eye(n) + BETWEEN[1] * same_item + BETWEEN[2] * same_category
    noise = np.diag(v) + same_item * common[0][tree.item] + same_category * common[1][category]
    whole = np.linalg.inv(series + noise)
    ones = np.ones(n)
    mean = ones @ whole @ b / (ones @ whole @ ones)

    def predicted(prior: np.ndarray, cross: np.ndarray):  # type: ignore[no-untyped-def]
        gain = cross @ whole
        left = 1.0 - gain @ ones
        variance = np.diag(prior) - np.einsum("ij,ij->i", gain, cross)
        return mean + gain @ (b - mean), variance + left**2 / (ones @ whole @ ones)

    items = np.arange(tree.items)
    beside = items[:, None] == tree.item
    kin = tree.category[:, None] == category
    among = tree.category[:, None] == tree.category
    of_items = predicted(
        BETWEEN[1] * np.eye(tree.items) + BETWEEN[2] * among, BETWEEN[1] * beside + BETWEEN[2] * kin
    )
    return predicted(series, series), of_items


@given(st.integers(0, 1000))
def test_series_and_items_are_the_best_linear_predictions(seed: int) -> None:
    tree, b, v = example(seed)
    common = (np.random.default_rng(seed).uniform(0, 1, 4), np.zeros(2))
    found = pooled(b, v, tree, BETWEEN, common)
    (series, spread), (items, of_items) = dense(tree, b, v, common)
    np.testing.assert_allclose(found.series.mean, series)
    np.testing.assert_allclose(found.series.variance, spread)
    np.testing.assert_allclose(found.item.mean, items)
    np.testing.assert_allclose(found.item.variance, of_items)


@given(st.integers(0, 1000))
def test_items_are_that_too_where_a_category_shares_an_error(seed: int) -> None:
    tree, b, v = example(seed)
    rng = np.random.default_rng(seed)
    common = (rng.uniform(0, 1, 4), rng.uniform(0, 1, 2))
    found = pooled(b, v, tree, BETWEEN, common)
    _, (items, of_items) = dense(tree, b, v, common)
    np.testing.assert_allclose(found.item.mean, items)
    np.testing.assert_allclose(found.item.variance, of_items)


def test_what_says_nothing_is_what_its_kin_are() -> None:
    tree, b, v = example(1)
    v[tree.item == 1] = np.inf
    found = pooled(b, v, tree, BETWEEN, NONE)
    assert (found.series.mean[tree.item == 1] == found.category.mean[0]).all()
    assert (found.series.own[tree.item == 1] == 0).all()
    assert (found.series.variance[tree.item == 1] > BETWEEN[0] + BETWEEN[1]).all()


def test_where_nothing_says_anything_nothing_is_known() -> None:
    tree, b, _ = example(2)
    found = pooled(b, np.full(9, np.inf), tree, BETWEEN, NONE)
    assert np.isinf(found.series.variance).all()
    assert np.isfinite(found.series.mean).all()


@pytest.mark.parametrize("true", [0.04, 0.5])
def test_variances_between_members_are_found(true: float) -> None:
    rng = np.random.default_rng(4)
    group = np.repeat(np.arange(40), 25)
    v = rng.uniform(0.02, 1.0, 1000)
    b = rng.normal(-2, 1, 40)[group] + rng.normal(0, np.sqrt(true + v))
    found = between_variance(b, v, group, 40, usual=0.25, worth=5)
    assert found == pytest.approx(true, rel=0.25)


def test_few_members_differ_as_usual() -> None:
    one = np.zeros(1, np.intp)
    found = between_variance(np.array([-2.0]), np.array([0.1]), one, 1, usual=0.25, worth=5)
    assert found == pytest.approx(0.25)
