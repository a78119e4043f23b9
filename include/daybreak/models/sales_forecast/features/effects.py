"""How far units follow what seasons and trends say of them: what a version has learned of each."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

SEASON, ITEM_SEASON, TREND = EFFECTS = ("season", "item_season", "trend")
"""The season of a category, what that of an item deviates from it (`season`), and the trend of an
item beside all (`trend`)."""
Effects = Mapping[str, float]
"""Of ``EFFECTS``, each from 0 to 1; 0 for one that is not named."""
NO_EFFECTS: Effects = {}


def followed(multiplier: NDArray[Any], effect: float) -> NDArray[Any]:
    """By what units are multiplied, of its dtype, that follow ``effect`` of a multiplier:
    ``1 + effect * (multiplier - 1)``, and 1 where it is unknown."""
    one = multiplier.dtype.type(1)
    if effect == 0:
        return np.ones_like(multiplier)
    moved = one + multiplier.dtype.type(effect) * (multiplier - one)
    return np.asarray(np.where(np.isnan(multiplier), one, moved))
