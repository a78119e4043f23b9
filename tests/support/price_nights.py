"""Nights of prices by hand: ten units a period at 1.00, and what was chosen."""

from __future__ import annotations

from typing import Any

import numpy as np

from daybreak.models.pricing.choice.offers import Offers
from daybreak.models.pricing.demand import Demand
from daybreak.models.pricing.layout import VALUES
from daybreak.models.pricing.night import Interval, Night, decide
from daybreak.prices.rules import Rules

PERIODS = 3


def demand(*elasticity: float, units: float | list[float] = 10.0, **more: Any) -> Demand:
    """``units`` a period, on the mean; a P10 and a P90 of 0.4 and 2 times as many."""
    n = len(elasticity)
    usual: dict[str, Any] = {
        "units": np.broadcast_to(units, n)[:, None, None] * np.tile([1.0, 0.4, 2.0], (PERIODS, 1)),
        "planned": np.full((n, PERIODS), 100.0),
        "free": np.ones((n, PERIODS), bool),
        "elasticity": np.array(elasticity),
        "stock": np.full(n, np.inf),
    }
    return Demand(**usual | more)


def night(offers: Offers, wanted: Demand, rules: Rules, *, spent: bool = False) -> Night:
    """The night of these; ``spent``: the stock of all has to go."""
    interval = Interval(wanted.elasticity - 0.2, wanted.elasticity + 0.2)
    return decide(offers, wanted, interval, rules, spent=np.full(len(offers), spent))


def column(found: Night, name: str) -> list[float]:
    """A value of each row."""
    values: list[float] = found.values[:, VALUES.index(name)].tolist()
    return values


def prices(found: Night) -> list[float]:
    """Of each row, the price that was chosen."""
    chosen = np.array(column(found, "chosen"), np.int64)
    made: list[float] = found.records[found.offsets[:-1] + chosen, 0].tolist()
    return made
