"""The price on the shelf: what an offer asked ends with the offer."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from daybreak.facts.panel import Panel


def shelf_price(panel: Panel) -> NDArray[np.float64]:
    """Prices of the history, (n, T), in the currency; NaN where only an offer's was ever known.

    A panel carries the last known price forward, also that of a promotion, where sales say a price
    only when something is sold and plans only what is promoted. From the day after a promotion up
    to the next sale or another price it is the one before the promotion.
    """
    days = panel.days
    price = panel.price[:, :days].astype(np.float64)
    offered = panel.promotion[:, :days] > 0
    moved = np.ones(price.shape, bool)
    moved[:, 1:] = price[:, 1:] != price[:, :-1]
    said = ~offered & ((panel.units > 0) | moved)
    carried = ~offered & (_newest(offered) > _newest(said))
    before = _newest(~offered & ~carried)
    known = np.take_along_axis(price, np.maximum(before, 0), axis=1)
    return np.where(carried, np.where(before >= 0, known, np.nan), price)


def _newest(which: NDArray[np.bool_]) -> NDArray[np.int64]:
    """The last column up to each at which it is so, -1 where none is."""
    columns = np.where(which, np.arange(which.shape[1]), -1)
    return np.maximum.accumulate(columns, axis=1)
