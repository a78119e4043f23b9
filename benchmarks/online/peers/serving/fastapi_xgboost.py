"""FastAPI + XGBoost under uvicorn. It waits for nothing, so it is `async def`, as FastAPI advises:
that spares it a thread a request."""

from __future__ import annotations

import os

import numpy as np
import xgboost
from fastapi import FastAPI
from pydantic import BaseModel

app = FastAPI()
booster = xgboost.Booster(model_file=os.environ["BOOSTER"])


class Row(BaseModel):
    features: list[float]


class Answer(BaseModel):
    prediction: float


@app.post("/predict")
async def predict(row: Row) -> Answer:
    features = np.array([row.features], np.float32)
    return Answer(prediction=float(booster.inplace_predict(features)[0]))
