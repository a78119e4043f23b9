"""Batch and single rows from one artifact; the twin only where it is proven."""

from __future__ import annotations

import logging
from dataclasses import replace

import numpy as np
import pytest
import xgboost

from daybreak.errors import NotReady
from daybreak.registry.artifact import Artifact
from daybreak.scoring.engines.engine import expect_features
from daybreak.scoring.engines.predictor import Predictor

X = np.random.default_rng(0).normal(size=(200, 5)).astype(np.float32)
X[::7, 2] = np.nan
NAMES = ("a", "b", "c", "d", "e")
MANIFEST = {"features": [{"name": name, "dtype": "float32"} for name in NAMES]}


def artifact(base_score: float = 0.0) -> Artifact:
    labels = np.stack([X[:, 0], X[:, 1] * 2, X[:, 0] - X[:, 1]], axis=1)
    params = {"base_score": base_score, "nthread": 1, "max_depth": 3}
    booster = xgboost.train(params, xgboost.DMatrix(X, labels), 20)
    return Artifact("demo", "2026-01-01-00000000", bytes(booster.save_raw("ubj")), MANIFEST)


@pytest.mark.parametrize("threads", [0, 1, 2])
def test_single_equals_batch_bit_for_bit(threads: int) -> None:
    predictor = Predictor(artifact(), threads)
    assert predictor.name == "twin"
    batch = predictor.batch(X)
    assert batch.dtype == np.float32
    assert batch.shape == (200, 3)
    assert batch.flags.c_contiguous
    alone = np.concatenate([predictor.single(row[None]) for row in X])
    assert alone.tobytes() == batch.tobytes() == predictor.single(X).tobytes()


def test_falls_back_to_the_booster_and_says_so(caplog: pytest.LogCaptureFixture) -> None:
    predictor = Predictor(artifact(base_score=0.7))
    with caplog.at_level(logging.WARNING):
        assert predictor.name == "booster"
    assert "demo 2026-01-01-00000000 is served by the booster" in caplog.text
    assert predictor.single(X[:1]).tobytes() == predictor.batch(X)[:1].tobytes()


@pytest.mark.parametrize(
    ("made", "message"),
    [
        (("a", "b", "c", "d", "f"), "other features than this code makes: e, f"),
        (NAMES[:4], "this code makes: e"),
        (NAMES[::-1], "this code makes: their order"),
    ],
)
def test_a_version_of_other_features_is_refused(made: tuple[str, ...], message: str) -> None:
    expect_features(artifact(), NAMES)
    names_only = replace(artifact(), manifest={"features": [*NAMES]})
    expect_features(names_only, NAMES)
    with pytest.raises(NotReady, match=message):
        expect_features(artifact(), made)
