"""The numbers of a backtest, by utilsforecast's losses on one long table.

A table has one row a forecast: ``y`` (units sold), one column a forecaster, and columns to group
by. utilsforecast averages within ``unique_id``; pooled over all series that is the WAPE of the
business, not the mean of the series' own.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd
from utilsforecast import losses

from daybreak.models.sales_forecast.learn.baselines import EMPIRICAL, POINTS
from daybreak.models.sales_forecast.learn.booster import QUANTILES

COVERAGE = 80
_P = ("p10", "p50", "p90")
_MODEL = dict(zip(_P, _P, strict=True))
_EMPIRICAL = dict(zip(_P, EMPIRICAL, strict=True))
_COLUMNS = ["y", *_P, "mean", *POINTS, *EMPIRICAL]


def measure(table: pd.DataFrame) -> dict[str, Any]:
    """Every number over all rows of the table, under the names of the backtest's JSON."""
    return measure_by(table.assign(group="all"), "group")["all"]


def measure_by(table: pd.DataFrame, column: str) -> dict[str, dict[str, Any]]:
    """The same for each value of ``column`` (as text), in the order of the values."""
    frame = table[_COLUMNS].assign(unique_id=table[column])
    points = ["p50", "mean", *POINTS]
    wape = _by_group(losses.wape(frame, points))
    rmse = _by_group(losses.rmse(frame, points))
    bias = _by_group(losses.bias(frame, ["mean"]))
    pinball = {
        "model": _mean_pinball(frame, _MODEL),
        "empirical": _mean_pinball(frame, _EMPIRICAL),
    }
    shares = _shares(frame)
    bands = frame.rename(columns={"p10": f"model-lo-{COVERAGE}", "p90": f"model-hi-{COVERAGE}"})
    coverage = _by_group(losses.coverage(bands, ["model"], COVERAGE))
    sizes = frame.groupby("unique_id", sort=True)["y"].agg(["size", "mean"])
    return {
        str(group): {
            "rows": int(sizes.loc[group, "size"]),
            "wape": {"model": wape[group]["p50"]} | {name: wape[group][name] for name in POINTS},
            "bias_mean": _over(bias[group]["mean"], float(sizes.loc[group, "mean"])),
            "pinball": {name: values[group] for name, values in pinball.items()},
            "calibration": shares[group],
            "rmse": {"model": rmse[group]["mean"]} | {name: rmse[group][name] for name in POINTS},
            "coverage": {"level": COVERAGE, "model": coverage[group]["model"]},
        }
        for group in sizes.index
    }


def _by_group(found: pd.DataFrame) -> dict[Any, dict[str, float]]:
    rows = found.set_index("unique_id").to_dict("index")
    return {
        group: {str(k): _finite(v) for k, v in values.items()} for group, values in rows.items()
    }


def _mean_pinball(frame: pd.DataFrame, columns: Mapping[str, str]) -> dict[Any, float]:
    """Mean of the pinball losses at the three quantiles."""
    parts = [
        losses.quantile_loss(frame, {"loss": columns[name]}, q=tau).set_index("unique_id")["loss"]
        for name, tau in zip(_P, QUANTILES, strict=True)
    ]
    return {group: float(value) for group, value in (sum(parts) / len(parts)).items()}


def _shares(frame: pd.DataFrame) -> dict[Any, dict[str, dict[str, float]]]:
    at_or_below = {
        name: losses.calibration(frame, {"share": name}).set_index("unique_id")["share"]
        for name in _P
    }
    below = {name: (frame["y"] < frame[name]).groupby(frame["unique_id"]).mean() for name in _P}
    return {
        group: {
            name: {
                "below": float(below[name][group]),
                "at_or_below": float(at_or_below[name][group]),
            }
            for name in _P
        }
        for group in frame["unique_id"].unique()
    }


def _over(value: float, volume: float) -> float:
    return value / volume if volume > 0 else 0.0


def _finite(value: float) -> float:
    """0 / 0 where nothing was sold and nothing forecast: no error; JSON has no infinity."""
    return float(np.nan_to_num(value, nan=0.0, posinf=1e9))
