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
    effect = _unaffected(cells, tree, run)
    first = np.flatnonzero(starts)
    last = np.append(first[1:], len(cells)) - 1
    place = np.arange(1, len(first))
    here, there = first[place], last[place - 1]
    step = cells.price[here] - cells.price[there]
    gap = cells.week[here] - cells.week[there]
    kept = (cells.series[here] == cells.series[there]) & (cells.week[here] >= since)
    kept &= (np.abs(step) >= LEAST_CHANGE) & (gap <= SPAN)
    kept &= np.abs(cells.promotion[here] - cells.promotion[there]) <= SAME_PROMOTION
    place, here, there, step = place[kept], here[kept], there[kept], step[kept]
    worth = cells.exposure * effect

    def beside(values: Floats, which: NDArray[np.intp], near: NDArray[np.bool_]) -> Floats:
        return summed(run, np.where(near, values, 0.0), len(first))[which]

    begin, end = cells.week[first], cells.week[last]
    early, late = cells.week - begin[run] < SPAN, end[run] - cells.week < SPAN
    before, after = beside(cells.units, place - 1, late), beside(cells.units, place, early)
    odds = beside(worth, place, early) / beside(worth, place - 1, late)
    sold = before + after > 0
    return Changes(
        cells.series[here][sold],
        cells.week[here][sold],
        step[sold],
        before[sold],
        after[sold],
        odds[sold],
    )


def _runs(cells: Cells) -> NDArray[np.bool_]:
    """Which cells begin a run: another series, or another price or promotion, (m,)."""
    other = np.ones(len(cells), bool)
    other[1:] = cells.series[1:] != cells.series[:-1]
    other[1:] |= np.abs(np.diff(cells.price)) > SAME_PRICE
    other[1:] |= np.abs(np.diff(cells.promotion)) > SAME_PROMOTION
    return other


def _unaffected(cells: Cells, tree: Tree, run: NDArray[np.intp]) -> Floats:
    """What cells of the category that stay at one price for long sold in the week of each, over
    what is usual of them at that price, (m,); 1 where there are none."""
    weeks = int(cells.week.max(initial=0)) + 1
    runs = int(run.max(initial=0)) + 1
    long = summed(run, np.ones(len(cells)), runs) > 2 * SPAN
    worth = summed(run, cells.exposure, runs)
    level = summed(run, cells.units, runs) / worth
    usual = long[run]
    period = tree.category[tree.item[cells.series]] * weeks + cells.week
    size = tree.categories * weeks
    sold = summed(period, np.where(usual, cells.units, 0.0), size)
    expected = summed(period, np.where(usual, level[run] * cells.exposure, 0.0), size)
    return np.asarray(((sold + PRIOR_UNITS) / (expected + PRIOR_UNITS))[period])
