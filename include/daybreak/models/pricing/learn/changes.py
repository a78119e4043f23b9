"""Real price changes in weeks that were not learned from, and what demand did.

A change is a step of a series' price while its promotion stayed what it was. Units of up to
``SPAN`` weeks after it are held against those of up to ``SPAN`` weeks before it, of which the part
that the category's unaffected series saw as well is taken off. No forecast takes part.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields

import numpy as np
from numpy.typing import NDArray

from daybreak.models.pricing.elasticity.cells import SAME_PRICE, Cells, Floats
from daybreak.models.pricing.elasticity.pooling import Tree, summed

SPAN = 4
LEAST_CHANGE = 0.02
"""Of the log of a price: 2 %."""
SAME_PROMOTION = 0.05
PRIOR_UNITS = 50.0
"""Units at which half of what unaffected series say of a week is believed."""


@dataclass(frozen=True)
class Changes:
    """``k`` changes: ``series`` and ``week`` of each, ``change`` of the log of the price;
    ``before`` and ``after``: units, float64 (k,). ``odds``: units after over those before, had the
    price not moved."""

    series: NDArray[np.int64]
    week: NDArray[np.int64]
    change: Floats
    before: Floats
    after: Floats
    odds: Floats

    def __len__(self) -> int:
        return len(self.series)

    def where(self, keep: NDArray[np.bool_]) -> Changes:
        """Some of them."""
        return Changes(**{name: getattr(self, name)[keep] for name in _FIELDS})

    @classmethod
    def joined(cls, some: Sequence[Changes]) -> Changes:
        """Those of several spans."""
        return cls(
            **{name: np.concatenate([getattr(one, name) for one in some]) for name in _FIELDS}
        )

    def share(self, elasticity: Floats) -> Floats:
        """Of the units of both sides, what is to be sold after the change, (k,)."""
        logs = np.log(self.odds) + elasticity * self.change
        return np.asarray(1.0 / (1.0 + np.exp(-logs.clip(-30.0, 30.0))))


_FIELDS = tuple(field.name for field in fields(Changes))


def changes_of(cells: Cells, tree: Tree, since: int) -> Changes:
    """Those from the week ``since`` on, of cells with weeks before it, too."""
    starts = _runs(cells)
    run = np.cumsum(starts) - 1
    first = np.flatnonzero(starts)
    last = np.append(first[1:], len(cells)) - 1
    place = np.arange(1, len(first))
    here, there = first[place], last[place - 1]
    step = cells.price[here] - cells.price[there]
    gap = cells.week[here] - cells.week[there]
    kept = (cells.series[here] == cells.series[there]) & (cells.week[here] >= since)
    kept &= (np.abs(step) >= LEAST_CHANGE) & (gap <= SPAN)
    kept &= np.abs(cells.promotion[here] - cells.promotion[there]) <= SAME_PROMOTION
    place, here, step = place[kept], here[kept], step[kept]
    category = tree.category[tree.item[cells.series]]
    found = np.zeros((3, len(place)))
    for week in np.unique(cells.week[here]):
        these = np.flatnonzero(cells.week[here] == week)
        near = np.flatnonzero(np.abs(cells.week - week + 0.5) < SPAN)
        some = cells.where(near)
        lasts = (cells.week[first] <= week - SPAN) & (cells.week[last] >= week + SPAN - 1)
        effect = _unaffected(some, category[near], lasts[run[near]], run[near])
        worth, late = some.exposure * effect, some.week >= week
        sums = [
            summed(run[near], np.where(side, values, 0.0), len(first))
            for values in (some.units, worth)
            for side in (~late, late)
        ]
        before, after = place[these] - 1, place[these]
        with np.errstate(divide="ignore", invalid="ignore"):
            odds = sums[3][after] / sums[2][before]
        found[:, these] = sums[0][before], sums[1][after], odds
    told = (found[0] + found[1] > 0) & np.isfinite(found[2]) & (found[2] > 0)
    return Changes(cells.series[here][told], cells.week[here][told], step[told], *found[:, told])


def _runs(cells: Cells) -> NDArray[np.bool_]:
    """Which cells begin a run: another series, or another price or promotion, (m,)."""
    other = np.ones(len(cells), bool)
    other[1:] = cells.series[1:] != cells.series[:-1]
    other[1:] |= np.abs(np.diff(cells.price)) > SAME_PRICE
    other[1:] |= np.abs(np.diff(cells.promotion)) > SAME_PROMOTION
    return other


def _unaffected(
    cells: Cells, category: NDArray[np.intp], usual: NDArray[np.bool_], run: NDArray[np.intp]
) -> Floats:
    """What the category's series sold in the week of each cell over what they sold on average of
    these weeks, (m,), where their price stayed in all of them (``usual``); 1 where there are none.
    """
    runs = int(run.max(initial=0)) + 1
    level = summed(run, cells.units, runs) / np.maximum(summed(run, cells.exposure, runs), 1e-9)
    period = category * (int(cells.week.max(initial=0)) + 1) + cells.week
    size = int(period.max(initial=0)) + 1
    sold = summed(period, np.where(usual, cells.units, 0.0), size)
    expected = summed(period, np.where(usual, level[run] * cells.exposure, 0.0), size)
    return np.asarray(((sold + PRIOR_UNITS) / (expected + PRIOR_UNITS))[period])
