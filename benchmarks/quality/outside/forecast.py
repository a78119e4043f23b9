"""Forecasts by statsforecast and mlforecast: one after the other, each written to a file.

usage: python -m benchmarks.quality.outside.forecast JOBS.json
       with [{"known": file, "method": name, "out": file}, ...]
"""

from __future__ import annotations

import json
import sys
import time
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from lightgbm import LGBMRegressor
from mlforecast import MLForecast
from mlforecast.lag_transforms import RollingMean
from mlforecast.utils import PredictionIntervals
from statsforecast import StatsForecast
from statsforecast.models import AutoETS, DynamicOptimizedTheta
from xgboost import XGBRegressor

from benchmarks.quality.known import Forecast, Known, read_known, write_forecast
from benchmarks.stages import peak_mb, reset_peak

SEED = 7
LEVEL = 80
ETS_DAYS = 196
"""AutoETS tries a dozen models a series; half a year of days is what it is given."""
LIGHTGBM = {"n_estimators": 200, "verbosity": -1, "num_threads": 1, "random_state": SEED}
XGBOOST = {"n_estimators": 200, "learning_rate": 0.1, "max_depth": 6, "nthread": 1, "seed": SEED}


def theta(known: Known) -> Forecast:
    """The dynamic optimized theta model of each series."""
    return _by_series(known, DynamicOptimizedTheta(season_length=_season(known)), known.days)


def ets(known: Known) -> Forecast:
    """Exponential smoothing of each series, its form chosen by AICc."""
    days = known.days if known.step > 1 else ETS_DAYS
    return _by_series(known, AutoETS(season_length=_season(known)), days)


def mlforecast_xgboost(known: Known) -> Forecast:
    """One XGBoost over all series, on lags, rolling means, dates and plans."""
    return _by_lags(
        known,
        XGBRegressor(**XGBOOST, objective="reg:squarederror"),
        XGBRegressor(**XGBOOST, objective="reg:absoluteerror"),
    )


def mlforecast_lightgbm(known: Known) -> Forecast:
    """The same with LightGBM."""
    return _by_lags(
        known,
        LGBMRegressor(**LIGHTGBM, objective="regression"),
        LGBMRegressor(**LIGHTGBM, objective="regression_l1"),
    )


METHODS: dict[str, Callable[[Known], Forecast]] = {
    method.__name__: method for method in (theta, ets, mlforecast_xgboost, mlforecast_lightgbm)
}


def _season(known: Known) -> int:
    if known.step == 1:
        return 7
    return (
        52 if known.days >= 2 * 52 and (~np.isnan(known.units)).sum(axis=1).min() >= 2 * 52 else 1
    )


def _by_series(known: Known, model: Any, days: int) -> Forecast:
    """What is closed is filled with the same weekday before: the models know no gaps."""
    frame = _long(known, _filled(known), last=days)
    library = StatsForecast(models=[model], freq=_freq(known), n_jobs=1, fallback_model=_Mean())
    found = library.forecast(df=frame, h=known.ahead, level=[LEVEL])
    name = repr(model)
    columns = {
        "p10": f"{name}-lo-{LEVEL}",
        "p50": name,
        "p90": f"{name}-hi-{LEVEL}",
        "mean": name,
    }
    return _dense(known, found, columns)


class _Mean:
    """In the place of a model that cannot be fitted to a series, one of three days say."""

    uses_exog = False

    def __repr__(self) -> str:
        return "Mean"

    def forecast(self, y: Any, h: int, level: Any = None, **_: Any) -> dict[str, Any]:
        mean, spread = float(np.mean(y)), 1.2816 * float(np.std(y))
        return {
            "mean": np.full(h, mean),
            f"lo-{LEVEL}": np.full(h, mean - spread),
            f"hi-{LEVEL}": np.full(h, mean + spread),
        }

    def new(self) -> _Mean:
        return self


