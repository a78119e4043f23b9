"""One booster of four outputs: three quantiles and a mean, one file, one prediction.

The quantiles come from one pinball objective and the mean from squared error; XGBoost trains one
objective at a time, so their trees are merged into one model with four outputs. Squared error has
the identity as its link and every base is 0, so the merged booster's margins are the separate
ones bit for bit: the trees of an output are summed in the same order (see the tests).
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
import xgboost as xgb
from numpy.typing import NDArray

from daybreak.facts.panel import LEAST_SLOTS
from daybreak.models.sales_forecast.features.layout import FEATURES, features
from daybreak.models.sales_forecast.link import SCORES

QUANTILES = (0.1, 0.5, 0.9)


@dataclass(frozen=True)
class Learning:
    """What the trees are grown with. All of it goes into the manifest.

    ``forest``: trees of a round and an output, each on its own draw of the rows; their mean counts.
    """

    depth: int = 5
    eta: float = 0.1
    rounds: int = 150
    patience: int = 15
    least_rounds: int = 70
    least_weight: float = 20.0
    row_share: float = 0.7
    feature_share: float = 1.0
    penalty: float = 1.0
    bins: int = 64
    forest: int = 1
    mean_cap: float = 20.0

    def parameters(self, seed: int, threads: int) -> dict[str, Any]:
        """XGBoost's names for them."""
        return {
            "tree_method": "hist",
            "max_depth": self.depth,
            "eta": self.eta,
            "min_child_weight": self.least_weight,
            "subsample": self.row_share,
            "colsample_bytree": self.feature_share,
            "reg_lambda": self.penalty,
            "max_bin": self.bins,
            "num_parallel_tree": self.forest,
            "base_score": 0.0,
            "seed": seed,
            "nthread": threads,
            "verbosity": 0,
        }


@dataclass(frozen=True)
class Rows:
    """``features`` float32 (m, F), ``target`` (m,) in scaled units, ``weight`` (m,)."""

    features: NDArray[np.float32]
    target: NDArray[np.float32]
    weight: NDArray[np.float32]


@dataclass(frozen=True)
class Grown:
    """The two boosters and how many rounds each took."""

    quantiles: xgb.Booster
    mean: xgb.Booster
    rounds: dict[str, int]

    def merged(self) -> xgb.Booster:
        """One booster with the outputs ``SCORES``."""
        return merge(self.quantiles, self.mean)


def grow(
    rows: Rows,
    learning: Learning,
    *,
    seed: int,
    threads: int,
    held_out: Rows | None = None,
    rounds: Mapping[str, int] | None = None,
) -> Grown:
    """Fit both boosters; stop early on ``held_out``, or grow the ``rounds`` found before."""
    capped = np.minimum(rows.target, learning.mean_cap)
    objectives: dict[str, tuple[NDArray[np.float32], dict[str, Any]]] = {
        "quantiles": (
            rows.target,
            {
                "objective": "reg:quantileerror",
                "quantile_alpha": list(QUANTILES),
                # One number for three outputs is refused when training goes on from a booster.
                "base_score": [0.0] * len(QUANTILES),
            },
        ),
        "mean": (capped, {"objective": "reg:squarederror", "eval_metric": "rmse"}),
    }
    found: dict[str, xgb.Booster] = {}
    data = xgb.QuantileDMatrix(
        rows.features, rows.target, weight=rows.weight, max_bin=learning.bins, nthread=threads
    )
    check = None
    if held_out is not None:
        check = xgb.QuantileDMatrix(
            held_out.features,
            held_out.target,
            weight=held_out.weight,
            ref=data,
            max_bin=learning.bins,
            nthread=threads,
        )
    for name, (target, objective) in objectives.items():
        data.set_label(target)
        if check is not None and held_out is not None:
            check.set_label(
                np.minimum(held_out.target, learning.mean_cap)
                if name == "mean"
                else held_out.target
            )
        parameters = learning.parameters(seed, threads) | objective
        if check is None:
            count = learning.rounds if rounds is None else rounds[name]
            found[name] = xgb.train(parameters, data, count)
            continue
        # One month is noisy and would stop training far too soon, so it is looked at late.
        sapling = xgb.train(parameters, data, learning.least_rounds)
        grown = xgb.train(
            parameters,
            data,
            learning.rounds - learning.least_rounds,
            xgb_model=sapling,
            evals=[(check, "held_out")],
            early_stopping_rounds=learning.patience,
            verbose_eval=False,
        )
        found[name] = grown[: grown.best_iteration + 1]
    taken = {name: booster.num_boosted_rounds() for name, booster in found.items()}
    return Grown(found["quantiles"], found["mean"], taken)


def merge(quantiles: xgb.Booster, mean: xgb.Booster) -> xgb.Booster:
    """One booster whose margins (m, 4) are those of ``quantiles`` (m, 3) beside ``mean`` (m,)."""
    first, second = _document(quantiles), _document(mean)
    trees: list[dict[str, Any]] = []
    groups: list[int] = []
    starts = [0]
    of_quantiles, of_mean = _iterations(first), _iterations(second)
    for turn in range(max(len(of_quantiles), len(of_mean))):
        for iterations, offset in ((of_quantiles, 0), (of_mean, len(QUANTILES))):
            for tree, group in iterations[turn] if turn < len(iterations) else []:
                trees.append(tree | {"id": len(trees)})
                groups.append(group + offset)
        starts.append(len(trees))

    learner = second["learner"]
    model = learner["gradient_booster"]["model"]
    model["trees"], model["tree_info"], model["iteration_indptr"] = trees, groups, starts
    model["gbtree_model_param"]["num_trees"] = str(len(trees))
    shape = learner["learner_model_param"]
    shape["num_target"] = str(len(SCORES))
    shape["base_score"] = "[" + ",".join(["0E0"] * len(SCORES)) + "]"
    learner["attributes"] = {}
    merged = xgb.Booster(model_file=bytearray(json.dumps(second).encode()))
    names = features(LEAST_SLOTS + merged.num_features() - len(FEATURES))
    merged.feature_names = list(names) if merged.num_features() == len(names) else None
    return merged


def _document(booster: xgb.Booster) -> dict[str, Any]:
    document: dict[str, Any] = json.loads(booster.save_raw("json"))
    return document


def _iterations(document: dict[str, Any]) -> list[list[tuple[dict[str, Any], int]]]:
    """The trees of each boosting round with the output that each adds to."""
    model = document["learner"]["gradient_booster"]["model"]
    pairs = list(zip(model["trees"], model["tree_info"], strict=True))
    starts = model["iteration_indptr"]
    return [pairs[a:b] for a, b in pairwise(starts)]
