"""Learn fraud: trees on transactions as they were known, and probabilities of their margins.

The days are cut in order of time, by their frauds. Trees are grown on the first, and how many is
chosen on the next; as many are grown on both, and on the last days, which none of these has seen,
their margins become probabilities. Then as many are grown on all days, as the newest kinds of
fraud are in the last: average precision on later days rose by 0.011 and 0.005 on two drawn sets,
and fell by 0.001 on two others (docs/fraud-model.md).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from datetime import date, timedelta
from typing import Any

import numpy as np
import xgboost as xgb
from numpy.typing import NDArray
from scipy.optimize import isotonic_regression

from daybreak.errors import NoData
from daybreak.models.base import NO_OPTIONS, Options, Progress, Trained, quiet
from daybreak.models.fraud.features import Rates
from daybreak.models.fraud.learn.examples import Examples
from daybreak.models.fraud.options import DELAY, OPTIONS
from daybreak.models.fraud.probability import FILE, Calibration, Thresholds
from daybreak.models.fraud.scorer import RATES, json_of
from daybreak.models.options import chosen
from daybreak.signals.batch import EPOCH
from daybreak.types import Float32

SEED = 7
CHOSEN_ON, CALIBRATED_ON = 0.15, 0.15
"""Of the frauds, and the days that they are of."""
MOST_PARTS = 200


@dataclass(frozen=True)
class Trees:
    """How the trees are grown. All of it goes into the manifest."""

    depth: int = 6
    eta: float = 0.05
    rounds: int = 800
    patience: int = 50
    least_weight: float = 5.0
    row_share: float = 0.8
    feature_share: float = 0.5
    penalty: float = 1.0
    bins: int = 128
    threads: int = 1

    def parameters(self, seed: int) -> dict[str, Any]:
        """XGBoost's names for them."""
        return {
            "objective": "binary:logistic",
            # Average precision jumps where frauds are few, and the number of trees with it. On the
            # mean of drawn sets the trees of either are as good.
            "eval_metric": "logloss",
            "base_score": 0.5,  # a margin of 0
            "tree_method": "hist",
            "max_depth": self.depth,
            "eta": self.eta,
            "min_child_weight": self.least_weight,
            "subsample": self.row_share,
            "colsample_bytree": self.feature_share,
            "reg_lambda": self.penalty,
            "max_bin": self.bins,
            "nthread": self.threads,
            "seed": seed,
            "verbosity": 0,
        }


@dataclass(frozen=True)
class Grown:
    """What was learned of some examples.

    ``unseen``: probabilities of their last days, by trees that have not seen these; none of a
    version that was loaded.
    """

    booster: xgb.Booster
    rounds: int
    rates: Rates
    calibration: Calibration
    unseen: Float32 = field(default_factory=lambda: np.empty(0, np.float32))

    def probabilities(self, examples: Examples) -> Float32:
        """Of each to be fraud."""
        return self.calibration.of(self.margins(examples))

    def margins(self, examples: Examples) -> Float32:
        """Of each."""
        found: Float32 = self.booster.inplace_predict(
            examples.features(self.rates), predict_type="margin"
        )
        return found


def grow(
    examples: Examples, trees: Trees | None = None, seed: int = SEED, progress: Progress = quiet
) -> Grown:
    """Trees and their calibration. The same examples, the same bytes.

    Raises ``NoData`` where frauds are known of too few days.
    """
    trees = trees or Trees()
    first, second, last = _in_order(examples)
    rates = first.rates()
    data = _matrix(first, rates, trees)
    check = _matrix(second, rates, trees, data)
    progress(f"Growing trees on {len(first):,} transactions, {int(first.fraud.sum()):,} frauds")
    found = xgb.train(
        trees.parameters(seed),
        data,
        trees.rounds,
        evals=[(check, "chosen")],
        early_stopping_rounds=trees.patience,
        verbose_eval=False,
    )
    rounds = found.best_iteration + 1
    progress(f"Growing {rounds} trees on all but the last days, to calibrate on these")
    both = examples.where(examples.day < last.day.min())
    rates = both.rates()
    booster = xgb.train(trees.parameters(seed), _matrix(both, rates, trees), rounds)
    margins = booster.inplace_predict(last.features(rates), predict_type="margin")
    calibration = calibrated(margins, last.fraud)
    progress(f"Growing {rounds} trees on all days")
    rates = examples.rates()
    booster = xgb.train(trees.parameters(seed), _matrix(examples, rates, trees), rounds)
    return Grown(booster, rounds, rates, calibration, calibration.of(margins))


