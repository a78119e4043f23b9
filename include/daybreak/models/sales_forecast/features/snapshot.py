"""A whole snapshot row: what is known of a series, then what is known of each day ahead."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from daybreak.facts.panel import Panel
from daybreak.models.sales_forecast.features.ahead import ahead
from daybreak.models.sales_forecast.features.groups import groups_of
from daybreak.models.sales_forecast.features.history import LEAST_SCALE, history
from daybreak.models.sales_forecast.features.layout import HISTORY


def snapshot(panel: Panel, origin: int | None = None) -> NDArray[np.float32]:
    """Snapshot rows as of a column (default: the business date), float32 (n, len(LAYOUT)).

    Rows of an earlier origin are those that a panel ending there would give, but for plans that
    were changed in between. Statistics of items, categories and stores are over the panel's series.
    """
    origin = panel.days - 1 if origin is None else origin
    groups = groups_of(panel)
    before, year = history(panel, origin, groups)
    scale = np.maximum(before[:, HISTORY.index("scale")], np.float32(LEAST_SCALE))
    return np.concatenate([before, ahead(panel, origin, groups, year, scale)], axis=1)
