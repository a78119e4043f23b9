"""The backtest that ``daybreak backtest sales_forecast`` runs, and its summary for people."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from typing import Any

from sqlalchemy import Connection

from daybreak.models.base import AsOfDay, Progress, quiet
from daybreak.models.options import Option, chosen
from daybreak.models.sales_forecast.learn.backtest import backtest
from daybreak.models.sales_forecast.learn.folds import read_folds
from daybreak.models.sales_forecast.options import HORIZON

OPTIONS = {
    "items": Option(1000, 1, whole=True),
    "horizon": Option(14, 1, HORIZON.most, whole=True),
    "origins": Option(6, 1, whole=True),
}
"""How many items (the best sellers), selling days ahead and rolling origins."""


def roll(
    warehouse: Connection,
    last: date,
    as_of: AsOfDay,
    options: Mapping[str, float],
    progress: Progress = quiet,
) -> dict[str, Any]:
    """Rolling origins up to ``last``, each read as of its own cutoff."""
    taken = chosen(options, OPTIONS)
    folds = read_folds(warehouse, last, as_of, **taken)
    return backtest(folds, horizon=taken["horizon"], progress=progress)


def describe(found: Mapping[str, Any]) -> list[str]:
    """The measures beside those of the baselines, a line each."""
    wape, pinball = found["wape"], found["pinball"]
    gain = pinball["model"] / pinball["empirical"] - 1
    return [
        f"{found['series']:,} series, {found['origins']} origins "
        f"({found['origin_dates'][0]} to {found['origin_dates'][-1]}), "
        f"{found['horizon']} selling days ahead, {found['rows']:,} forecasts",
        f"WAPE of P50     {wape['model']:.4f}",
        *(
            f"  {name:14}{wape[name]:.4f}  ({wape['model'] / wape[name] - 1:+.1%})"
            for name in ("seasonal_naive", "mean_28", "median_56")
        ),
        f"Pinball         {pinball['model']:.4f}",
        f"  empirical     {pinball['empirical']:.4f}  ({gain:+.1%})",
        f"Bias of mean    {found['bias_mean']:+.1%}",
        *(
            f"{name.upper()}  {shares['below']:.1%} of days below, "
            f"{shares['at_or_below']:.1%} at or below"
            for name, shares in found["calibration"].items()
        ),
        *(f"{'passed' if passed else 'MISSED':8}{name}" for name, passed in found["bars"].items()),
    ]
