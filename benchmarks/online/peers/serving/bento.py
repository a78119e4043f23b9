"""A BentoML service with two workers."""

from __future__ import annotations

import os

import bentoml
import numpy as np
import xgboost


@bentoml.service(workers=2)
class Scoring:
    def __init__(self) -> None:
        self.booster = xgboost.Booster(model_file=os.environ["BOOSTER"])

    @bentoml.api
    def predict(self, data: np.ndarray) -> np.ndarray:
        return self.booster.inplace_predict(data.astype(np.float32))
