"""A whole run without Airflow: the same steps in the same order, one after the other."""

from __future__ import annotations

import logging
import uuid
from datetime import date
from typing import Any

from daybreak.jobs import drift, publishing, scoring, snapshots
from daybreak.jobs.addresses import GenerationAddress, run_address
from daybreak.jobs.approving import expect_agreed
from daybreak.jobs.inputs import as_of
from daybreak.jobs.proving import prove_decisions
from daybreak.jobs.waiting import look_for_inputs
from daybreak.models import get_model, get_nightly
from daybreak.models.base import Progress, logged
from daybreak.models.offered import expect_carried
from daybreak.runtime import Runtime, get_runtime
from daybreak.warehouse.engine import connect

logger = logging.getLogger(__name__)


def score_day(
    model: str,
    business_date: date,
    knowledge: str = "as_was",
    progress: Progress = logged,
    runtime: Runtime | None = None,
) -> dict[str, Any]:
    """Score and publish one business date; returns its row of ``ops.sla``.

    Does not wait: raises ``InputsLate`` where the day is not closed, and ``NotCarried`` where the
    data set lacks what the model needs. Any other error leaves nothing visible.
    """
    runtime = runtime or get_runtime()
    get_nightly(model)
    expect_carried(model, runtime.settings.dataset)
    run = run_address(
        run_key=f"cli/{model}/{business_date}/{uuid.uuid4().hex[:8]}",
        run_type="cli",
        model=model,
        business_date=business_date,
        knowledge=knowledge,
        queued_at=runtime.clock(),
    )
    with connect(runtime.engine) as conn:
        as_of(
            conn,
            model,
            business_date,
            settings=runtime.settings,
            now=runtime.clock(),
            knowledge=run["knowledge"],
        )
    look_for_inputs(run, runtime=runtime)

    if get_model(model).decides:
        prove_decisions(run, progress, runtime)
    progress(f"Taking the features of {business_date}")
    snapshot = snapshots.build_snapshot(run, runtime, progress)
    generation = scoring.open_generation(snapshot, runtime)
    shards = scoring.plan_shards(generation, runtime)
    for shard in shards:
        progress(f"Scoring shard {shard['shard'] + 1} of {len(shards)} by {generation['version']}")
        scoring.score_shard(generation, shard, runtime)
    progress("Auditing")
    scoring.audit(generation, runtime)
    if get_nightly(model).schedule.asks:
        generation = expect_agreed(generation, runtime)
    progress("Publishing")
    publishing.publish(generation, runtime)
    landed = publishing.record_sla(generation, runtime)
    _measure_drift(generation, progress, runtime)
    return landed


def _measure_drift(generation: GenerationAddress, progress: Progress, runtime: Runtime) -> None:
    """The day is published, whatever comes of this."""
    progress("Measuring drift")
    try:
        found = drift.measure(generation, runtime)
    except Exception:
        logger.exception("drift of generation %s", generation["generation_id"])
        progress("Drift could not be measured; the log says why. The day is published.")
        return
    if found["raised"]:
        progress(f"Drift of {', '.join(found['raised'])}: see `daybreak drift {found['model']}`")
