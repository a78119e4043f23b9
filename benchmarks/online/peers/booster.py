"""The booster that every peer serves: random data, always the same."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import xgboost

from daybreak.types import Float32

TREES, DEPTH, FEATURES = 300, 8, 40
SAMPLES, ASKED = 10_000, 64


def make_booster(file: Path, trees: int = TREES) -> tuple[Float32, Float32]:
    """Write a booster, and return the rows to ask about, (q, F), and what it says of them, (q,)."""
    rng = np.random.default_rng(1)
    X = rng.normal(size=(SAMPLES, FEATURES)).astype(np.float32)
    y = X[:, 0] * X[:, 1] + np.sin(X[:, 2]) + X[:, 3:9].sum(axis=1) + rng.normal(size=SAMPLES)
    params = {"max_depth": DEPTH, "eta": 0.1, "tree_method": "hist", "seed": 1, "nthread": 1}
    booster = xgboost.train(params, xgboost.QuantileDMatrix(X, y), trees)
    booster.save_model(file)
    rows = X[:ASKED]
    return rows, np.asarray(booster.inplace_predict(rows), np.float32)
