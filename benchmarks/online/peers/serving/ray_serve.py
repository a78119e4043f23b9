"""A Ray Serve deployment of two replicas, on a Ray of its own: `ray_serve.py PORT`."""

from __future__ import annotations

import os
import sys

import numpy as np
import ray
import xgboost
from ray import serve
from starlette.requests import Request


@serve.deployment(num_replicas=2, logging_config={"enable_access_log": False})
class Scoring:
    def __init__(self, model_file: str) -> None:
        self.booster = xgboost.Booster(model_file=model_file)

    async def __call__(self, request: Request) -> dict[str, float]:
        row = np.array([(await request.json())["features"]], np.float32)
        return {"prediction": float(self.booster.inplace_predict(row)[0])}


if __name__ == "__main__":
    # A replica asks for one processor, however few the machine has.
    ray.init(num_cpus=max(2, os.cpu_count() or 1), include_dashboard=False)
    serve.start(http_options={"host": "127.0.0.1", "port": int(sys.argv[1])})
    serve.run(Scoring.bind(os.environ["BOOSTER"]), route_prefix="/predict", blocking=True)
