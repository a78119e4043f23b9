"""Six kinds of drift as they come, each from a day on; demand by two sizes."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.drift.nights import Nights, Spoil
from daybreak.facts.panel import BY_SERIES, Panel
from daybreak.models.sales_forecast.features.layout import HISTORY
from daybreak.types import Float32

SHARE_GONE = 1 / 6
SHARE_NEW = 0.4
SHARE_MISSING = 0.3
OFFSET = 0.25
"""By which the swapped version is off, in multiples of the usual level."""


@dataclass(frozen=True)
class Plant:
    """``facts``: what the panel is from a column on. ``spoil``: what rows are. ``swap``: by how
    much the version in force is off."""

    name: str
    facts: Callable[[Panel, int], Panel] | None = None
    spoil: Spoil | None = None
    swap: float = 0.0

    def into(self, nights: Nights, column: int) -> Nights:
        """Nights that go on with it from ``column`` on."""
        planted = nights.copied()
        if self.facts is not None:
            planted.panel = self.facts(nights.panel, column)
        if self.swap:
            planted.version = nights.version.miscalibrated(self.swap)
        return planted


def _units(panel: Panel, column: int) -> Panel:
    """Prices come in cents; where there are none, units in hundreds."""
    if np.isfinite(panel.price[:, :column]).any():
        price = panel.price.copy()
        price[:, column:] *= 100
        return replace(panel, price=price)
    units = panel.units.copy()
    units[:, column:] *= 100
    return replace(panel, units=units)


def _missing(rows: Float32) -> Float32:
    """A join that loses a third of the series: one column of them is empty."""
    spoiled = rows.copy()
    spoiled[: int(SHARE_MISSING * len(rows)), HISTORY.index("deviation")] = np.nan
    return spoiled


def _doubled(panel: Panel, column: int) -> Panel:
    """Twice the units."""
    units = panel.units.copy()
    units[:, column:] *= 2
    return replace(panel, units=units)


def _demand(panel: Panel, column: int) -> Panel:
    """30 % more units: each is sold once more with that chance."""
    units = panel.units.copy()
    after = np.nan_to_num(units[:, column:])
    random = np.random.default_rng(column)
    whole = (after == np.floor(after)).all()
    more = random.binomial(after.astype(np.int64), 0.3) if whole else 0.3 * after
    units[:, column:] += more.astype(np.float32)
    return replace(panel, units=units)


def _gone(panel: Panel, column: int) -> Panel:
    """The first stores stop sending, a sixth of all series; of one store, items."""
    names = panel.store_ids if len(set(panel.store_ids)) > 1 else panel.item_ids
    series, going = 0, set[Any]()
    for name in dict.fromkeys(names.tolist()):
        if series >= SHARE_GONE * len(panel):
            break
        going.add(name)
        series += int((names == name).sum())
    gone = np.isin(names, list(going))
    units = panel.units.copy()
    units[gone, column:] = 0
    return replace(panel, units=units)


def _new(panel: Panel, column: int) -> Panel:
    """As many new series as 40 % of those there are, at three times the price."""
    random = np.random.default_rng(column)
    some = random.choice(len(panel), max(1, int(SHARE_NEW * len(panel))), replace=False)
    wide: dict[str, NDArray[Any]] = {}
    for name in BY_SERIES:
        values = getattr(panel, name)
        wide[name] = np.concatenate([values, values[some]])
    first = len(panel)
    names = [f"{name}-new" for name in panel.item_ids[some].tolist()]
    wide["item_ids"][first:] = names
    for name in ("units", "price"):
        wide[name][first:, :column] = np.nan
    wide["price"][first:] *= 3
    more = {
        name: {key: np.concatenate([values, values[some]]) for key, values in given.items()}
        for name, given in (("covariates", panel.covariates), ("known_from", panel.known_from))
    }
    return replace(panel, **wide, **more)


PLANTS = (
    Plant("a column in other units (× 100)", facts=_units),
    Plant("a feature is missing for 30 % of the series", spoil=_missing),
    Plant("demand + 30 %", facts=_demand),
    Plant("demand doubles", facts=_doubled),
    Plant("a sixth of the stores is gone", facts=_gone),
    Plant("40 % more series, new and dear", facts=_new),
    Plant("another champion, off by a quarter", swap=OFFSET),
)
