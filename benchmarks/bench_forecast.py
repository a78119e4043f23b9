"""A whole nightly run of the sales forecast, stage by stage, beside bare ``inplace_predict``:

python -m benchmarks.bench_forecast --stores 10 --items 500
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import statistics
import time
from typing import Any

import numpy as np
import xgboost

from benchmarks.facts import BUSINESS_DATE, fill, temporary_warehouse
from benchmarks.night import SCORING, run, table
from benchmarks.shards import SNAPSHOT, add_processes, take_snapshot, workers
from benchmarks.stages import Stages
from daybreak.models.base import Day, Float32
from daybreak.models.sales_forecast.features.layout import FEATURES
from daybreak.models.sales_forecast.model import MODEL
from daybreak.models.sales_forecast.scorer import ForecastScorer
from daybreak.registry.artifact import Artifact
from daybreak.scoring.batch import rows_of_a_night
from daybreak.scoring.snapshots import read_snapshot
from daybreak.warehouse.engine import connect

ROUNDS, DEPTH, OUTPUTS = 200, 6, 4
SERIES_PER_SHARD = 2000


def measure(
    stores: int, items: int, days: int, rounds: int = ROUNDS, processes: int = 0
) -> dict[str, Any]:
    """Run everything once in a temporary warehouse and return what it took."""
    stages = Stages()
    with temporary_warehouse() as engine:
        started = time.perf_counter()
        facts = fill(engine, stores, items, days)
        load = time.perf_counter() - started
        with workers(engine, processes) as several:
            snapshot_id = take_snapshot(engine, stages, MODEL, several)
        with connect(engine) as conn:
            snapshot = read_snapshot(conn, MODEL, snapshot_id, 0, stores * items)
        day = Day(BUSINESS_DATE)
        scorer = ForecastScorer(Artifact(MODEL.name, "bench", b"", {"calibration": {}}), day)
        rows = rows_of_a_night(MODEL.night, scorer, day, snapshot)
        artifact = grow(rows.features, rounds)
        bare = [bare_seconds(artifact, rows.features) for _ in range(2)]
        with workers(engine, processes) as several:
            run(
                engine,
                stages,
                MODEL,
                artifact,
                snapshot_id=snapshot_id,
                entities=len(snapshot),
                per_shard=SERIES_PER_SHARD,
                workers=several,
            )
        bare += [bare_seconds(artifact, rows.features) for _ in range(2)]

    scoring = sum(stages.seconds[name] for name in SCORING)
    predict = statistics.median(bare)
    return {
        "series": len(snapshot),
        "rows": len(rows.features),
        "features": rows.features.shape[1],
        "trees": rounds * OUTPUTS,
        "facts": facts,
        "processes": processes or 1,
        "snapshot_seconds": round(sum(stages.seconds[name] for name in SNAPSHOT), 3),
        "load_facts_per_second": round(facts / load),
        "seconds": dict(stages.seconds),
        "peak_mb": {name: round(value) for name, value in stages.peak_mb.items()},
        "bare_predict_seconds": predict,
        "scoring_seconds": scoring,
        "rows_per_second": round(len(rows.features) / scoring),
        "ratio_to_bare_predict": round(scoring / predict, 2),
        "machine": f"{os.cpu_count()} cores, Python {platform.python_version()}, "
        f"xgboost {xgboost.__version__}, load {os.getloadavg()[0]:.1f}",
    }


def grow(X: Float32, rounds: int = ROUNDS, depth: int = DEPTH) -> Artifact:
    """A booster of the size that training gives, on targets that follow the features."""
    rng = np.random.default_rng(2)
    sample = X[rng.integers(0, len(X), 10_000)]
    base = np.nan_to_num(sample[:, [FEATURES.index(n) for n in ("day_factor", "price", "open")]])
    y = base.sum(axis=1, keepdims=True) + rng.gamma(1.0, 2.0, (len(sample), OUTPUTS))
    params = {"base_score": 0.0, "max_depth": depth, "eta": 0.08, "max_bin": 64, "seed": 2}
    booster = xgboost.train(params, xgboost.QuantileDMatrix(sample, y, max_bin=64), rounds)
    manifest = {
        "features": [{"name": name, "dtype": "float32"} for name in FEATURES],
        "calibration": {"round": True, "p10": [-0.1] * 28, "p90": [0.1] * 28},
    }
    return Artifact("sales_forecast", "bench", bytes(booster.save_raw("ubj")), manifest)


def bare_seconds(artifact: Artifact, X: Float32) -> float:
    """XGBoost alone on the whole matrix, its booster loaded."""
    booster = xgboost.Booster(model_file=bytearray(artifact.booster))
    booster.inplace_predict(X[:100], predict_type="margin")
    started = time.perf_counter()
    booster.inplace_predict(X, predict_type="margin")
    return time.perf_counter() - started


def report(result: dict[str, Any]) -> str:
    """The table that stands in README.md."""
    return "\n".join(
        [
            f"{result['series']:,} series x 28 days = {result['rows']:,} rows x "
            f"{result['features']} features, {result['trees']} trees of depth {DEPTH}, "
            f"{result['facts']:,} facts ({result['machine']})",
            "",
            *table(result),
            "",
            f"Snapshot: {result['snapshot_seconds']:.2f} s. {result['rows_per_second']:,} rows a "
            f"second, written and published; shards in {result['processes']} process(es).",
        ]
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--stores", type=int, default=10)
    parser.add_argument("--items", type=int, default=500)
    parser.add_argument("--days", type=int, default=420)
    add_processes(parser)
    parser.add_argument("--json", action="store_true", help="one object instead of a table")
    options = parser.parse_args()
    processes = options.shards_in_processes
    result = measure(options.stores, options.items, options.days, processes=processes)
    print(json.dumps(result) if options.json else report(result))


if __name__ == "__main__":
    main()
