"""Saves the booster as a model of MLflow: `mlflow_model.py BOOSTER FOLDER FORM`. `mlflow models
serve` does the rest. FORM: what the signature is of, a `tensor` or a `frame` with named columns."""

from __future__ import annotations

import sys

import mlflow.xgboost
import numpy as np
import pandas as pd
import xgboost
from mlflow.models import infer_signature


def save(file: str, folder: str, form: str) -> None:
    booster = xgboost.Booster(model_file=file)
    row = np.zeros((1, booster.num_features()), np.float32)
    prediction = booster.inplace_predict(row)
    if form == "frame":
        names = [f"f{place}" for place in range(row.shape[1])]
        booster.feature_names = names
        signature = infer_signature(pd.DataFrame(row.astype(float), columns=names), prediction)
    else:
        signature = infer_signature(row, prediction)
    # Requirements are named, as it would find them out by loading the model once more.
    mlflow.xgboost.save_model(
        booster, folder, signature=signature, pip_requirements=["xgboost-cpu"]
    )


if __name__ == "__main__":
    save(*sys.argv[1:])