def _by_lags(known: Known, of_mean: Any, of_median: Any) -> Forecast:
    daily = known.step == 1
    lags = [1, 7, 14, 28] if daily else [1, 2, 4, 13]
    windows = (7, 28) if daily else (4, 13)
    statics = [
        name for name, values in known.keys.items() if len(np.unique(values.astype(str))) > 1
    ]
    frame = _long(known, np.nan_to_num(known.units), last=known.days)
    rows = frame.index.to_numpy()
    for name in statics:
        codes = np.unique(known.keys[name].astype(str), return_inverse=True)[1]
        frame[name] = codes[frame["unique_id"].to_numpy()]
    n, days = len(known), known.days
    ahead = pd.DataFrame(
        {
            "unique_id": np.repeat(np.arange(n), known.ahead),
            "ds": np.tile(known.dates()[days:].astype("M8[ns]"), n),
        }
    )
    for name, values in {"open": known.is_open * 1.0, **known.plans}.items():
        frame[name] = values[:, :days].ravel()[rows]
        ahead[name] = values[:, days:].ravel()
    # A series that has fewer days than the lags reach gives no rows, but is forecast all the same.
    library, median = (
        MLForecast(
            models={name: regressor},
            freq=_freq(known),
            lags=lags,
            lag_transforms={1: [RollingMean(window, min_samples=1) for window in windows]},
            date_features=["dayofweek", "day", "month"] if daily else ["month"],
        )
        for name, regressor in (("mean", of_mean), ("p50", of_median))
    )
    sizes = frame.groupby("unique_id").size()
    windows_tested = 2
    needed = (windows_tested * known.ahead) + max(lags) + 1
    long_enough = sizes.index[sizes >= needed + 1]
    quantiles = len(long_enough) == len(sizes)
    intervals = PredictionIntervals(n_windows=windows_tested, h=known.ahead) if quantiles else None
    library.fit(frame, static_features=statics, prediction_intervals=intervals, dropna=True)
    level = [LEVEL] if quantiles else None
    found = library.predict(known.ahead, X_df=ahead, level=level)
    median.fit(frame, static_features=statics)
    found = found.merge(median.predict(known.ahead, X_df=ahead), on=["unique_id", "ds"])
    columns = {"p50": "p50", "mean": "mean"}
    if quantiles:
        columns |= {"p10": f"mean-lo-{LEVEL}", "p90": f"mean-hi-{LEVEL}"}
    return _dense(known, found, columns)


def _freq(known: Known) -> str:
    weekday = pd.Timestamp(known.dates()[-1]).strftime("%a").upper()
    return "D" if known.step == 1 else f"W-{weekday}"


def _filled(known: Known) -> Any:
    units = np.where(known.selling(), known.units, np.nan)
    season = 7 if known.step == 1 else 1
    for column in range(known.days):
        missing = np.isnan(units[:, column]) & ~np.isnan(known.units[:, column])
        if column >= season:
            units[missing, column] = units[missing, column - season]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)
        mean = np.nan_to_num(np.nanmean(units, axis=1))
    return np.where(np.isnan(units), mean[:, None], units)


def _long(known: Known, units: Any, last: int) -> pd.DataFrame:
    """Rows from the start of each series on, at most ``last``; the index is the place in (n, T)."""
    frame = pd.DataFrame(
        {
            "unique_id": np.repeat(np.arange(len(known)), known.days),
            "ds": np.tile(known.dates()[: known.days].astype("M8[ns]"), len(known)),
            "y": units.ravel().astype(np.float64),
        }
    )
    began = ~np.isnan(known.units)
    began[:, : max(known.days - last, 0)] = False
    began[:, -1] = True  # a series without a day would have no forecast
    return frame[began.ravel()]


def _dense(known: Known, found: pd.DataFrame, columns: dict[str, str]) -> Forecast:
    found = found.sort_values(["unique_id", "ds"])
    shape = (len(known), known.ahead)
    of = {name: found[column].to_numpy().reshape(shape) for name, column in columns.items()}
    return {name: np.maximum(np.nan_to_num(values), 0.0) for name, values in of.items()}


def main() -> None:
    warnings.simplefilter("ignore")
    for job in json.loads(Path(sys.argv[1]).read_text(encoding="utf-8")):
        known = read_known(Path(job["known"]))
        reset_peak()
        started = time.perf_counter()
        try:
            forecast = METHODS[job["method"]](known)
        except Exception as error:  # whatever a library raises: the others go on
            print(f"{job['method']} at {known.origin} failed: {error!r}"[:300], flush=True)
            continue
        seconds = time.perf_counter() - started
        part = Path(f"{job['out']}.part")
        write_forecast(forecast, part, seconds=seconds, peak_mb=peak_mb())
        part.rename(job["out"])
        print(f"{job['method']} at {known.origin}: {seconds:.1f} s", flush=True)


if __name__ == "__main__":
    main()
