"""The merged booster says what the two that it came from say, to the last bit."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import xgboost as xgb

from daybreak.models.sales_forecast.features.layout import FEATURES
from daybreak.models.sales_forecast.learn.booster import Grown, Learning, Rows, grow, merge

pytestmark = pytest.mark.slow  # grows boosters

QUICK = Learning(rounds=14, least_rounds=8, patience=2, depth=3)


def rows(seed: int, count: int = 900) -> Rows:
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(count, len(FEATURES))).astype(np.float32)
    X[rng.random(X.shape) < 0.2] = np.nan
    y = np.nan_to_num(X[:, 0]) + rng.gamma(1, 1, count)
    return Rows(X, y.astype(np.float32), rng.uniform(0.5, 2, count).astype(np.float32))


@pytest.fixture(scope="module", params=[1, 3])
def forest(request: pytest.FixtureRequest) -> int:
    """Trees that share a round."""
    return int(request.param)


@pytest.fixture(scope="module")
def grown(forest: int) -> Grown:
    learning = replace(QUICK, forest=forest)
    return grow(rows(1), learning, seed=3, threads=1, rounds={"quantiles": 5, "mean": 9})


def margins(booster: xgb.Booster, X: np.ndarray) -> np.ndarray:
    return np.asarray(booster.inplace_predict(X, predict_type="margin"))


@pytest.mark.parametrize("count", [1, 7, 900])
def test_margins_are_those_of_the_separate_boosters(grown: Grown, count: int) -> None:
    X = rows(2).features[:count]

    merged = margins(grown.merged(), X)

    assert merged.shape == (count, 4)
    assert merged.dtype == np.float32
    assert merged[:, :3].tobytes() == margins(grown.quantiles, X).tobytes()
    assert merged[:, 3].tobytes() == margins(grown.mean, X).tobytes()


def test_the_other_may_have_more_rounds() -> None:
    grown = grow(rows(4), QUICK, seed=3, threads=1, rounds={"quantiles": 6, "mean": 2})
    X = rows(2).features

    merged = margins(grown.merged(), X)

    assert merged[:, 3].tobytes() == margins(grown.mean, X).tobytes()
    assert merged[:, :3].tobytes() == margins(grown.quantiles, X).tobytes()


def test_it_survives_a_round_trip_through_its_file(grown: Grown) -> None:
    X = rows(2).features
    raw = grown.merged().save_raw("ubj")

    again = xgb.Booster(model_file=raw)

    assert again.feature_names == list(FEATURES)
    assert margins(again, X).tobytes() == margins(grown.merged(), X).tobytes()
    assert again.save_raw("ubj") == raw
    # The objective has the identity as its link: the prediction is the margin.
    assert np.asarray(again.inplace_predict(X)).tobytes() == margins(again, X).tobytes()


def test_nothing_is_added_to_the_trees(grown: Grown, forest: int) -> None:
    """Base margin 0: with no trees in reach, a leaf is all there is."""
    X = rows(2).features[:5]
    leaves = grown.merged().predict(xgb.DMatrix(X, feature_names=list(FEATURES)), pred_leaf=True)

    assert leaves.reshape(5, -1).shape[1] == forest * (5 * 3 + 9)
    alone = xgb.Booster(model_file=merge(grown.quantiles, grown.mean).save_raw("json"))
    config = alone.save_config()
    assert '"base_score":"[0E0,0E0,0E0,0E0]"' in config


def test_the_same_seed_gives_the_same_bytes_and_another_one_others() -> None:
    def raw(seed: int) -> bytes:
        taken = {"quantiles": 3, "mean": 3}
        return bytes(
            grow(rows(1), QUICK, seed=seed, threads=1, rounds=taken).merged().save_raw("ubj")
        )

    assert raw(1) == raw(1)
    assert raw(1) != raw(2)


def test_growing_stops_where_held_out_rows_say_so_but_not_before_the_least() -> None:
    noise = rows(5)
    noise = Rows(noise.features, np.random.default_rng(0).permutation(noise.target), noise.weight)

    stopped = grow(rows(1), QUICK, seed=1, threads=1, held_out=noise)
    went_on = grow(rows(1), QUICK, seed=1, threads=1, held_out=rows(1))

    assert QUICK.least_rounds < stopped.rounds["mean"] < QUICK.rounds
    assert went_on.rounds["mean"] == QUICK.rounds
    assert stopped.mean.num_boosted_rounds() == stopped.rounds["mean"]


def test_one_huge_order_does_not_drag_the_mean() -> None:
    plain = rows(1)
    target = plain.target.copy()
    target[:3] = 1e6
    taken = {"quantiles": 1, "mean": 9}

    hit = grow(Rows(plain.features, target, plain.weight), QUICK, seed=1, threads=1, rounds=taken)

    assert margins(hit.mean, plain.features).max() <= QUICK.mean_cap
