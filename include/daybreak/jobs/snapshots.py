"""From a closed business day to its snapshot, one function a step.

Each takes addresses, is one transaction, and leaves the same rows when it runs twice. Runs of the
same day share a snapshot: whatever of it is there is not made again.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from functools import partial
from typing import cast

from sqlalchemy import Connection

from daybreak.errors import NoChampion, NoData
from daybreak.jobs.addresses import PlannedAddress, RunAddress, SnapshotAddress, day_of
from daybreak.jobs.inputs import as_of
from daybreak.jobs.options import model_options
from daybreak.jobs.timed import job_step
from daybreak.ledger.champions import champion_at
from daybreak.models import get_model
from daybreak.models.base import NO_OPTIONS, Options
from daybreak.runtime import Runtime, get_runtime
from daybreak.scoring import snapshot_plan, snapshot_shards
from daybreak.types import Progress
from daybreak.warehouse.engine import begin

READ_AT_ONCE = 2


def plan_snapshot(run: RunAddress, runtime: Runtime | None = None) -> PlannedAddress:
    """Begin the snapshot of the run's business day as its knowledge cutoff sees it, cut in shards.

    Raises ``InputsLate`` where the day is not closed, ``NoData`` where it has nothing to score.
    """
    runtime = runtime or get_runtime()
    model = get_model(run["model"])
    with job_step(runtime, run, "plan_snapshot") as timed, begin(runtime.engine) as conn:
        now = runtime.clock()
        known = as_of(
            conn,
            model.name,
            day_of(run),
            settings=runtime.settings,
            now=now,
            knowledge=run["knowledge"],
        )
        planned = snapshot_plan.plan(
            conn,
            model,
            known,
            now,
            model_options(runtime, model.name),
            trained=_trained_options(conn, runtime, model.name, known.cutoff),
            per_shard=runtime.settings.entities_per_shard,
        )
        timed.rows = len(planned.shards)
    return {
        **run,
        "cutoff": known.cutoff.isoformat(),
        "snapshot_id": planned.snapshot_id,
        "shards": len(planned.shards),
        "to_read": len(planned.to_read),
    }


def shards_to_read(snapshot: PlannedAddress, runtime: Runtime | None = None) -> list[int]:
    """Numbers of the shards whose facts are read by themselves; none where that is done."""
    return list(range(snapshot["to_read"]))


def read_shard(snapshot: PlannedAddress, shard: int, runtime: Runtime | None = None) -> None:
    """Read the facts of one range, and keep what follows from them."""
    runtime = runtime or get_runtime()
    model, number = get_model(snapshot["model"]), snapshot["snapshot_id"]
    with job_step(runtime, snapshot, "read_shard", shard), begin(runtime.engine) as conn:
        snapshot_shards.read(conn, model, number, shard)


def share_snapshot(snapshot: PlannedAddress, runtime: Runtime | None = None) -> list[int]:
    """Make what all entities have in common; returns the numbers of the shards to build."""
    runtime = runtime or get_runtime()
    model, number = get_model(snapshot["model"]), snapshot["snapshot_id"]
    with job_step(runtime, snapshot, "share_snapshot"), begin(runtime.engine) as conn:
        if snapshot["shards"]:
            snapshot_shards.share(conn, model, number)
    return list(range(snapshot["shards"]))


def build_shard(snapshot: PlannedAddress, shard: int, runtime: Runtime | None = None) -> None:
    """Write the feature rows of one range. Running it again replaces them."""
    runtime = runtime or get_runtime()
    model, number = get_model(snapshot["model"]), snapshot["snapshot_id"]
    with job_step(runtime, snapshot, "build_shard", shard) as timed, begin(runtime.engine) as conn:
        timed.rows = snapshot_shards.build(conn, model, number, shard)


def finish_snapshot(snapshot: PlannedAddress, runtime: Runtime | None = None) -> SnapshotAddress:
    """See that all rows are there, and say so.

    Raises ``NoData`` where there is nothing to score.
    """
    runtime = runtime or get_runtime()
    model, number = get_model(snapshot["model"]), snapshot["snapshot_id"]
    with job_step(runtime, snapshot, "finish_snapshot") as timed, begin(runtime.engine) as conn:
        timed.rows = snapshot_shards.finish(conn, model, number, runtime.clock())
        if timed.rows == 0:
            raise NoData(
                f"{snapshot['model']} has nothing to score on {snapshot['business_date']}.",
                remedy="`daybreak data check` shows which days the data set has facts for.",
                business_date=snapshot["business_date"],
            )
    cut = ("shards", "to_read")
    address = {name: value for name, value in snapshot.items() if name not in cut}
    return cast("SnapshotAddress", {**address, "rows": timed.rows})


def build_snapshot(
    run: RunAddress, runtime: Runtime | None = None, progress: Progress | None = None
) -> SnapshotAddress:
    """All steps, one after the other; facts of ``READ_AT_ONCE`` shards are read at a time."""
    runtime = runtime or get_runtime()
    tell = progress or (lambda _line: None)
    planned = plan_snapshot(run, runtime)
    for shard in _side_by_side(partial(read_shard, planned, runtime=runtime), planned["to_read"]):
        tell(f"Reading the facts of shard {shard + 1} of {planned['to_read']}")
    for shard in share_snapshot(planned, runtime):
        tell(f"Taking the features of shard {shard + 1} of {planned['shards']}")
        build_shard(planned, shard, runtime)
    return finish_snapshot(planned, runtime)


def _side_by_side(work: Callable[[int], None], shards: int) -> Iterator[int]:
    """Each of the shards, whose work is done when the next one is asked for.

    Reading is mostly the server's work, and it gives each connection a process.
    """
    with ThreadPoolExecutor(READ_AT_ONCE) as threads:
        waiting = [threads.submit(work, shard) for shard in range(shards)]
        try:
            for shard, done in enumerate(waiting):
                yield shard
                done.result()
        finally:
            threads.shutdown(cancel_futures=True)


def _trained_options(conn: Connection, runtime: Runtime, model: str, cutoff: datetime) -> Options:
    """What the version that will score the day was trained with; nothing where there is none."""
    try:
        version = champion_at(conn, model, cutoff)
    except NoChampion:
        return NO_OPTIONS  # opening the generation says so
    options: Options = runtime.registry.load(model, version).manifest.get("options", {})
    return options
