"""From a whole snapshot to an audited generation, one function a step.

Each takes the address that the step before returned, is one transaction, and leaves the same
rows when it runs twice. Nothing here knows which model it carries.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import cast

from daybreak.errors import AuditFailed
from daybreak.jobs.addresses import (
    GenerationAddress,
    ShardAddress,
    SnapshotAddress,
    day_of,
)
from daybreak.jobs.timed import job_step
from daybreak.ledger import generations
from daybreak.ledger.champions import champion_at
from daybreak.models import get_model
from daybreak.runtime import Runtime, get_runtime
from daybreak.scoring import audit as auditing
from daybreak.scoring import batch
from daybreak.scoring.engines.opening import open_engine
from daybreak.warehouse.engine import begin


def open_generation(
    snapshot: SnapshotAddress,
    runtime: Runtime | None = None,
    terms: Mapping[str, float] = generations.NO_TERMS,
) -> GenerationAddress:
    """Open the generation that the run fills, for the champion at the run's knowledge cutoff.

    ``terms``: numbers that a person set for it. Raises ``NoChampion``.
    """
    runtime = runtime or get_runtime()
    cutoff = datetime.fromisoformat(snapshot["cutoff"])
    with job_step(runtime, snapshot, "open_generation"), begin(runtime.engine) as conn:
        opened = generations.open_generation(
            conn,
            model=snapshot["model"],
            business_date=day_of(snapshot),
            run_key=snapshot["run_key"],
            run_type=snapshot["run_type"],
            cutoff=cutoff,
            version=champion_at(conn, snapshot["model"], cutoff),
            snapshot_id=snapshot["snapshot_id"],
            now=runtime.clock(),
            terms=terms,
        )
    return {**snapshot, "version": opened.version, "generation_id": opened.generation_id}


def plan_shards(
    generation: GenerationAddress, runtime: Runtime | None = None
) -> list[ShardAddress]:
    """Cut the snapshot into ranges, one for each mapped ``score_shard``."""
    runtime = runtime or get_runtime()
    shards = batch.plan_shards(generation["rows"], runtime.settings.entities_per_shard)
    return cast("list[ShardAddress]", shards)


def score_shard(
    generation: GenerationAddress, shard: ShardAddress, runtime: Runtime | None = None
) -> dict[str, int]:
    """Score one range under the generation, invisibly. Running it again replaces its rows."""
    runtime = runtime or get_runtime()
    model = get_model(generation["model"])
    with job_step(runtime, generation, "score_shard", shard["shard"]) as timed:
        artifact = runtime.registry.load(generation["model"], generation["version"])
        engine = open_engine(artifact, runtime.settings.threads)
        with begin(runtime.engine) as conn:
            target = generations.get_generation(conn, generation["generation_id"])
            timed.rows = batch.score_shard(conn, model, engine, target, **shard)
    return {"shard": shard["shard"], "rows": timed.rows}


def audit(generation: GenerationAddress, runtime: Runtime | None = None) -> GenerationAddress:
    """Check every rule that published scores keep; a generation that breaks one is rejected.

    Raises ``AuditFailed`` after the rejection is written down.
    """
    runtime = runtime or get_runtime()
    model = get_model(generation["model"])
    generation_id = generation["generation_id"]
    with job_step(runtime, generation, "audit") as timed:
        try:
            with begin(runtime.engine) as conn:
                target = generations.get_generation(conn, generation_id)
                timed.rows = auditing.audit_generation(conn, model, target)
                generations.mark_staged(conn, generation_id, timed.rows, runtime.clock())
                generations.mark_audited(conn, generation_id, runtime.clock())
        except AuditFailed as failure:
            with begin(runtime.engine) as conn:
                generations.reject(conn, generation_id, failure.message, runtime.clock())
            raise
    return generation
