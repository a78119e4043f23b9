"""Demand at a price: units at a price are those at the planned one times (price / planned) ** e.

The elasticity ``e`` is a model of its own, over the published sales forecast, whose numbers it
leaves as they are: at the planned price the factor is 1, so the forecast's accuracy is the same
with it and without. ``e`` is never positive, so that demand never rises with the price.

It comes from what an item's own price changes did, each beside the weeks around it
(`elasticity.fit`), shrunk to its category and that to all (`elasticity.pooling`). A night asks in
two steps that fit the snapshot's: ``statistics`` of a range of series, then ``responses`` of all.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import IntEnum
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import log_ndtr, ndtri_exp

from daybreak.facts.names import numbered
from daybreak.facts.panel import Panel
from daybreak.models.arrays import from_names, to_names
from daybreak.models.base import Part
from daybreak.models.pricing.elasticity.cells import Cells, Floats, cells_of
from daybreak.models.pricing.elasticity.fit import Fit, Fitter
from daybreak.models.pricing.elasticity.hyper import Hyper
from daybreak.models.pricing.elasticity.pooling import Level, Tree

LOW, HIGH = 0.1, 0.9
"""Quantiles of the interval."""
CERTAIN = 0.9
"""Chance that demand falls with the price, below which no elasticity is given."""
LARGEST_DEVIATION = 1.0
"""Of an elasticity that is given. Elasticities of retail products lie about -2.6 with a deviation
of 2.2 (Bijmolt, van Heerde and Pieters 2005): what leaves most of that open tells a price nothing.
"""
MINE = 0.5
"""Weight of its own data from which on an answer is called its own."""

_VALUES = ("units", "exposure", "price", "promotion")
_NAMES = ("item", "category")


class Basis(IntEnum):
    """What an elasticity rests on; the last three say why there is none."""

    OWN = 0
    CATEGORY = 1
    SHOP = 2
    NOT_MOVED = 3
    UNSURE = 4
    NOT_FALLING = 5


REFUSED = Basis.NOT_MOVED
REASONS: Mapping[Basis, str] = {
    Basis.OWN: "mostly from the item's own price changes",
    Basis.CATEGORY: "mostly from price changes in its category",
    Basis.SHOP: "mostly from price changes in the whole shop",
    Basis.NOT_MOVED: "no price moved, neither of the item nor in its category nor in the shop",
    Basis.UNSURE: "prices moved too little to tell what demand does",
    Basis.NOT_FALLING: "where its price rose, demand did not clearly fall",
}


@dataclass(frozen=True)
class Estimates:
    """Elasticities of k series (or categories), float64 (k,): the mean and the 10 and 90 %
    quantiles of what is known, NaN where there is none. ``own_weight``: how much of it is the own
    data of the item, in all stores (of the category), 0 to 1. ``basis``: int8, of ``Basis``."""

    elasticity: Floats
    low: Floats
    high: Floats
    own_weight: Floats
    basis: NDArray[np.int8]

    @property
    def refused(self) -> NDArray[np.bool_]:
        """Which have no elasticity."""
        return self.basis >= REFUSED


@dataclass(frozen=True)
class Responses:
    """``series``: in key order. ``names``: of the categories, object, beside ``categories``."""

    series: Estimates
    names: NDArray[np.object_]
    categories: Estimates


def periods(step: int) -> int:
    """Columns of a panel that responses are estimated from: 60 weeks of days, or two years of
    weeks, which are as many cells or more."""
    return 420 if step == 1 else 104


def statistics(panels: Iterable[Panel]) -> Part:
    """What is kept of a range of series, in key order, some 1.5 kB each.

    All panels of a night begin on the same day. ``cells`` int32 (n,): how many each series has;
    ``week`` int16 and the others float32, (m,), as in `Cells`; names of items and categories.
    """
    found = [(panel, cells_of(panel)) for panel in panels]
    kept: dict[str, NDArray[Any]] = {
        name: np.concatenate([getattr(cells, name) for _, cells in found]).astype(np.float32)
        for name in _VALUES
    }
    counts = [np.bincount(cells.series, minlength=cells.count) for _, cells in found]
    kept["cells"] = np.concatenate(counts).astype(np.int32)
    kept["week"] = np.concatenate([cells.week for _, cells in found]).astype(np.int16)
    for name, names in (
        ("item", [panel.item_ids for panel, _ in found]),
        ("category", [panel.categories for panel, _ in found]),
    ):
        kept[name] = from_names(np.concatenate(names))
    return kept


def responses(parts: Sequence[Part], hyper: Hyper) -> Responses:
    """What is known of each series and category, from the parts of all series in key order."""
    cells, tree, names = gathered(parts)
    return known(Fitter(cells, tree).fit(hyper), tree, names)


def gathered(parts: Sequence[Part]) -> tuple[Cells, Tree, NDArray[np.object_]]:
    """The cells of all series, which item and category each is of, and the categories' names."""
    counts = np.concatenate([part["cells"] for part in parts])
    values = {
        name: np.concatenate([part[name] for part in parts]).astype(np.float64) for name in _VALUES
    }
    cells = Cells(
        count=len(counts),
        series=np.repeat(np.arange(len(counts)), counts),
        week=np.concatenate([part["week"] for part in parts]).astype(np.int64),
        **values,
    )
    items, categories = (
        np.concatenate([to_names(part[name]) for part in parts]) for name in _NAMES
    )
    names, category = numbered(categories)
    distinct, item = numbered(items)
    category_of = np.zeros(len(distinct), np.intp)
    category_of[item] = category
    return cells, Tree(item, category_of, len(names)), names


def known(fit: Fit, tree: Tree, names: NDArray[np.object_]) -> Responses:
    """What a fit says, as it is answered."""
    price = fit.price
    of_category = price.category.own[tree.category][tree.item]
    beside_item = 1.0 - price.item.own[tree.item]
    own = 1.0 - (1.0 - price.series.own) * beside_item
    kin = np.where(of_category >= MINE, Basis.CATEGORY, Basis.SHOP)
    basis = np.where(own >= MINE, Basis.OWN, kin)
    own_category = price.category.own
    alone = np.where(own_category >= MINE, Basis.CATEGORY, Basis.SHOP)
    return Responses(
        _estimates(price.series, own, basis),
        names,
        _estimates(price.category, own_category, alone),
    )


def _estimates(level: Level, own: Floats, basis: NDArray[Any]) -> Estimates:
    """The posterior, a normal variate, given that demand does not rise with the price."""
    moved = np.isfinite(level.variance)
    deviation = np.sqrt(np.where(moved, level.variance, 1.0))
    falling = -level.mean / deviation
    chance = log_ndtr(falling)
    refused = (
        (Basis.NOT_MOVED, ~moved),
        (Basis.UNSURE, deviation > LARGEST_DEVIATION),
        (Basis.NOT_FALLING, chance < np.log(CERTAIN)),
    )
    found = np.select([which for _, which in refused], [why for why, _ in refused], basis)
    given = found < REFUSED

    def answered(values: Floats) -> Floats:
        return np.where(given, values, np.nan)

    def quantile(share: float) -> Floats:
        return np.asarray(level.mean + deviation * ndtri_exp(np.log(share) + chance))

    density = np.exp(-0.5 * np.square(falling) - 0.5 * np.log(2.0 * np.pi) - chance)
    return Estimates(
        elasticity=answered(level.mean - deviation * density),
        low=answered(quantile(LOW)),
        high=answered(quantile(HIGH)),
        own_weight=np.where(moved, own, 0.0),
        basis=found.astype(np.int8),
    )
