"""The steps of the DAG after the snapshot, and their table."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from sqlalchemy import Engine

from benchmarks.facts import BUSINESS_DATE, CUTOFF
from benchmarks.shards import Workers, score
from benchmarks.stages import Stages
from daybreak.ledger.generations import mark_audited, mark_staged, open_generation, publish
from daybreak.models.base import Model
from daybreak.registry.artifact import Artifact
from daybreak.scoring.audit import audit_generation
from daybreak.scoring.batch import plan_shards
from daybreak.warehouse.engine import begin

SCORING = ("score shards", "audit", "publish")


def run(
    engine: Engine,
    stages: Stages,
    model: Model,
    artifact: Artifact,
    *,
    snapshot_id: int,
    entities: int,
    per_shard: int,
    workers: Workers,
) -> None:
    """Score all entities of a snapshot, audit and publish; ``stages`` gets ``SCORING``."""
    with begin(engine) as conn:
        generation = open_generation(
            conn,
            model=model.name,
            business_date=BUSINESS_DATE,
            run_key="bench",
            run_type="cli",
            cutoff=CUTOFF,
            version=artifact.version,
            snapshot_id=snapshot_id,
            now=CUTOFF + timedelta(hours=1),
        )
    shards = [(artifact, generation, shard) for shard in plan_shards(entities, per_shard)]
    rows = sum(workers.run(stages, "score shards", score, shards))
    with stages.stage("audit"), begin(engine) as conn:
        audit_generation(conn, model, generation)
        mark_staged(conn, generation.generation_id, rows, CUTOFF)
        mark_audited(conn, generation.generation_id, CUTOFF)
    with stages.stage("publish"), begin(engine) as conn:
        publish(conn, generation.generation_id, CUTOFF)


def table(result: Mapping[str, Any]) -> list[str]:
    """The stages beside bare predict, as lines of a table in Markdown."""
    bare = result["bare_predict_seconds"]
    return [
        "| stage | seconds | x bare predict | peak memory |",
        "|---|---:|---:|---:|",
        *(
            f"| {name} | {seconds:.2f} | {seconds / bare:.2f} | {result['peak_mb'][name]:,} MB |"
            for name, seconds in result["seconds"].items()
        ),
        f"| **scoring run** ({' + '.join(SCORING)}) | **{result['scoring_seconds']:.2f}** "
        f"| **{result['ratio_to_bare_predict']:.2f}** | |",
        f"| bare `inplace_predict` | {bare:.2f} | 1.00 | |",
    ]
