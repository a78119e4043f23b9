"""Elasticities by another way: a dense Poisson regression with a dummy for every effect.

It shares no code with the fit. Rows are whole weeks of one price; effects are levels of each series
in blocks of a quarter, weeks of the category, a promotion of each item and an elasticity of each
item. Nothing is shrunk. It is iteratively reweighted least squares on a dense matrix, so it takes
some series of each category only, those that sell most (McCullagh and Nelder, Generalized Linear
Models, 1989, section 2.5).
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import lstsq

from daybreak.facts.panel import Panel

BLOCK_WEEKS = 13
LEAST_ROWS = 8
"""Weeks of a block that a level is made of, at least."""
STEPS = 25
CLOSE = 1e-6
DETERMINED = 1e-6
SURE = 0.5
"""Standard error up to which an elasticity is one to compare with."""

Floats = NDArray[np.float64]


class Oracle(NamedTuple):
    """By item: ``elasticity`` and ``standard_error`` (clustered by item and block)."""

    items: list[str]
    elasticity: Floats
    standard_error: Floats

    @property
    def sure(self) -> NDArray[np.bool_]:
        """Which are known well enough to compare with."""
        return self.standard_error <= SURE


class _Rows(NamedTuple):
    series: NDArray[np.int64]
    week: NDArray[np.int64]
    units: Floats
    days: Floats
    price: Floats
    promotion: Floats


def regression(panel: Panel) -> Oracle:
    """The elasticities of the items of one category, whose series these are."""
    rows = _weeks(panel)
    items = sorted({*panel.item_ids.tolist()})
    number = np.array([items.index(name) for name in panel.item_ids.tolist()])
    block = rows.series * 1000 + rows.week // BLOCK_WEEKS
    rows, block = _large_enough(rows, block)
    if not len(rows.series):
        nothing = np.full(len(items), np.nan)
        return Oracle(items, nothing, nothing)
    item = number[rows.series]
    own = item[:, None] == np.arange(len(items))
    design = np.concatenate(
        [
            own * rows.price[:, None],
            own * rows.promotion[:, None],
            _dummies(block),
            _dummies(rows.week)[:, 1:],
        ],
        axis=1,
    )
    coefficients, mean = _poisson(design, rows.units, np.log(rows.days))
    error = _errors(design, rows.units, mean, item * 1000 + rows.week // BLOCK_WEEKS)
    k = len(items)
    return Oracle(items, np.where(np.isinf(error[:k]), np.nan, coefficients[:k]), error[:k])


def _weeks(panel: Panel) -> _Rows:
    """Weeks of a series in which it was open as long as it ever is, at one price."""
    rows: list[tuple[float, ...]] = []
    first = panel.first_date.toordinal() - 1
    weeks = (first + np.arange(panel.days) * panel.step) // 7 - first // 7
    columns = [np.flatnonzero(weeks == week) for week in range(int(weeks[-1]) + 1)]
    for series in range(len(panel)):
        units, price = panel.units[series], panel.price[series]
        said = ~np.isnan(units) & panel.open[series, : panel.days] & (price[: panel.days] > 0)
        usual = max((int(said[days].sum()) for days in columns), default=0)
        for week, days in enumerate(columns):
            on = days[said[days]]
            if len(on) < max(usual - 1, 1):
                continue
            paid, offered = price[on], panel.promotion[series, on]
            if paid.max() - paid.min() > 1e-4 * paid.min() or offered.max() != offered.min():
                continue
            sold = float(units[on].sum(dtype=float))
            rows.append(
                (series, week, sold, len(on), float(np.log(paid[0])), min(float(offered[0]), 1.0))
            )
    table = np.array(rows, float).reshape(-1, 6)
    return _Rows(table[:, 0].astype(np.int64), table[:, 1].astype(np.int64), *table[:, 2:].T)


def _large_enough(rows: _Rows, block: NDArray[np.int64]) -> tuple[_Rows, NDArray[np.int64]]:
    """Without blocks of few weeks, or in which nothing was sold: those have no finite level."""
    _, place, count = np.unique(block, return_inverse=True, return_counts=True)
    kept = (count >= LEAST_ROWS)[place] & (np.bincount(place, rows.units) > 0)[place]
    narrow = [values[kept] for values in rows]
    return _Rows._make(narrow), block[kept]


def _dummies(values: NDArray[np.int64]) -> Floats:
    return np.asarray(values[:, None] == np.unique(values), float)


def _poisson(design: Floats, units: Floats, offset: Floats) -> tuple[Floats, Floats]:
    mean = (units + units.mean()) / 2 + 1e-3
    coefficients = np.zeros(design.shape[1])
    for _ in range(STEPS):
        working = np.log(mean) - offset + (units - mean) / mean
        root = np.sqrt(mean)
        found = lstsq(design * root[:, None], working * root, lapack_driver="gelsy")[0]
        moved = float(np.abs(found - coefficients).max())
        coefficients = found
        mean = np.exp((offset + design @ coefficients).clip(-30.0, 30.0))
        if moved < CLOSE:
            break
    return coefficients, mean


def _errors(design: Floats, units: Floats, mean: Floats, cluster: NDArray[np.int64]) -> Floats:
    """The larger of clustered and quasi-Poisson ones; infinite for what the rows do not tell."""
    square = design.T @ (design * mean[:, None])
    bread = np.linalg.pinv(square, hermitian=True)
    _, place = np.unique(cluster, return_inverse=True)
    scores = np.zeros((int(place.max()) + 1, design.shape[1]))
    np.add.at(scores, place, design * (units - mean)[:, None])
    k = len(scores)
    meat = scores.T @ scores * (k / max(k - 1, 1))
    told = np.diag(bread @ square)  # 1 for a coefficient that is determined
    left = max(len(units) - float(told.sum()), 1.0)
    dispersion = max(float((np.square(units - mean) / mean).sum()) / left, 1.0)
    variance = np.maximum(np.diag(bread @ meat @ bread), dispersion * np.diag(bread))
    return np.where(np.abs(told - 1.0) < DETERMINED, np.sqrt(np.maximum(variance, 0.0)), np.inf)
