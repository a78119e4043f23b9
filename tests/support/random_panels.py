"""Panels: plain ones, and those with everything in them that makes features difficult."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, timedelta

import numpy as np
from numpy.typing import NDArray

from daybreak.facts.panel import Panel
from daybreak.models.sales_forecast.options import DEFAULT_HORIZON as HORIZON


def random_panel(
    seed: int,
    days: int = 120,
    stores: int = 2,
    items: int = 4,
    *,
    ahead: int = HORIZON,
    step: int = 1,
) -> Panel:
    """New items, dead ones, rows of 0, closed days, promotions, unknown prices, a covariate.

    Of odd seeds, prices are followed by demand.
    """
    rng = np.random.default_rng(seed)
    n, wide = stores * items, (stores * items, days + ahead)
    is_open = rng.random(wide) < 0.85
    is_open[: n // 2, :-ahead][:, rng.integers(0, days, 3)] = False
    units = rng.poisson(rng.choice([0.2, 2.0, 9.0, 90.0], n)[:, None], (n, days)).astype(np.float32)
    units[rng.random(units.shape) < 0.01] *= 50
    units[~is_open[:, :days]] = 0
    for series in range(n):
        first = rng.choice([0, 0, days // 2, days - 3, days])
        units[series, :first] = np.nan
        if rng.random() < 0.3:  # not there yet, or closed for a while, as rows of 0
            begin, end = sorted(rng.integers(0, days + 1, 2))
            units[series, begin:] = np.nan_to_num(units[series, begin:])
            units[series, begin:end] = 0
        if rng.random() < 0.2:
            units[series, days // 2 :] = np.where(np.isnan(units[series, days // 2 :]), np.nan, 0)
    level = rng.choice([0.7, 1.0, 1.1], wide)
    price = np.round(rng.uniform(1, 20, n)[:, None] * level, 2)
    if seed % 2:  # demand that follows prices
        units = np.round(units * level[:, :days] ** -2).astype(np.float32)
    price[rng.random(n) < 0.2, : days // 3] = np.nan
    price[rng.random(n) < 0.1] = np.nan
    return Panel(
        store_ids=np.repeat(np.array([f"S{k}" for k in range(stores)], object), items),
        item_ids=np.tile(np.array([f"I{k}" for k in range(items)], object), stores),
        categories=np.tile(np.array(["a", "b", "a", ""][:items], object), stores),
        first_date=date(2024, 1, 1) + timedelta(days=int(rng.integers(0, 7))),
        units=units,
        price=price.astype(np.float32),
        promotion=(rng.random(wide) < 0.15).astype(np.float32),
        open=is_open,
        holiday=(rng.random(wide) < 0.1).astype(np.float32),
        public_holiday=rng.random(days + ahead) < 0.05,
        covariates={"rain": rng.normal(size=wide).astype(np.float32)},
        planned=frozenset(
            {"price", "promotion", "holiday", "open"} if rng.random() < 0.7 else {"open"}
        ),
        step=step,
    )


def plain_panel(units: NDArray[np.generic], ahead: int = HORIZON, **changes: object) -> Panel:
    """Items of one store and one category, open every day, without prices or promotions.

    ``units`` (n, days). ``changes``: other fields than these.
    """
    n, days = units.shape
    wide = (n, days + ahead)
    plain = Panel(
        store_ids=np.full(n, "S", object),
        item_ids=np.array([f"I{k:02}" for k in range(n)], object),
        categories=np.full(n, "c", object),
        first_date=date(2024, 1, 1),
        units=units.astype(np.float32),
        price=np.full(wide, np.nan, np.float32),
        promotion=np.zeros(wide, np.float32),
        open=np.ones(wide, bool),
        holiday=np.zeros(wide, np.float32),
        public_holiday=np.zeros(wide[1], bool),
        covariates={},
        planned=frozenset({"open"}),
    )
    return replace(plain, **changes)


def ending_at(panel: Panel, origin: int) -> Panel:
    """The panel as it was when the column ``origin`` was its last day."""
    days, wide = origin + 1, origin + 1 + panel.ahead
    return replace(
        panel,
        units=panel.units[:, :days],
        **{
            name: getattr(panel, name)[:, :wide]
            for name in ("price", "promotion", "open", "holiday")
        },
        public_holiday=panel.public_holiday[:wide],
        covariates={name: values[:, :wide] for name, values in panel.covariates.items()},
    )


def series_of(panel: Panel, rows: np.ndarray) -> Panel:
    """Only some of the series."""
    return replace(
        panel,
        **{
            name: getattr(panel, name)[rows]
            for name in (
                *("store_ids", "item_ids", "categories", "units"),
                *("price", "promotion", "open", "holiday"),
            )
        },
        covariates={name: values[rows] for name, values in panel.covariates.items()},
    )
