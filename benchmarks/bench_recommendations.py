"""A nightly run of the recommendations: lists of 20 from 200 candidates for every user.

usage: python -m benchmarks.bench_recommendations [--users 100000] [--json]
"""

from __future__ import annotations

import argparse
import json
import os
import platform
from typing import Any

import xgboost
from sqlalchemy import Engine, select

from benchmarks.facts import AS_OF, BUSINESS_DATE, temporary_warehouse
from benchmarks.interactions import fill_interactions
from benchmarks.night import SCORING, run, table
from benchmarks.shards import add_processes, take_snapshot, workers
from benchmarks.stages import Stages
from daybreak.facts.events import Events
from daybreak.facts.interactions import stream_events
from daybreak.models import get_model
from daybreak.models.recommendations.learn.train import LEAST_WEEKS, Options, Ranker, train_events
from daybreak.registry.artifact import Artifact
from daybreak.scoring.batch import rows_of_a_night
from daybreak.scoring.engines.predictor import Predictor
from daybreak.scoring.snapshots import read_day, read_snapshot
from daybreak.warehouse.engine import connect
from daybreak.warehouse.tables import interaction

MODEL = get_model("recommendations")
TRAINED_ON = 5_000
"""Users that the version is learned from: enough for lists of the usual length."""

LOOKED_AT = 500
ROUNDS = 100
USERS_PER_SHARD = 5_000


def measure(users: int, rounds: int = ROUNDS, processes: int = 0) -> dict[str, Any]:
    """Run everything once in a temporary warehouse and return what it took."""
    stages = Stages()
    with temporary_warehouse() as engine:
        events = fill_interactions(engine, users)
        artifact = learn(engine, rounds)
        with workers(engine, processes) as several:
            snapshot_id = take_snapshot(engine, stages, MODEL, several)
        looked_at = min(LOOKED_AT, users)
        candidates, bare = look_at_some(engine, artifact, snapshot_id, looked_at)
        with workers(engine, processes) as several:
            run(
                engine,
                stages,
                MODEL,
                artifact,
                snapshot_id=snapshot_id,
                entities=users + 1,
                per_shard=USERS_PER_SHARD,
                workers=several,
            )
    scoring = sum(stages.seconds[name] for name in SCORING)
    predict = bare * (users + 1) / looked_at
    return {
        "users": users,
        "events": events,
        "processes": processes or 1,
        "candidates_per_user": round(candidates / looked_at, 1),
        "features": len(artifact.manifest["features"]),
        "trees": xgboost.Booster(model_file=bytearray(artifact.booster)).num_boosted_rounds(),
        "seconds": dict(stages.seconds),
        "peak_mb": {name: round(value) for name, value in stages.peak_mb.items()},
        "bare_predict_seconds": predict,
        "scoring_seconds": scoring,
        "users_per_second": round(users / scoring),
        "ratio_to_bare_predict": round(scoring / predict, 2),
        "machine": f"{os.cpu_count()} cores, Python {platform.python_version()}, "
        f"xgboost {xgboost.__version__}, load {os.getloadavg()[0]:.1f}",
    }


def learn(engine: Engine, rounds: int) -> Artifact:
    """A version of the usual size, from the first users."""
    with connect(engine) as conn:
        ids = sorted(conn.scalars(select(interaction.c.item_id).distinct()))
        stream = stream_events(conn, AS_OF, days=365, item_ids=ids, users_per_batch=TRAINED_ON)
        events: Events = next(stream)
    options = Options(
        weeks=LEAST_WEEKS, enough=0, ranker=Ranker(rounds=rounds, least_rounds=rounds)
    )
    trained = train_events(events, BUSINESS_DATE, options=options)
    return Artifact("recommendations", "bench", trained.trees, trained.manifest, trained.files)


def look_at_some(
    engine: Engine, artifact: Artifact, snapshot_id: int, number: int
) -> tuple[int, float]:
    """Candidates of ``number`` users, and the seconds of XGBoost alone on them."""
    stages = Stages()
    with connect(engine) as conn:
        day = read_day(conn, MODEL, snapshot_id)
        users = read_snapshot(conn, MODEL, snapshot_id, 1, 1 + number)
    rows = rows_of_a_night(MODEL.night, MODEL.scorer(artifact, day), day, users)
    predictor = Predictor(artifact)
    predictor.batch(rows.features)
    for _ in range(5):
        with stages.stage("bare"):
            predictor.batch(rows.features)
    return len(rows.features), stages.seconds["bare"] / 5


def report(result: dict[str, Any]) -> str:
    """The table that stands in README.md."""
    return "\n".join(
        [
            f"{result['users']:,} users x {result['candidates_per_user']} candidates x "
            f"{result['features']} features, {result['trees']} trees of depth 6, "
            f"{result['events']:,} purchases ({result['machine']})",
            "",
            *table(result),
            "",
            f"{result['users_per_second']:,} users a second, written and published; shards in "
            f"{result['processes']} process(es).",
        ]
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--users", type=int, default=100_000)
    add_processes(parser)
    parser.add_argument("--json", action="store_true", help="one object instead of a table")
    options = parser.parse_args()
    result = measure(options.users, processes=options.shards_in_processes)
    print(json.dumps(result) if options.json else report(result))


if __name__ == "__main__":
    main()
