"""A panel as cells: what a series sold in a week at one price.

Days of one week at one price say the same of it, so they are one cell: some 70 a series in a year,
of which everything that is asked of demand at a price can be computed again and again. A week in
which the price (or the promotion) changes has two cells, before and after the first change.

What a day is worth beside the others of its week is the series' own weekday factor, so that a
closed Saturday is no fall in demand.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from daybreak.facts.panel import Panel
from daybreak.models.pricing.shelf import shelf_price

FIRST_DAYS = 28
"""Days after the first row of a series that say nothing of its price: most new items rise to their
level within weeks, and many begin with an offer."""
CERTAINLY = 20.0
"""Units that would usually have been sold in a run of days without a sale, from which on the item
was not there: by chance (Poisson) it happens once in 5e8 runs."""
WEEKDAY_UNITS = 50.0
"""Units in a series from which on half of its own weekday factors are believed."""
SAME_PRICE = 1e-4
"""Difference of logs up to which a price is the same: they are float32, and known to cents."""

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Cells:
    """``m`` cells of ``n`` series, in order of series and then of time.

    ``series`` int64 (m,). ``week`` int64 (m,): calendar weeks from Monday on, counted from the
    first column of the panel. Float64 (m,): ``units``; ``exposure``, in usual open days;
    ``price``, the mean log of the price; ``promotion``, the share promoted, 0 to 1.
    """

    count: int
    series: NDArray[np.int64]
    week: NDArray[np.int64]
    units: Floats
    exposure: Floats
    price: Floats
    promotion: Floats

    def __len__(self) -> int:
        return len(self.series)

    def where(self, keep: NDArray[Any]) -> Cells:
        """Some of the cells, by mask or positions in order, of the same series."""
        names = ("series", "week", "units", "exposure", "price", "promotion")
        return replace(self, **{name: getattr(self, name)[keep] for name in names})

    def by_series(self, values: NDArray[Any]) -> Floats:
        """Sums over the cells of each series, (n,), cell after cell."""
        return np.bincount(self.series, values, self.count).astype(np.float64)


def cells_of(panel: Panel) -> Cells:
    """The cells of the history of a panel."""
    days = panel.days
    said, log_price = _usable(panel)
    units = np.where(said, np.nan_to_num(panel.units), 0.0).astype(np.float64)
    promotion = panel.promotion[:, :days].clip(0.0, 1.0).astype(np.float64)
    exposure = said * _weekday_factor(panel, units, said)
    first = panel.first_date.toordinal() - 1  # 0 is a Monday
    week = ((first + np.arange(days) * panel.step) // 7) - first // 7
    cell = 2 * week + _after_change(week, said, log_price, promotion)
    wide = 2 * (int(week[-1]) + 1)
    place = (np.arange(len(panel))[:, None] * wide + cell).ravel()

    def summed(values: NDArray[Any]) -> Floats:
        return np.bincount(place, values.ravel(), len(panel) * wide).astype(np.float64)

    worth = summed(exposure)
    kept = np.flatnonzero(worth > 0)
    worth = worth[kept]
    return Cells(
        count=len(panel),
        series=kept // wide,
        week=kept % wide // 2,
        units=summed(units)[kept],
        exposure=worth,
        price=summed(exposure * np.where(said, log_price, 0.0))[kept] / worth,
        promotion=summed(exposure * promotion)[kept] / worth,
    )


def _usable(panel: Panel) -> tuple[NDArray[np.bool_], Floats]:
    """Which days say what was sold at a price, and its log (0 where unknown), (n, T) each."""
    days = panel.days
    price = shelf_price(panel)
    priced = price > 0  # NaN is not
    sold = ~np.isnan(panel.units)
    # Sold from column 0 on: how long before is not known, so no first days are left out.
    age = np.cumsum(sold, axis=1) * panel.step
    settled = sold[:, :1] | (age > FIRST_DAYS)
    said = sold & settled & priced & panel.open[:, :days]
    said &= ~_not_there(np.nan_to_num(panel.units), said)
    return said, np.log(np.where(priced, price, 1.0))


def _not_there(units: NDArray[Any], said: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Runs of days without a sale in which far too much would usually have been sold, (n, T)."""
    days = said.sum(axis=1)
    usual = np.where(said, units, 0.0).sum(axis=1, dtype=np.float64) / np.maximum(days, 1)
    empty = said & (units == 0)
    # Closed days lie within a run, and do not count.
    breaks = np.cumsum(said & ~empty, axis=1) + np.arange(len(units))[:, None] * (said.shape[1] + 1)
    length = np.bincount(breaks[empty], minlength=len(units) * (said.shape[1] + 1))
    return np.asarray(empty & (length[breaks] * usual[:, None] >= CERTAINLY))


def _weekday_factor(panel: Panel, units: Floats, said: NDArray[np.bool_]) -> Floats:
    """What a day is worth beside the others of the series, (n, T); 1 where columns are weeks."""
    if panel.step != 1:
        return np.ones(units.shape)
    weekday = (panel.first_date.weekday() + np.arange(panel.days)) % 7
    sold, days = (
        np.stack([values[:, weekday == day].sum(axis=1) for day in range(7)], axis=1)
        for values in (units, said.astype(np.float64))
    )
    whole = sold.sum(axis=1, keepdims=True)
    usual = whole / np.maximum(days.sum(axis=1, keepdims=True), 1.0)
    with np.errstate(divide="ignore", invalid="ignore"):
        own = np.where((days > 0) & (usual > 0), sold / (days * usual), 1.0)
    believed = whole / (whole + WEEKDAY_UNITS)
    return np.asarray((1.0 + believed * (own - 1.0))[:, weekday])


def _after_change(
    week: NDArray[np.int64], said: NDArray[np.bool_], log_price: Floats, promotion: Floats
) -> NDArray[np.int64]:
    """1 from the first day of its week on that differs from the usable day before it, else 0."""
    days = said.shape[1]
    columns = np.arange(days)
    last = np.maximum.accumulate(np.where(said, columns, -1), axis=1)
    before = np.concatenate([np.full((len(said), 1), -1), last[:, :-1]], axis=1)
    begins = np.searchsorted(week, week)  # the first column of the week
    beside = np.maximum(before, 0)
    moved = np.abs(log_price - np.take_along_axis(log_price, beside, axis=1)) > SAME_PRICE
    moved |= promotion != np.take_along_axis(promotion, beside, axis=1)
    moved &= said & (before >= begins)
    so_far = np.cumsum(moved, axis=1)
    at_begin = np.where(begins > 0, so_far[:, np.maximum(begins - 1, 0)], 0)
    return np.asarray(np.minimum(so_far - at_begin, 1), np.int64)
