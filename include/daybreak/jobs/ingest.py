"""Load new source files into the warehouse and close the days that are complete."""

from __future__ import annotations

from datetime import date
from typing import Any

from daybreak.jobs import lineage
from daybreak.models.base import Progress, logged
from daybreak.monitoring.steps import measured
from daybreak.runtime import Runtime, get_runtime
from daybreak.sources.contract.spec import DatasetSpec, load_spec
from daybreak.sources.load import load_dataset


def load_new_files(
    progress: Progress = logged, through: date | None = None, runtime: Runtime | None = None
) -> dict[str, Any]:
    """Load every file of the data set that was not loaded before, wholly or not at all each.

    ``through`` leaves out later business dates. Returns how many files, rows and days that were;
    the business date in it is the newest closed day.
    """
    runtime = runtime or get_runtime()
    with measured(runtime.metrics, runtime.clock, "ingest.load_new_files"):
        report = load_dataset(
            runtime.engine,
            dataset(runtime),
            now=runtime.clock(),
            progress=progress,
            through=through,
            s3_endpoint_url=runtime.settings.s3_endpoint_url,
        )
    fresh = [file for file in report.files if not file.already_loaded]
    lineage.loaded(runtime.engine, (file.uri for file in fresh))
    runtime.metrics.incr("ingest.rows", report.loaded)
    runtime.metrics.incr("ingest.quarantined", report.quarantined)
    runtime.metrics.incr("ingest.days_closed", report.days_closed)
    return {
        "dataset": report.dataset,
        "files": len(fresh),
        "rows": report.loaded,
        "quarantined": report.quarantined,
        "days_closed": report.days_closed,
        "business_date": report.last_closed.isoformat() if report.last_closed else None,
    }


def dataset(runtime: Runtime) -> DatasetSpec:
    """The data set of this warehouse, its main file as the settings say."""
    spec = load_spec(runtime.settings.dataset)
    path = runtime.settings.dataset_path
    return spec.at(path) if path else spec
