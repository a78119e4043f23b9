"""Daybreak's own forecast at an origin: trained, judged by the default gate, in force."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from sqlalchemy import Connection

from benchmarks.quality.known import OUTPUTS, Forecast
from benchmarks.quality.origins import MODEL, Origin
from benchmarks.stages import Stages
from daybreak.errors import NoData
from daybreak.models import get_learning
from daybreak.models.base import Trained
from daybreak.models.sales_forecast.learn.backtest import Fold, forecast_table
from daybreak.models.sales_forecast.learn.train import SEED, train_panel
from daybreak.models.sales_forecast.learn.untrained import of_panel
from daybreak.registry.artifact import Artifact

IN_FORCE, TREES, BASELINE = "daybreak", "daybreak_trees", "daybreak_baseline"
"""What a first-time user gets: the trees where the default gate lets them through, else the best
baseline; and either of them whatever the gate says."""


@dataclass(frozen=True)
class Ours:
    """``forecasts``: by the names above, without trees where they cannot be grown.

    ``about``: seconds, memory and the verdict.
    """

    forecasts: dict[str, Forecast]
    about: dict[str, Any]


def ours(conn: Connection, origin: Origin, seed: int = SEED) -> Ours:
    """Train on the panel of the origin and ask the gate, as a first training would."""
    stages = Stages()
    learning = get_learning(MODEL)
    artifact, passed, made = None, False, {}
    try:
        with stages.stage("train"):
            trained = train_panel(origin.fold.panel, seed=seed)
    except NoData as error:
        reason = error.message
    else:
        artifact = Artifact(MODEL, "bench", trained.trees, trained.manifest, trained.files)
        verdict = learning.judge(conn, origin.as_of, artifact, None)
        passed, reason = verdict.passed, verdict.reason
        with stages.stage("forecast"):
            made[TREES] = forecast(origin.fold, trained)
    # Of the origin's own panel where there are no trees: the warehouse has more series and days.
    baseline = (
        of_panel(origin.fold.panel)
        if artifact is None
        else learning.baseline(conn, origin.as_of, challenger=artifact)
    )
    if baseline is None:
        raise ValueError(f"the model has no baseline at {origin.day}")
    made[BASELINE] = forecast(origin.fold, baseline.trained)
    made[IN_FORCE] = made[TREES if passed else BASELINE]
    about = {
        "passed": passed,
        "reason": reason,
        "baseline": baseline.trained.manifest["baseline"],
        "seconds": sum(stages.seconds.values()),
        "peak_mb": max(stages.peak_mb.values(), default=0.0),
    }
    return Ours(made, about)


def forecast(fold: Fold, trained: Trained) -> Forecast:
    """By the product's own table of a backtest, (n, H) an output; NaN outside what it scores."""
    shape = fold.actual.shape
    table: pd.DataFrame = forecast_table(fold, trained, horizon=shape[1])
    place = (table["series"].to_numpy(), table["day"].to_numpy() - 1)
    found = {name: np.full(shape, np.nan) for name in OUTPUTS}
    for name, values in found.items():
        values[place] = table[name].to_numpy()
    return found
