"""The true demand at other prices than the shop asked, which no pricing is given."""

from __future__ import annotations

from datetime import date

import numpy as np

from daybreak.sources.synthetic.catalogue import Floats
from daybreak.sources.synthetic.truth import Truth


def units_at(truth: Truth, day: date, price: Floats) -> Floats:
    """Mean demand of every series on ``day`` at another price, all else equal: float64 (n,).

    ``price`` (n,), each above 0, in the currency. Demand follows ``(price / base price) **
    elasticity`` of the item, as planted; a promotion that is planned stays with its own effect.
    0 where the store is closed or the item not carried yet. Stock-outs are left aside.
    """
    column = truth.column(day)
    if not 0 <= column < truth.rate.shape[1]:
        last = np.datetime64(truth.first_date, "D") + (truth.rate.shape[1] - 1)
        raise ValueError(f"the shop is known from {truth.first_date} to {last}, not on {day}")
    elasticity = truth.catalogue.elasticity[truth.item]
    return np.asarray(truth.rate[:, column] * (price / truth.price[:, column]) ** elasticity)
