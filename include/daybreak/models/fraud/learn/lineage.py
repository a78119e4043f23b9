"""A registered version, as what it learned."""

from __future__ import annotations

from datetime import date

import orjson
import xgboost as xgb

from daybreak.models.fraud.learn.train import Grown
from daybreak.models.fraud.probability import FILE, Calibration
from daybreak.models.fraud.scorer import RATES
from daybreak.registry.artifact import Artifact


def grown_of(artifact: Artifact) -> Grown:
    """The trees of a version and what goes with them."""
    return Grown(
        xgb.Booster(model_file=bytearray(artifact.booster)),
        int(artifact.manifest["params"]["rounds"]),
        orjson.loads(artifact.files[RATES]),
        Calibration.from_bytes(artifact.files[FILE]),
    )


def learned_through(artifact: Artifact) -> date:
    """The last day of transactions that it learned from."""
    return date.fromisoformat(artifact.manifest["window"]["last_day"])
