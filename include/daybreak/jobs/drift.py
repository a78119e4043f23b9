"""How far a published night is from earlier ones and from the training of its version."""

from __future__ import annotations

from datetime import date
from typing import Any

from sqlalchemy import Connection, text

from daybreak.errors import NotFound
from daybreak.histogram import KEY, Histogram, Name
from daybreak.jobs.addresses import GenerationAddress, stored_as_of
from daybreak.jobs.report import as_json
from daybreak.jobs.timed import job_step
from daybreak.ledger.generations import get_generation
from daybreak.ledger.states import Generation, State
from daybreak.models import get_model, get_nightly
from daybreak.models.base import AnyModel, Trained
from daybreak.monitoring.drift import asked_counts, store
from daybreak.monitoring.drift.alarms import Change, changes_of
from daybreak.monitoring.drift.asked import figures_of_asked
from daybreak.monitoring.drift.figures import Figure, Night, Value, figures_of
from daybreak.monitoring.drift.limits import State as Drift
from daybreak.monitoring.drift.reference import MANIFEST, from_manifest, to_manifest
from daybreak.monitoring.metrics import Metrics
from daybreak.registry.artifact import Artifact
from daybreak.runtime import Runtime, get_runtime
from daybreak.scoring import histograms
from daybreak.scoring.engines.opening import open_engine
from daybreak.warehouse.engine import begin, connect

MOST_NAMED = 10
"""Names of alarms that travel between tasks."""

_FIGURES = text(
    """
    SELECT * FROM report.drift
    WHERE model = :model AND business_date = :day
    ORDER BY coalesce(distance / nullif(raise_at, 0), 0) DESC, kind, name
    """
)


def measure(generation: GenerationAddress, runtime: Runtime | None = None) -> dict[str, Any]:
    """Measure a published night, and raise and clear alarms; returns the names that were raised.

    Measured again it has the same figures, and no alarm twice. Nothing is measured of a generation
    that is not published any more.
    """
    runtime = runtime or get_runtime()
    model = get_model(generation["model"])
    with job_step(runtime, generation, "measure_drift") as timed:
        with connect(runtime.engine) as conn:
            target = get_generation(conn, generation["generation_id"])
            if target.state is not State.PUBLISHED:
                return _said(generation, [], [])
            manifest = store.manifest_of(conn, model.name, target.version)
            found = histograms.of_generation(conn, model, target)
            found.histograms.update(_rows(conn, model, target, manifest, runtime))
            values = _values(conn, model, generation, manifest)
            beside = store.is_beside_holiday(conn, target.business_date)
            night = Night(found.entities, found.histograms, values, beside)
        with begin(runtime.engine) as conn:
            store.take_turn(conn, model.name)
            store.write_histograms(conn, target, night.histograms, runtime.settings.keep_snapshots)
            past = store.read_past(conn, model.name, target.business_date)
            earlier = store.earlier_nights(conn, model.name, target.business_date)
            holidays = store.holiday_nights(conn, model.name, target.business_date)
            figures = figures_of(night, earlier, from_manifest(manifest), past, holidays)
            figures += figures_of_asked(asked_counts.read(conn, target), past)
            now = runtime.clock()
            store.write_figures(conn, target, figures, now)
            changes: list[Change] = []
            if store.is_newest(conn, target):
                changes = store.write_alarms(conn, target, changes_of(figures, past), now)
        timed.rows = len(figures)
    _send(runtime.metrics, model.name, figures, changes)
    return _said(generation, figures, changes)


def with_reference(runtime: Runtime, model: str, trained: Trained) -> dict[str, Any]:
    """The manifest with what the version was trained on, where it says (`Trained.nights`)."""
    if not trained.nights or get_model(model).nightly is None:
        return trained.manifest
    artifact = Artifact(model, "", trained.booster or b"", trained.manifest, trained.files)
    engine = open_engine(artifact, runtime.settings.threads)
    found = histograms.of_nights(get_model(model), engine, trained.nights)
    # Which entities there are is left out: those of a sample are others.
    kept = {name: one for name, one in found.items() if name.kind != KEY}
    return trained.manifest | {MANIFEST: to_manifest(kept)}


def show(
    model: str, business_date: date | None = None, runtime: Runtime | None = None
) -> dict[str, Any]:
    """The figures of a night, those nearest to their limit first, and the alarms that are raised.

    ``business_date``: None: the newest that is measured. Raises ``NotFound`` for a model that is
    not scored nightly, and for a night that is not measured.
    """
    runtime = runtime or get_runtime()
    get_nightly(model)
    with connect(runtime.engine) as conn:
        newest = text("SELECT max(business_date) FROM report.drift WHERE model = :model")
        day = business_date or conn.scalar(newest, {"model": model})
        rows = conn.execute(_FIGURES, {"model": model, "day": day}).mappings().all() if day else []
        if not rows:
            said = f"of {business_date}" if business_date else "of any day"
            raise NotFound(
                f"No published night {said} of {model} is measured.",
                remedy=f"`daybreak score {model} --business-date DATE` scores and measures one.",
                model=model,
            )
    figures = [as_json(dict(row)) for row in rows]
    return {
        "model": model,
        "business_date": figures[0]["business_date"],
        "version": figures[0]["version"],
        "alarms": [f"{one['kind']} {one['name']}" for one in figures if one["state"] == "alarm"],
        "figures": figures,
    }


def _values(
    conn: Connection, model: AnyModel, generation: GenerationAddress, manifest: dict[str, Any]
) -> dict[Name, Value]:
    promised = model.night.promised(manifest)
    return {
        Name("quality", name): Value(one.value, one.rows, one.least, promised.get(name))
        for name, one in model.night.quality(conn, stored_as_of(generation)).items()
    }


def _rows(
    conn: Connection,
    model: AnyModel,
    generation: Generation,
    manifest: dict[str, Any],
    runtime: Runtime,
) -> dict[Name, Histogram]:
    """What requests about this night will be compared with; nothing where none can be. Of a model
    that decides every answer is made again by the night, which says more."""
    if model.decides or not asked_counts.rows_of_manifest(manifest):
        return {}
    artifact = runtime.registry.load(model.name, generation.version)
    return histograms.of_rows(conn, model, generation, artifact)


def _send(metrics: Metrics, model: str, figures: list[Figure], changes: list[Change]) -> None:
    """By kind how near the nearest is to its limit, and how many are in alarm."""
    nearest: dict[str, float] = {}
    for figure in figures:
        nearest[figure.kind] = max(nearest.get(figure.kind, 0.0), figure.ratio)
    for kind, ratio in nearest.items():
        metrics.gauge(f"{model}.drift.{kind}", ratio)
    in_alarm = sum(figure.state is Drift.ALARM for figure in figures)
    metrics.gauge(f"{model}.drift.alarms", in_alarm)
    raised = sum(change.event == "raised" for change in changes)
    metrics.incr(f"{model}.drift.raised", raised)


def _said(
    generation: GenerationAddress, figures: list[Figure], changes: list[Change]
) -> dict[str, Any]:
    raised = [f"{one.name.kind} {one.name.name}" for one in changes if one.event == "raised"]
    return {
        "model": generation["model"],
        "business_date": generation["business_date"],
        "figures": len(figures),
        "alarms": sum(figure.state is Drift.ALARM for figure in figures),
        "raised": raised[:MOST_NAMED],
    }
