"""The true mean demand, which no forecaster is given, and the noise floor that follows.

Demand of a series on a day is Poisson, or negative binomial, with a known mean. Absolute error is
least in expectation for the forecast that is the median of that distribution, so the floor of WAPE
on any slice is ``sum E|y - median| / sum E y``: exact, without simulation.

Days of stock-out are part of the floor unless asked otherwise: they cannot be foreseen and the
data do not mark them, so a backtest meets them. On such a day ``y`` is the lesser of demand and
stock, while the forecast stays the median of demand.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date

import numpy as np
from numpy.typing import NDArray
from scipy.special import betainc, gammaincc

from daybreak.sources.synthetic.catalogue import Catalogue, Floats
from daybreak.sources.synthetic.plan import Flags


@dataclass(frozen=True)
class Truth:
    """``n`` series in key order x ``D`` days from ``first_date``; the last ``ahead`` are future.

    ``rate`` (n, D) is mean demand, 0 where the store is closed or the item not carried yet.
    ``units`` int32 (n, D) are what is sold (also on the future days, which no table has),
    ``short`` marks stock-outs and ``stock`` the units there were. ``price`` and ``promotion`` are
    what the plan says. Planted effects are on ``catalogue``, one value an item.
    """

    first_date: date
    ahead: int
    dispersion: float
    catalogue: Catalogue
    store: NDArray[np.intp]
    item: NDArray[np.intp]
    rate: Floats
    units: NDArray[np.int32]
    short: Flags
    stock: NDArray[np.int32]
    open: Flags
    price: Floats
    promotion: Flags

    @property
    def store_ids(self) -> NDArray[np.object_]:
        """Key of each series (n,)."""
        return self.catalogue.store_ids[self.store]

    @property
    def item_ids(self) -> NDArray[np.object_]:
        """Key of each series (n,)."""
        return self.catalogue.item_ids[self.item]

    def column(self, day: date) -> int:
        """Where a date stands on the second axis."""
        return (day - self.first_date).days

    def median(self) -> NDArray[np.int64]:
        """The best forecast under absolute error (n, D), by someone who knows the mean demand."""
        return demand_median(self.rate, self.dispersion)


def floor_wape(
    truth: Truth,
    *,
    first: date | None = None,
    last: date | None = None,
    where: NDArray[np.bool_] | None = None,
    stockouts: bool = True,
) -> float:
    """The best attainable WAPE on a slice; NaN where nothing is expected to be sold.

    ``first`` and ``last`` bound the dates (default: all days with sales), ``where`` is a mask that
    broadcasts to (n, D), such as ``truth.catalogue.slow[truth.item][:, None]``. ``stockouts=False``
    leaves days of stock-out aside.
    """
    days = truth.rate.shape[1]
    start = 0 if first is None else truth.column(first)
    stop = days - truth.ahead if last is None else truth.column(last) + 1
    chosen = np.zeros(truth.rate.shape, dtype=bool)
    chosen[:, max(start, 0) : max(stop, 0)] = True
    if where is not None:
        chosen &= where
    full = chosen & ~truth.short
    error, volume = _without_shortage(truth.rate[full], truth.dispersion)
    if stockouts:
        short = chosen & truth.short
        more_error, more_volume = _with_shortage(
            truth.rate[short], truth.stock[short], truth.dispersion
        )
        error, volume = error + more_error, volume + more_volume
    return error / volume if volume > 0 else float("nan")


def demand_median(rate: Floats, dispersion: float) -> NDArray[np.int64]:
    """Least whole number at which the distribution function reaches one half; any shape."""
    # Mean less a sixth of skewness x deviation, then a few steps: cheaper than a search.
    flat = np.asarray(rate, dtype=np.float64).ravel()
    guess = np.floor(flat - (1 + 2 * dispersion * flat) / 6).clip(0).astype(np.int64)
    moving = np.flatnonzero(_cdf(guess, flat, dispersion) < 0.5)
    while moving.size:
        guess[moving] += 1
        moving = moving[_cdf(guess[moving], flat[moving], dispersion) < 0.5]
    moving = np.flatnonzero(_cdf(guess - 1, flat, dispersion) >= 0.5)
    while moving.size:
        guess[moving] -= 1
        moving = moving[_cdf(guess[moving] - 1, flat[moving], dispersion) >= 0.5]
    return guess.reshape(np.shape(rate))


def _without_shortage(rate: Floats, dispersion: float) -> tuple[float, float]:
    """Summed E|y - median| and E y."""
    median = demand_median(rate, dispersion)
    error = rate - median + 2 * _shortfall(median, rate, dispersion)
    return float(error.sum()), float(rate.sum())


def _with_shortage(
    rate: Floats, stock: NDArray[np.int32], dispersion: float
) -> tuple[float, float]:
    """The same where y is the lesser of demand and ``stock``."""
    median = demand_median(rate, dispersion)
    sold = stock - _shortfall(stock, rate, dispersion)
    # Beyond the stock nothing can be sold, so the part of E(y - median)+ above it falls away.
    above = np.where(
        stock > median,
        _excess(median, rate, dispersion) - _excess(stock, rate, dispersion),
        0.0,
    )
    error = 2 * above + median - sold
    return float(error.sum()), float(sold.sum())


def _excess(level: NDArray[np.integer], rate: Floats, dispersion: float) -> Floats:
    """E(y - level)+."""
    return rate - level + _shortfall(level, rate, dispersion)


def _shortfall(level: NDArray[np.integer], rate: Floats, dispersion: float) -> Floats:
    """E(level - y)+ = level P(y < level) - E[y; y < level], each in closed form."""
    below = level * _cdf(level - 1, rate, dispersion)
    # y p(y) is the mean times p(y - 1) of the distribution with one more success.
    partial = rate * _cdf(level - 2, rate, dispersion, successes=1)
    return np.asarray(below - partial)


def _cdf(level: NDArray[np.integer], rate: Floats, dispersion: float, successes: int = 0) -> Floats:
    """P(y <= level); 0 below zero and 1 where the mean is 0."""
    k = np.maximum(level, 0) + 1.0
    if dispersion > 0:
        chance = 1 / (1 + dispersion * rate)
        reached = betainc(1 / dispersion + successes, k, chance)
    else:
        reached = gammaincc(k, rate)
    return np.where(level < 0, 0.0, reached)
