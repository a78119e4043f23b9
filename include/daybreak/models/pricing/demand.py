"""Units at a price: those that were forecast at the planned one, moved along a demand curve."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Demand:
    """n items in stores over the H periods that a price is judged by.

    ``units`` (n, H, 3): forecast at ``planned`` (n, H), a price in minor units: mean, P10, P90.
    ``free`` (n, H): periods whose price may change; what is promised in a leaflet may not.
    ``elasticity`` (n,), 0 or less: a price that is one per cent higher changes units by so many per
    cent. ``stock`` (n,): more cannot be sold; infinite where it is filled up again.
    """

    units: Floats
    planned: Floats
    free: NDArray[np.bool_]
    elasticity: Floats
    stock: Floats

    def of(self, rows: slice) -> Demand:
        """Of some of the items."""
        return Demand(
            self.units[rows],
            self.planned[rows],
            self.free[rows],
            self.elasticity[rows],
            self.stock[rows],
        )

    def at(self, price: Floats) -> Floats:
        """Units of the free periods at prices (n, W): float64 (n, W, 3), NaN where none is free.

        The curve is one of constant elasticity, u(p) = u(p0) (p / p0)^e, summed over the periods;
        with it, forecasts at different planned prices become one. The quantiles are those of days
        that all turn out alike, which is wider than what days do that differ.
        """
        periods = self.free.sum(axis=1, keepdims=True)
        logs = np.where(self.free, np.log(np.where(self.free, self.planned, 1.0)), 0.0)
        # Around what is usual, powers stay near 1.
        usual = np.exp(logs.sum(axis=1, keepdims=True) / np.maximum(periods, 1))
        moved = np.where(self.free, self.planned / usual, 1.0) ** -self.elasticity[:, None]
        level = (self.units * (moved * self.free)[:, :, None]).sum(axis=1)
        curve = (price / usual) ** self.elasticity[:, None]
        found = np.where(periods[:, :, None] > 0, level[:, None, :] * curve[:, :, None], np.nan)
        return np.asarray(np.minimum(found, self.stock[:, None, None]))


def value_of(objective: str, price: Floats, units: Floats, cost: Floats) -> Floats:
    """What an objective makes of prices (n, W) in minor units and mean units; NaN: not known.

    ``cost`` (n,): NaN where it is unknown, 0 where it is spent already: what has to go brings in
    what is paid for it.
    """
    if objective == "margin":
        return (price - cost[:, None]) * units
    if objective == "revenue":
        return price * units
    # Units alone, also where stock bounds them: of two prices that sell all of it the ties of the
    # solver take the nearer one.
    return units * 100.0
