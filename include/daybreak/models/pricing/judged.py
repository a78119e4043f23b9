"""The days that a price is judged by: as bits in a row of float32, and as text in a column."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from daybreak.models.base import Float32
from daybreak.models.pricing.layout import DAYS

_BITS = 24
"""Whole numbers below 2^24 are exact as float32."""
MOST = _BITS * len(DAYS)
"""The forecast goes 92 days ahead at most."""


def pack(free: NDArray[np.bool_]) -> dict[str, NDArray[np.float64]]:
    """Columns of the snapshot (n,) from ``free`` (n, H), H at most ``MOST``: day by day after the
    business date, whether it counts. Weeks where the data set has weeks."""
    n, periods = free.shape
    if periods > MOST:
        raise ValueError(f"{periods} days ahead are more than {MOST}")
    bits = np.zeros((n, MOST), bool)
    bits[:, :periods] = free
    worth = 2.0 ** np.arange(_BITS)
    words = bits.reshape(n, len(DAYS), _BITS) @ worth
    return {name: words[:, place] for place, name in enumerate(DAYS)}


def as_text(words: Float32) -> NDArray[np.object_]:
    """``1101000``: a sign a day up to the last that counts, 1 for each that does; of ``words``
    (n, 4), the columns that ``pack`` made."""
    kinds, place = np.unique(words, axis=0, return_inverse=True)
    bits = kinds.astype(np.int64)[:, :, None] >> np.arange(_BITS) & 1
    texts = ["".join(map(str, row)).rstrip("0") for row in bits.reshape(len(kinds), -1).tolist()]
    found: NDArray[np.object_] = np.array([*texts, None], object)[:-1][place.reshape(-1)]
    return found
