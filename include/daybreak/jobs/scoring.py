"""From a closed business day to an audited generation, one function a step.

Each takes the address that the step before returned, is one transaction, and leaves the same
rows when it runs twice. Nothing here knows which model it carries.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from typing import cast

from sqlalchemy import Connection, select

from daybreak.clock import AsOf
from daybreak.errors import AuditFailed, NoChampion, NoData
from daybreak.jobs.addresses import (
    GenerationAddress,
    RunAddress,
    ShardAddress,
    SnapshotAddress,
    day_of,
)
from daybreak.jobs.inputs import knowledge_cutoff
from daybreak.jobs.options import model_options
from daybreak.ledger import generations
from daybreak.ledger.champions import champion_at
from daybreak.models import get_model
from daybreak.models.base import Options
from daybreak.monitoring.steps import WHOLE, Timed, timed_step
from daybreak.runtime import Runtime, get_runtime
from daybreak.scoring import audit as auditing
from daybreak.scoring import batch
from daybreak.scoring.engines.opening import open_engine
from daybreak.scoring.snapshots import write_snapshot
from daybreak.warehouse.engine import begin
from daybreak.warehouse.tables import snapshot as snapshots


def build_snapshot(run: RunAddress, runtime: Runtime | None = None) -> SnapshotAddress:
    """Write the feature rows of the run's business day as its knowledge cutoff sees it.

    Raises ``InputsLate`` where the day is not closed, ``NoData`` where it has nothing to score.
    """
    runtime = runtime or get_runtime()
    model = get_model(run["model"])
    with _step(runtime, run, "build_snapshot") as told, begin(runtime.engine) as conn:
        now = runtime.clock()
        cutoff = knowledge_cutoff(conn, run, runtime.settings, now)
        options = model_options(runtime, model.name)
        trained = _trained_options(conn, runtime, model.name, cutoff)
        as_of = AsOf(day_of(run), cutoff)
        snapshot_id = write_snapshot(conn, model, as_of, now, options, trained=trained)
        told.rows = _rows_of(conn, snapshot_id)
        if told.rows == 0:
            raise NoData(
                f"{run['model']} has nothing to score on {run['business_date']}.",
                remedy="`daybreak data check` shows which days the data set has facts for.",
                business_date=run["business_date"],
            )
    return {
        **run,
        "cutoff": cutoff.isoformat(),
        "snapshot_id": snapshot_id,
        "rows": told.rows,
    }


def _trained_options(conn: Connection, runtime: Runtime, model: str, cutoff: datetime) -> Options:
    """What the version that will score the day was trained with; nothing where there is none."""
    try:
        version = champion_at(conn, model, cutoff)
    except NoChampion:
        return {}  # opening the generation says so
    options: Options = runtime.registry.load(model, version).manifest.get("options", {})
    return options


def open_generation(snapshot: SnapshotAddress, runtime: Runtime | None = None) -> GenerationAddress:
    """Open the generation that the run fills, for the champion at the run's knowledge cutoff.

    Raises ``NoChampion``.
    """
    runtime = runtime or get_runtime()
    cutoff = datetime.fromisoformat(snapshot["cutoff"])
    with _step(runtime, snapshot, "open_generation"), begin(runtime.engine) as conn:
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
    with _step(runtime, generation, "score_shard", shard["shard"]) as told:
        artifact = runtime.registry.load(generation["model"], generation["version"])
        engine = open_engine(artifact, runtime.settings.threads)
        with begin(runtime.engine) as conn:
            target = generations.get_generation(conn, generation["generation_id"])
            told.rows = batch.score_shard(conn, model, engine, target, **shard)
    return {"shard": shard["shard"], "rows": told.rows}


def audit(generation: GenerationAddress, runtime: Runtime | None = None) -> GenerationAddress:
    """Check every rule that published scores keep; a generation that breaks one is rejected.

    Raises ``AuditFailed`` after the rejection is written down.
    """
    runtime = runtime or get_runtime()
    model = get_model(generation["model"])
    generation_id = generation["generation_id"]
    with _step(runtime, generation, "audit") as told:
        try:
            with begin(runtime.engine) as conn:
                target = generations.get_generation(conn, generation_id)
                told.rows = auditing.audit_generation(conn, model, target)
                generations.mark_staged(conn, generation_id, told.rows, runtime.clock())
                generations.mark_audited(conn, generation_id, runtime.clock())
        except AuditFailed as failure:
            with begin(runtime.engine) as conn:
                generations.reject(conn, generation_id, failure.message, runtime.clock())
            raise
    return generation


def _rows_of(conn: Connection, snapshot_id: int) -> int:
    rows = conn.scalar(select(snapshots.c.rows).where(snapshots.c.snapshot_id == snapshot_id))
    return int(rows or 0)


@contextmanager
def _step(runtime: Runtime, run: RunAddress, step: str, shard: int = WHOLE) -> Iterator[Timed]:
    with timed_step(
        runtime.engine,
        runtime.metrics,
        runtime.clock,
        run_key=run["run_key"],
        model=run["model"],
        step=step,
        shard=shard,
    ) as told:
        yield told
