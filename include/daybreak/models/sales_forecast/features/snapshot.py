"""A whole snapshot row: what is known of a series, then what is known of each day ahead.

A panel gives all rows at once: training does that, and it is what the shards of a night, which
`shards` makes one by one, have to equal bit for bit.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from daybreak.facts.panel import Panel
from daybreak.models.sales_forecast.features.ahead import complete, known_ahead
from daybreak.models.sales_forecast.features.history import LEAST_SCALE, history
from daybreak.models.sales_forecast.features.layout import HISTORY


def snapshot(panel: Panel, origin: int | None = None) -> NDArray[np.float32]:
    """Snapshot rows as of a column (default: the business date), float32 (n, S):
    as many days ahead as the panel has.

    Rows of an earlier origin are those that a panel ending there would give, but for plans that
    were changed in between. Statistics of items, categories and stores are over the panel's series.
    """
    origin = panel.days - 1 if origin is None else origin
    before, seasons = history(panel, origin)
    return whole_rows(before, known_ahead(panel, origin), seasons)


def whole_rows(
    before: NDArray[np.float32], ahead: NDArray[np.float32], seasons: NDArray[np.float32]
) -> NDArray[np.float32]:
    """The history block and the ahead block of some series; ``ahead`` is completed in place."""
    scale = np.maximum(before[:, HISTORY.index("scale")], np.float32(LEAST_SCALE))
    complete(ahead, scale, seasons)
    return np.concatenate([before, ahead], axis=1)