def trained(
    examples: Examples,
    through: date,
    options: Options = NO_OPTIONS,
    trees: Trees | None = None,
    progress: Progress = quiet,
) -> Trained:
    """The version. ``through``: the business date of its knowledge.

    Raises ``InvalidRequest`` for an option that there is not.
    """
    set_to = chosen(options, OPTIONS)
    trees = trees or Trees()
    grown = grow(examples, trees, progress=progress)
    _, _, last = _in_order(examples)
    thresholds = thresholds_of(grown.unseen, last, set_to)
    manifest = {
        "features": [{"name": name, "dtype": "float32"} for name in examples.layout.features],
        "layout": examples.layout.as_json(),
        "options": {DELAY: examples.delay_days},
        "trained_through": through.isoformat(),
        "objective": {"name": "binary:logistic", "base_score": 0, "target": "known as fraud"},
        "thresholds": asdict(thresholds),
        "seed": SEED,
        "params": {**asdict(trees), "rounds": grown.rounds, **set_to},
        "window": {
            "first_day": (EPOCH + timedelta(days=int(examples.day.min()))).isoformat(),
            "last_day": (EPOCH + timedelta(days=int(examples.day.max()))).isoformat(),
            "transactions": len(examples),
            "frauds": int(examples.fraud.sum()),
        },
    }
    files = {
        FILE: grown.calibration.to_bytes(),
        RATES: json_of(grown.rates),
    }
    some = examples.where(np.arange(max(0, len(examples) - 1000), len(examples)))
    return Trained(
        bytes(grown.booster.save_raw("ubj")), manifest, files, some.features(grown.rates)
    )


def calibrated(margins: Float32, fraud: NDArray[np.bool_]) -> Calibration:
    """Probabilities that never fall as margins rise: isotonic regression of the shares of frauds.

    Barlow, Bartholomew, Bremner and Brunk (1972), Statistical Inference under Order Restrictions.
    Margins are first put together, some hundred frauds or transactions at a time, each with one
    transaction of the usual rate, which keeps the ends away from 0 and 1. A run of equal
    probabilities is one knot, at its mean margin.
    """
    order = np.argsort(margins, kind="stable")
    ordered, frauds = margins[order].astype(np.float64), fraud[order].astype(np.float64)
    parts = np.linspace(0, len(order), MOST_PARTS + 1)[:-1].astype(np.int64)
    of_fraud = np.flatnonzero(frauds)
    parts = np.union1d(parts, of_fraud[:: max(1, len(of_fraud) // MOST_PARTS)])
    count = np.diff(np.append(parts, len(order)))
    share = (np.add.reduceat(frauds, parts) + fraud.mean()) / (count + 1)
    found = isotonic_regression(share, weights=count)
    blocks = found.blocks[:-1]
    weight = np.add.reduceat(count, blocks)
    knots = np.add.reduceat(np.add.reduceat(ordered, parts), blocks) / weight
    single: Float32 = knots.astype(np.float32)
    distinct, first = np.unique(single, return_index=True)
    return Calibration(distinct, found.x[blocks][first].astype(np.float32))


def thresholds_of(probabilities: Float32, last: Examples, options: Mapping[str, Any]) -> Thresholds:
    """From costs, or from how many alerts a day can be looked at.

    A transaction is reviewed where what is lost on average by a fraud, times its probability, is
    more than the cost of looking; it is blocked where that is more than what blocking a good one
    costs, times the probability that it is one.
    """
    amounts = list(last.transactions.amounts.values())
    loss = 10 * options["review_cost"]  # where the stream has no amount
    if amounts and last.fraud.any():
        units = np.maximum(amounts[0][last.fraud], 0)
        loss = float(units.mean()) / 10**last.layout.decimals
    loss = max(loss, 1e-9)
    block = options["block_cost"] / (loss + options["block_cost"])
    review = min(options["review_cost"] / loss, 1.0)
    if options["alerts_per_day"]:
        days = len(np.unique(last.day))
        most = min(options["alerts_per_day"] * days, len(probabilities))
        review = float(np.sort(probabilities)[::-1][most - 1])
    return Thresholds(float(np.float32(min(review, block))), float(np.float32(block)))


def _in_order(examples: Examples) -> tuple[Examples, Examples, Examples]:
    """To grow on, to choose by and to calibrate on; whole days each, cut by their frauds.

    By days alone, weeks whose labels are missing could be all that is chosen or calibrated by.
    """
    days = np.sort(examples.day[examples.fraud])
    second = days[int(len(days) * (1 - CHOSEN_ON - CALIBRATED_ON))]
    last = days[int(len(days) * (1 - CALIBRATED_ON))]
    if not days[0] < second < last:
        raise NoData(
            f"{len(days)} frauds are known of {len(np.unique(days))} days, too close together to "
            "learn from some days and choose by others.",
            remedy="Load the labels of more days, or choose another business date.",
        )
    return (
        examples.where(examples.day < second),
        examples.where((examples.day >= second) & (examples.day < last)),
        examples.where(examples.day >= last),
    )


def _matrix(
    examples: Examples, rates: Rates, trees: Trees, ref: xgb.QuantileDMatrix | None = None
) -> xgb.QuantileDMatrix:
    return xgb.QuantileDMatrix(
        examples.features(rates),
        examples.fraud.astype(np.float32),
        max_bin=trees.bins,
        nthread=trees.threads,
        feature_names=list(examples.layout.features),
        ref=ref,
    )
