"""The standard error of a ratio whose observations are few: weeks of a shop, not its rows."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]


def error_of_ratio(above: Floats, below: Floats, *clusters: NDArray[np.integer]) -> float | None:
    """Standard error of ``above.sum() / below.sum()``, (m,) each.

    ``clusters``: labels, (m,) each; what shares a label is one observation. Few observations may
    agree by chance, so the largest error that any of them gives counts. None where none gives one:
    of fewer than two observations, or where there is nothing below.
    """
    errors = [_error(above, below, labels) for labels in clusters]
    return max((error for error in errors if error is not None), default=None)


def _error(above: Floats, below: Floats, labels: NDArray[np.integer]) -> float | None:
    """Cochran, Sampling Techniques, 1977, section 6.3."""
    _, place = np.unique(labels, return_inverse=True)
    above, below = (np.bincount(place, values).astype(np.float64) for values in (above, below))
    count, total = len(above), below.sum()
    if count < 2 or not total > 0:
        return None
    gaps = np.square(above - above.sum() / total * below).sum()
    return float(np.sqrt(gaps * count / (count - 1)) / total)
