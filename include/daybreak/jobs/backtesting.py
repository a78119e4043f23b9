"""Past days scored as one would have then, beside the baselines."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from typing import Any

from sqlalchemy import Connection, select

from daybreak.clock import AsOf
from daybreak.errors import NoData
from daybreak.facts.days import newest_closed_day
from daybreak.jobs.inputs import as_of
from daybreak.models import get_learning
from daybreak.models.base import Progress, logged
from daybreak.monitoring.steps import measured
from daybreak.runtime import Runtime, get_runtime
from daybreak.settings import DATASET_SUFFIXES
from daybreak.sources.contract.spec import load_spec
from daybreak.warehouse.engine import connect
from daybreak.warehouse.tables import load


def backtest(
    model: str,
    options: Mapping[str, float],
    progress: Progress = logged,
    runtime: Runtime | None = None,
) -> dict[str, Any]:
    """The model's own backtest up to the newest closed day; what it measured, as JSON.

    Every past day is read as of the cutoff that its own run had. Raises ``NoData`` where the
    warehouse does not hold the data set or too little of it, and ``InvalidRequest`` for an option
    that the model does not have.
    """
    runtime = runtime or get_runtime()
    tested, dataset = get_learning(model), _name_of(runtime.settings.dataset)
    with (
        measured(runtime.metrics, runtime.clock, f"{model}.backtest"),
        connect(runtime.engine) as conn,
    ):
        last = _last_day(conn, dataset)

        def known(day: date) -> AsOf:
            return as_of(conn, model, day, settings=runtime.settings, now=runtime.clock())

        return {"dataset": dataset, **tested.backtest(conn, last, known, options, progress)}


def _name_of(dataset: str) -> str:
    """The name that loads are recorded by, of a data set that may be given by its file."""
    return load_spec(dataset).name if dataset.endswith(DATASET_SUFFIXES) else dataset


def _last_day(conn: Connection, dataset: str) -> date:
    held = conn.scalar(select(load.c.dataset).where(load.c.dataset == dataset).limit(1))
    last = newest_closed_day(conn) if held else None
    if last is None:
        raise NoData(
            f"The warehouse holds no closed day of the data set {dataset}.",
            remedy=f"Run `DAYBREAK_DATASET={dataset} daybreak data load {dataset}`.",
            dataset=dataset,
        )
    return last
