"""The twin gives the booster's margins bit for bit, or it is not used."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import xgboost
from hypothesis import example, given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from daybreak.scoring.engines.paths import Paths
from daybreak.scoring.engines.twin import (
    Forest,
    NotCompilableError,
    Twin,
    probe_rows,
    prove,
    read_forest,
    unsigned_zero,
)

pytestmark = pytest.mark.slow  # grows boosters

Float32 = NDArray[np.float32]

QUANTILES = {"objective": "reg:quantileerror", "quantile_alpha": [0.1, 0.5, 0.9]}
OBJECTIVES: list[dict[str, Any]] = [
    {"objective": "reg:squarederror", "base_score": 0.0},
    {**QUANTILES, "base_score": 0.0},
    {"objective": "reg:tweedie", "base_score": 1.0},  # log link: a margin of 0
    {"objective": "binary:logistic", "base_score": 0.5},
    {"objective": "rank:ndcg", "base_score": 0.0},
    {"objective": "reg:squarederror", "base_score": 0.0, "gamma": 3.0},  # pruned nodes
    {"objective": "reg:squarederror", "base_score": 0.0, "num_parallel_tree": 3, "subsample": 0.5},
    {"objective": "reg:squarederror", "base_score": 0.0, "max_depth": 0, "max_leaves": 1},
]


def features(rows: int, seed: int, width: int = 6) -> Float32:
    """Numbers of all sizes, whole numbers that repeat, infinities and a fifth missing."""
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(rows, width)) * 10.0 ** rng.integers(-6, 6, width)
    X[:, 0] = rng.integers(-3, 3, rows)
    X[rng.random(X.shape) < 0.2] = np.nan
    X[rng.random(X.shape) < 0.01] = np.inf
    X[rng.random(X.shape) < 0.01] = -np.inf
    return X.astype(np.float32)


def train(params: dict[str, Any], seed: int, trees: int = 12, depth: int = 4) -> xgboost.Booster:
    rng = np.random.default_rng(seed)
    X = features(300, seed)
    X[~np.isfinite(X)] = np.nan  # XGBoost refuses to learn from infinities
    y = (np.nan_to_num(X[:, 0]) + rng.normal(size=300) > 0).astype(np.float32)
    if "squared" in params["objective"] or "quantile" in params["objective"]:
        y = (y + rng.normal(size=300)).astype(np.float32)
    data = xgboost.DMatrix(X, y, qid=np.sort(rng.integers(0, 9, 300)))
    defaults = {"max_depth": depth, "seed": seed, "nthread": 1}
    return xgboost.train({**defaults, **params}, data, trees)


def booster_margins(booster: xgboost.Booster, X: Float32) -> Float32:
    margins: Float32 = booster.inplace_predict(X, predict_type="margin", strict_shape=True)
    return unsigned_zero(margins)


def assert_same_bits(left: Float32, right: Float32) -> None:
    assert left.dtype == right.dtype == np.float32
    np.testing.assert_array_equal(left.view(np.uint32), right.view(np.uint32))


@settings(max_examples=40, deadline=None)
@example({"objective": "binary:logistic", "base_score": 0.5}, 0, 1, 3, 1)  # sums of nothing but -0
@given(
    params=st.sampled_from(OBJECTIVES),
    seed=st.integers(0, 2**16),
    trees=st.integers(1, 40),
    depth=st.integers(1, 7),
    rows=st.integers(1, 50),
)
def test_equal_bit_for_bit(
    params: dict[str, Any], seed: int, trees: int, depth: int, rows: int
) -> None:
    booster = train(params, seed, trees, depth)
    forest = read_forest(booster)
    twin = Twin(forest)
    assert prove(twin, forest, booster) == ""
    X = features(rows, seed + 1)
    expected = booster_margins(booster, X)
    assert_same_bits(twin.margins(X), expected)
    assert_same_bits(np.concatenate([twin.margins(row[None]) for row in X]), expected)


def test_several_outputs_of_an_objective_of_our_own() -> None:
    X = features(300, 1)
    X[~np.isfinite(X)] = np.nan
    y = np.random.default_rng(1).normal(size=(300, 4)).astype(np.float32)

    def squared(margins: Float32, data: xgboost.DMatrix) -> tuple[Float32, Float32]:
        return margins - data.get_label().reshape(margins.shape), np.ones_like(margins)

    params = {"base_score": 0.0, "num_target": 4, "nthread": 1}
    booster = xgboost.train(params, xgboost.DMatrix(X, y), 9, obj=squared)
    forest = read_forest(booster)
    assert (forest.outputs, forest.features, len(forest.trees)) == (4, 6, 36)
    twin = Twin(forest)
    assert prove(twin, forest, booster) == ""
    assert_same_bits(twin.margins(X), booster_margins(booster, X))


def test_probes_hit_every_side_of_a_threshold() -> None:
    forest = read_forest(train(OBJECTIVES[0], 3))
    probes = probe_rows(forest)
    assert_same_bits(probes, probe_rows(forest))
    assert np.isnan(probes).any(axis=0).all()
    for column, thresholds in zip(probes.T, forest.thresholds(), strict=True):
        for value in (thresholds, np.nextafter(thresholds, -np.inf)):
            assert np.isin(column, value).sum() > 10


def tampered(booster: xgboost.Booster, fault: str) -> Forest:
    """The forest with one small fault in the root of its first tree."""
    forest = read_forest(booster)
    tree = forest.trees[0]
    if fault == "threshold":
        tree.value[0] = np.nextafter(tree.value[0], np.float32(np.inf))
    elif fault == "missing":
        tree.missing_left[0] = 1 - tree.missing_left[0]
    elif fault == "leaf":
        leaf = np.flatnonzero(tree.is_leaf)[0]
        tree.value[leaf] *= np.float32(1.5)
    elif fault == "swapped":
        tree.left[0], tree.right[0] = tree.right[0], tree.left[0]
    return forest


@pytest.mark.parametrize("fault", ["threshold", "missing", "leaf", "swapped"])
def test_a_wrong_tree_is_found(fault: str) -> None:
    booster = train(OBJECTIVES[0], 4)
    forest = tampered(booster, fault)
    assert "of 256 probe rows differ" in prove(Twin(forest), forest, booster)


def test_a_base_margin_is_found_and_named() -> None:
    booster = train({"objective": "reg:squarederror", "base_score": 0.7}, 5)
    forest = read_forest(booster)
    assert "base_score is [7E-1]" in prove(Twin(forest), forest, booster)


@pytest.mark.parametrize(
    ("params", "reason"),
    [
        ({"booster": "gblinear"}, "gblinear"),
        ({"booster": "dart"}, "dart"),
        ({"multi_strategy": "multi_output_tree", "tree_method": "hist"}, "vector in each leaf"),
    ],
)
def test_what_the_operator_cannot_express(params: dict[str, Any], reason: str) -> None:
    X, y = np.ones((20, 2), np.float32), np.eye(20, 2, dtype=np.float32)
    labels = y if "multi_strategy" in params else y[:, 0]
    booster = xgboost.train({"nthread": 1, **params}, xgboost.DMatrix(X, labels), 1)
    with pytest.raises(NotCompilableError, match=reason):
        read_forest(booster)


def test_splits_on_categories_are_refused() -> None:
    X = np.arange(40, dtype=np.float32)[:, None] % 5
    data = xgboost.DMatrix(X, X[:, 0] == 2, feature_types=["c"], enable_categorical=True)
    booster = xgboost.train({"nthread": 1, "max_cat_to_onehot": 1}, data, 1)
    with pytest.raises(NotCompilableError, match="categories"):
        read_forest(booster)


def test_pruned_nodes_are_left_out() -> None:
    forest = read_forest(train(OBJECTIVES[5], 6))
    for tree in forest.trees:
        children = np.concatenate([tree.left[~tree.is_leaf], tree.right[~tree.is_leaf]])
        assert sorted([0, *children]) == tree.node.tolist()


ONE_OUTPUT = [one for one in OBJECTIVES if "quantile_alpha" not in one]


@pytest.mark.parametrize("params", ONE_OUTPUT, ids=lambda one: str(sorted(one.items())))
def test_paths_are_those_of_xgboost(params: dict[str, Any]) -> None:
    booster = train(params, seed=3, trees=20, depth=5)
    forest = read_forest(booster)
    X = features(64, seed=4)
    X[~np.isfinite(X)] = np.nan  # XGBoost takes no infinity in a matrix of its own
    found = Paths(forest).contributions(X)
    theirs = booster.predict(
        xgboost.DMatrix(X), pred_contribs=True, approx_contribs=True, strict_shape=True
    )
    np.testing.assert_allclose(found, theirs, rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(
        found[:, 0].sum(axis=1), Twin(forest).margins(X)[:, 0], rtol=1e-4, atol=1e-5
    )
    alone = np.concatenate([Paths(forest).contributions(row[None]) for row in X[:5]])
    np.testing.assert_array_equal(alone, found[:5])
