"""A nightly run of the recommendations: lists of 20 from 200 candidates for every user.

usage: python -m benchmarks.bench_recommendations [--users 100000] [--json]
"""

from __future__ import annotations

import argparse
import json
import os
import platform
from dataclasses import replace
from datetime import timedelta
from typing import Any

import xgboost
from sqlalchemy import Connection, Engine, select

from benchmarks.facts import AS_OF, BUSINESS_DATE, CUTOFF, temporary_warehouse
from benchmarks.interactions import fill_interactions
from benchmarks.stages import Stages
from daybreak.models import get_model
from daybreak.models.recommendations.train import Options, Ranker, train_events
from daybreak.registry.registry import Artifact
from daybreak.scoring.audit import audit_generation
from daybreak.scoring.batch import plan_shards, score_shard
from daybreak.scoring.predictor import Predictor
from daybreak.scoring.snapshots import read_context, read_snapshot, write_snapshot
from daybreak.warehouse.engine import begin, connect
from daybreak.warehouse.events import Events
from daybreak.warehouse.generations import (
    Generation,
    mark_audited,
    mark_staged,
    open_generation,
    publish,
)
from daybreak.warehouse.interactions import stream_events
from daybreak.warehouse.tables import interaction

MODEL = get_model("recommendations")
TRAINED_ON = 5_000
"""Users that the version is learned from: enough for lists of the usual length."""

LOOKED_AT = 500
USERS_PER_SHARD = 5_000
SCORING = ("score shards", "audit", "publish")


def measure(users: int) -> dict[str, Any]:
    """Run everything once in a temporary warehouse and return what it took."""
    stages = Stages()
    with temporary_warehouse() as engine:
        events = fill_interactions(engine, users)
        artifact = learn(engine)
        with stages.stage("snapshot"), begin(engine) as conn:
            snapshot_id = write_snapshot(conn, MODEL, AS_OF, CUTOFF)
        chunk, bare = look_at_some(engine, artifact, snapshot_id)
        run(engine, stages, artifact, snapshot_id, users + 1)
    scoring = sum(stages.seconds[name] for name in SCORING)
    candidates = chunk * (users + 1) / LOOKED_AT
    predict = bare * candidates / chunk
    return {
        "users": users,
        "events": events,
        "candidates_per_user": round(chunk / LOOKED_AT, 1),
        "features": len(MODEL.features()),
        "trees": xgboost.Booster(model_file=bytearray(artifact.booster)).num_boosted_rounds(),
        "seconds": {name: round(value, 2) for name, value in stages.seconds.items()},
        "peak_mb": {name: round(value) for name, value in stages.peak_mb.items()},
        "bare_predict_seconds": round(predict, 2),
        "scoring_seconds": round(scoring, 2),
        "users_per_second": round(users / scoring),
        "ratio_to_bare_predict": round(scoring / predict, 2),
        "machine": f"{os.cpu_count()} cores, Python {platform.python_version()}, "
        f"xgboost {xgboost.__version__}, load {os.getloadavg()[0]:.1f}",
    }


def learn(engine: Engine) -> Artifact:
    """A version of the usual size, from the first users."""
    with connect(engine) as conn:
        ids = sorted(conn.scalars(select(interaction.c.item_id).distinct()))
        stream = stream_events(conn, AS_OF, days=365, item_ids=ids, users_per_batch=TRAINED_ON)
        events: Events = next(stream)
    ranker = Ranker(rounds=100, least_rounds=100)
    trained = train_events(events, BUSINESS_DATE, options=replace(Options(weeks=2), ranker=ranker))
    return Artifact("recommendations", "bench", trained.booster, trained.manifest, trained.files)


def look_at_some(engine: Engine, artifact: Artifact, snapshot_id: int) -> tuple[int, float]:
    """Candidates of ``LOOKED_AT`` users, and the seconds of XGBoost alone on them."""
    stages = Stages()
    with connect(engine) as conn:
        context = read_context(conn, snapshot_id)
        users = read_snapshot(conn, MODEL, snapshot_id, 1, 1 + LOOKED_AT)
    rows = MODEL.scorer(artifact, context, BUSINESS_DATE).batch_rows(users)
    predictor = Predictor(artifact)
    predictor.batch(rows.features)
    for _ in range(5):
        with stages.stage("bare"):
            predictor.batch(rows.features)
    return len(rows), stages.seconds["bare"] / 5


def run(
    engine: Engine, stages: Stages, artifact: Artifact, snapshot_id: int, entities: int
) -> None:
    """What the DAG does after the snapshot, shard after shard in one process."""
    with begin(engine) as conn:
        generation = _open(conn, artifact, snapshot_id)
    rows = 0
    with stages.stage("score shards"):
        for shard in plan_shards(entities, USERS_PER_SHARD):
            predictor = Predictor(artifact)  # each task loads its own
            with begin(engine) as conn:
                rows += score_shard(conn, MODEL, predictor, generation, **shard)
    with stages.stage("audit"), begin(engine) as conn:
        audit_generation(conn, MODEL, generation)
        mark_staged(conn, generation.generation_id, rows, CUTOFF)
        mark_audited(conn, generation.generation_id, CUTOFF)
    with stages.stage("publish"), begin(engine) as conn:
        publish(conn, generation.generation_id, CUTOFF)


def report(result: dict[str, Any]) -> str:
    """The table that stands in README.md."""
    bare = result["bare_predict_seconds"]
    lines = [
        f"{result['users']:,} users x {result['candidates_per_user']} candidates x "
        f"{result['features']} features, {result['trees']} trees of depth 6, "
        f"{result['events']:,} purchases ({result['machine']})",
        "",
        "| stage | seconds | x bare predict | peak memory |",
        "|---|---:|---:|---:|",
    ]
    for name, seconds in result["seconds"].items():
        memory = result["peak_mb"][name]
        lines.append(f"| {name} | {seconds:.1f} | {seconds / bare:.2f} | {memory:,} MB |")
    lines += [
        f"| **scoring run** ({' + '.join(SCORING)}) | **{result['scoring_seconds']:.1f}** "
        f"| **{result['ratio_to_bare_predict']:.2f}** | |",
        f"| bare `inplace_predict` | {bare:.1f} | 1.00 | |",
        "",
        f"{result['users_per_second']:,} users a second, written and published.",
    ]
    return "\n".join(lines)


def _open(conn: Connection, artifact: Artifact, snapshot_id: int) -> Generation:
    return open_generation(
        conn,
        model=MODEL.name,
        business_date=BUSINESS_DATE,
        run_key="bench",
        run_type="cli",
        cutoff=CUTOFF,
        version=artifact.version,
        snapshot_id=snapshot_id,
        now=CUTOFF + timedelta(hours=1),
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--users", type=int, default=100_000)
    parser.add_argument("--json", action="store_true", help="one object instead of a table")
    options = parser.parse_args()
    result = measure(options.users)
    print(json.dumps(result) if options.json else report(result))


if __name__ == "__main__":
    main()
