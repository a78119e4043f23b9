"""The origins of a data set: what was known then, and what came after."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, timedelta
from functools import cached_property
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy import stats

from benchmarks.quality.known import QUANTILES, Floats, Forecast, Known
from benchmarks.quality.measures import scored_cells
from benchmarks.quality.sets import SalesSet
from benchmarks.quality.warehouse import Warehouse
from daybreak.clock import AsOf
from daybreak.facts.days import days_of_period
from daybreak.facts.panel import Panel
from daybreak.models.sales_forecast.learn.backtest import Fold
from daybreak.models.sales_forecast.learn.folds import fold_as_of
from daybreak.models.sales_forecast.options import Scope
from daybreak.warehouse.engine import connect

MODEL = "sales_forecast"


@dataclass(frozen=True)
class Origin:
    """``fold``: the panel as of the origin's own cutoff, and the units of the days ahead."""

    of: SalesSet
    as_of: AsOf
    fold: Fold

    @property
    def day(self) -> date:
        return self.as_of.business_date

    @cached_property
    def known(self) -> Known:
        """What other methods are given: the panel without what only our features need."""
        return known_of(self.fold.panel)

    @cached_property
    def actual(self) -> Floats:
        return self.fold.actual.astype(np.float64)

    @cached_property
    def cells(self) -> NDArray[np.bool_]:
        """What is measured, (n, H)."""
        return scored_cells(self.known, self.actual, self.of.horizon)


def origins(
    of: SalesSet, held: Warehouse, most: int | None = None, history: int | None = None
) -> Iterator[Origin]:
    """From the first to the last; ``most``: only so many of the last. ``history``: as if the shop
    had begun so many periods before each."""
    with connect(held.engine) as conn:
        scope = Scope.of(step=days_of_period(conn))
        now = held.as_of(conn, MODEL, held.last)
        count = min(of.origins, most or of.origins)
        for back in range(count - 1, -1, -1):
            measured = of.horizon if scope.step > 1 else max(of.horizon, scope.horizon)
            day = held.last - timedelta(days=scope.step * (measured + of.apart * back))
            as_of = held.as_of(conn, MODEL, day)
            fold = fold_as_of(conn, as_of, now, scope, top_items=of.items, days=history)
            yield Origin(of, as_of, fold)


def known_of(panel: Panel) -> Known:
    """History and plans of a panel; no covariate that is known only afterwards."""
    shape = panel.price.shape
    plans = {
        "promotion": panel.promotion,
        "holiday": panel.holiday,
        "public_holiday": np.broadcast_to(panel.public_holiday, shape),
        "price": panel.price,
        **{
            name: values
            for name, values in panel.covariates.items()
            if name not in panel.history_only
        },
    }
    return Known(
        {"store": panel.store_ids, "item": panel.item_ids, "category": panel.categories},
        panel.first_date,
        panel.step,
        panel.units.astype(np.float64),
        np.asarray(panel.open),
        {
            name: np.asarray(values, np.float64)
            for name, values in plans.items()
            if name == "promotion" or len(np.unique(values[~np.isnan(values)])) > 1
        },
    )


def truth(dataset: Path, known: Known) -> Forecast | None:
    """The forecast of who knows the mean demand of each cell ahead; None of real data.

    Units are Poisson, or negative binomial of variance m + a m^2.
    """
    file = dataset.parent / "truth.parquet"
    if not file.exists():
        return None
    rows = pd.read_parquet(file).set_index(["store_id", "item_id", "business_date"])
    n, ahead = len(known), known.ahead
    cells = pd.MultiIndex.from_arrays(
        [
            np.repeat(known.keys["store"], ahead),
            np.repeat(known.keys["item"], ahead),
            np.tile(known.dates()[known.days :].astype("M8[ns]"), n),
        ],
    )
    rows.index = rows.index.set_levels(pd.to_datetime(rows.index.levels[2]).as_unit("ns"), level=2)
    found = rows.reindex(cells)
    mean = np.nan_to_num(found["mean"].to_numpy(np.float64))
    spread = float(rows["dispersion"].iloc[0])
    law = stats.nbinom(1 / spread, 1 / (1 + spread * mean)) if spread else stats.poisson(mean)
    return {
        **{
            name: np.where(mean > 0, law.ppf(tau), 0.0).reshape(n, ahead)
            for name, tau in QUANTILES.items()
        },
        "mean": mean.reshape(n, ahead),
    }
