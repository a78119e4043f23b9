"""A Flask route that returns a constant as JSON: what the web server and Flask cost alone."""

from __future__ import annotations

from flask import Flask

app = Flask(__name__)


@app.get("/predict")
def predict() -> dict[str, float]:
    return {"prediction": 1.0}
