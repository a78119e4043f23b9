"""Make an audited generation visible, take it back, and say whether it was in time."""

from __future__ import annotations

from datetime import date, timedelta
from typing import Any

from daybreak.jobs import lineage
from daybreak.jobs.addresses import GenerationAddress, day_of
from daybreak.jobs.due import due_of
from daybreak.jobs.report import as_json
from daybreak.ledger import generations
from daybreak.models import get_nightly, interval_of, nightly_models
from daybreak.monitoring import sla
from daybreak.monitoring.steps import measured, timed_step
from daybreak.runtime import Runtime, get_runtime
from daybreak.warehouse.engine import begin

ABANDONED_AFTER = timedelta(days=2)
"""Longer than any run takes with its waits and retries."""


def publish(generation: GenerationAddress, runtime: Runtime | None = None) -> dict[str, Any]:
    """Point at the generation in one transaction. Readers see all of it or none.

    The endpoint follows ``settings.lead`` later.

    Returns the extra of the published asset's event.
    """
    runtime = runtime or get_runtime()
    with (
        timed_step(
            runtime.engine,
            runtime.metrics,
            runtime.clock,
            run_key=generation["run_key"],
            model=generation["model"],
            step="publish",
        ),
        begin(runtime.engine) as conn,
    ):
        now = runtime.clock()
        generations.publish(conn, generation["generation_id"], now, runtime.settings.lead)
        shown = generations.get_generation(conn, generation["generation_id"])
        night = get_nightly(shown.model)
        night.published(conn, shown, now)
        lineage.published(conn, night.score_table)
    return {
        "model": generation["model"],
        "business_date": generation["business_date"],
        "generation_id": generation["generation_id"],
        "version": generation["version"],
    }


def record_sla(generation: GenerationAddress, runtime: Runtime | None = None) -> dict[str, Any]:
    """Write and send whether the run landed in time and where its time went."""
    runtime = runtime or get_runtime()
    settings = runtime.settings
    model = generation["model"]
    day, interval = day_of(generation), interval_of(model, settings)
    with begin(runtime.engine) as conn:
        row = sla.record_landing(
            conn,
            run_key=generation["run_key"],
            generation_id=generation["generation_id"],
            due=due_of(conn, settings, model, day),
            now=runtime.clock(),
            expected=interval.includes(day),
        )
    sla.send_landing(runtime.metrics, row)
    runtime.metrics.gauge(f"{model}.sla.interval_days", interval.days)
    return as_json(row)


def rollback(
    model: str, business_date: date, runtime: Runtime | None = None, *, reason: str = ""
) -> dict[str, Any]:
    """Withdraw what is published of a day; what was published before it comes back.

    ``reason``: kept with the generation that is withdrawn. Raises ``NotPublished`` where there is
    nothing to withdraw.
    """
    runtime = runtime or get_runtime()
    night = get_nightly(model)
    with (
        measured(runtime.metrics, runtime.clock, f"{model}.rollback"),
        begin(runtime.engine) as conn,
    ):
        withdrawn = generations.published_generation(conn, model, business_date)
        lead = runtime.settings.lead
        now = runtime.clock()
        returned = generations.rollback(conn, model, business_date, now, lead, reason=reason)
        night.withdrawn(conn, withdrawn, returned, now)
    return {
        "model": model,
        "business_date": business_date.isoformat(),
        "withdrawn": withdrawn.generation_id,
        "published": returned.generation_id if returned else None,
    }


def sweep(runtime: Runtime | None = None) -> dict[str, int]:
    """Delete the invisible score rows that rejected and abandoned generations left behind."""
    runtime = runtime or get_runtime()
    tables = {model.name: model.night.score_table for model in nightly_models()}
    with begin(runtime.engine) as conn:
        rows = generations.sweep(conn, tables, runtime.clock(), ABANDONED_AFTER)
    runtime.metrics.incr("sweep.rows", rows)
    return {"rows": rows}
