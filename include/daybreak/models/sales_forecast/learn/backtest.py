"""Rolling origins: forecast as one would have then, and compare with what was sold.

For each origin the panel is read as of that day's own knowledge cutoff and the model is trained
again on it, so no number here has seen a day that it forecasts. The series are the best sellers
as known at the first origin; choosing them later would favour items that were about to sell.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

import numpy as np
import pandas as pd
import xgboost as xgb
from numpy.typing import NDArray

from daybreak.facts.panel import Panel
from daybreak.models.base import Progress, Trained, quiet
from daybreak.models.sales_forecast.features.assemble import assemble
from daybreak.models.sales_forecast.features.layout import FEATURES
from daybreak.models.sales_forecast.features.snapshot import snapshot
from daybreak.models.sales_forecast.learn.baselines import baselines
from daybreak.models.sales_forecast.learn.measures import measure, measure_by
from daybreak.models.sales_forecast.learn.train import Options, train_panel
from daybreak.models.sales_forecast.link import link

CLASSES = ((0.8, "A"), (0.95, "B"), (1.01, "C"))
"""Share of all units up to which a series, from the best seller down, belongs to a class."""

LEAST_GAIN = {"seasonal_naive": 0.15, "mean_28": 0.10, "median_56": 0.0}
"""By how much the WAPE of P50 has to be under each baseline's."""
MOST_BIAS = 0.10
CALIBRATION_TOLERANCE = 0.02


@dataclass(frozen=True)
class Fold:
    """One origin: what was known then, and what came after.

    ``panel`` ends on the origin. ``actual`` float32 (n, ahead): units of the days ahead, NaN
    past the last day that is known by now.
    """

    panel: Panel
    actual: NDArray[np.float32]


Trainer = Callable[[Panel], Trained]


def backtest(
    folds: Iterator[Fold],
    *,
    horizon: int,
    trainer: Trainer | None = None,
    progress: Progress = quiet,
) -> dict[str, Any]:
    """Train and score every fold; the result is the JSON of ``daybreak backtest``.

    ``horizon`` counts selling days: the first ``horizon`` days ahead on which a series is open.
    """
    trainer = trainer or (lambda panel: train_panel(panel, options=Options()))
    tables: list[pd.DataFrame] = []
    dates: list[str] = []
    series = 0
    for fold in folds:
        origin = fold.panel.business_date
        progress(f"Origin {origin}: training and scoring {len(fold.panel)} series")
        trained = trainer(fold.panel)
        tables.append(forecast_table(fold, trained, horizon))
        dates.append(origin.isoformat())
        series = max(series, len(fold.panel))
    table = pd.concat(tables, ignore_index=True)
    return summary(table) | {
        "series": series,
        "origins": len(dates),
        "origin_dates": dates,
        "horizon": horizon,
        "refit": "every origin",
    }


def forecast_table(fold: Fold, trained: Trained, horizon: int) -> pd.DataFrame:
    """One row a series and day ahead that is open (or closed, then outside the measures).

    ``trained`` may be a baseline, which has no trees.
    """
    panel = fold.panel
    rows = np.repeat(np.arange(len(panel)), panel.ahead)
    days = np.tile(np.arange(1, panel.ahead + 1), len(panel))
    features = assemble(
        snapshot(panel), panel.business_date, days, rows, step=panel.step, slots=panel.slots
    )
    margins = np.empty((len(features), 0), np.float32)
    if trained.booster is not None:
        booster = xgb.Booster(model_file=bytearray(trained.booster))
        margins = booster.inplace_predict(features, predict_type="margin")
    scores = link(margins, features, trained.manifest)
    selling_day = features[:, FEATURES.index("selling_day")].astype(np.int64)
    table = pd.DataFrame(
        {
            "series": rows,
            "day": days,
            "selling_day": selling_day,
            "open": features[:, FEATURES.index("open")] > 0,
            "y": fold.actual.ravel().astype(np.float64),
            "category": panel.categories[rows],
            "volume": volume_classes(panel)[rows],
            **{name: values.astype(np.float64) for name, values in scores.items()},
            **{name: values.ravel() for name, values in baselines(panel).items()},
        }
    )
    return table[(table["selling_day"] <= horizon) & table["y"].notna()]


def volume_classes(panel: Panel) -> NDArray[np.object_]:
    """A, B or C for each series by its units so far, (n,)."""
    units = np.nan_to_num(panel.units).sum(axis=1, dtype=np.float64)
    order = np.argsort(-units, kind="stable")
    reached = np.cumsum(units[order]) / max(units.sum(), 1e-9)
    before = np.concatenate([[0.0], reached[:-1]])
    classes = np.empty(len(panel), object)
    edges = [edge for edge, _ in CLASSES]
    classes[order] = np.array([name for _, name in CLASSES], object)[
        np.searchsorted(edges, before, side="right")
    ]
    return classes


def summary(table: pd.DataFrame) -> dict[str, Any]:
    """The measures of a table, whole, by horizon and by segment, and which bars they pass."""
    is_open = table[table["open"]]
    closed = table[~table["open"]]
    whole = measure(is_open)
    return {
        **whole,
        "closed_days": {
            "rows": len(closed),
            "largest_forecast": float(closed[["p10", "p50", "p90", "mean"]].abs().max().max())
            if len(closed)
            else 0.0,
        },
        "by_horizon": measure_by(is_open, "selling_day"),
        "by_segment": {
            "volume": measure_by(is_open, "volume"),
            "category": measure_by(is_open, "category"),
        },
        "bars": bars(whole),
    }


def bars(found: Mapping[str, Any]) -> dict[str, bool]:
    """The bars that a forecast has to pass to be published, by name."""
    wape, calibration = found["wape"], found["calibration"]
    passed = {
        f"wape_under_{name}": wape["model"] <= (1 - gain) * wape[name]
        for name, gain in LEAST_GAIN.items()
    }
    passed["pinball_under_empirical"] = found["pinball"]["model"] < found["pinball"]["empirical"]
    passed["bias_of_mean"] = abs(found["bias_mean"]) <= MOST_BIAS
    for name, tau in (("p10", 0.1), ("p50", 0.5), ("p90", 0.9)):
        passed[f"calibrated_{name}"] = (
            calibration[name]["below"] <= tau + CALIBRATION_TOLERANCE
            and calibration[name]["at_or_below"] >= tau - CALIBRATION_TOLERANCE
        )
    return passed


def origins_of(
    last: date, is_open: NDArray[np.bool_], count: int, horizon: int, step: int = 1
) -> list[date]:
    """``count`` origins, each ``horizon`` selling days before the next; the last of them
    ``horizon`` selling days before ``last``.

    ``is_open`` (periods,) says in which periods of ``step`` days, up to ``last``, the business
    sells at all.
    """
    selling = np.flatnonzero(is_open)
    places = [len(selling) - 1 - horizon * back for back in range(count, 0, -1)]
    return [
        last - timedelta(days=step * int(len(is_open) - 1 - selling[place]))
        for place in places
        if place >= 0
    ]
