"""Flask + XGBoost under gunicorn."""

from __future__ import annotations

import os

import numpy as np
import xgboost
from flask import Flask, request

app = Flask(__name__)
booster = xgboost.Booster(model_file=os.environ["BOOSTER"])


@app.post("/predict")
def predict() -> dict[str, float]:
    row = np.array([request.get_json()["features"]], np.float32)
    return {"prediction": float(booster.inplace_predict(row)[0])}
