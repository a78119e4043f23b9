"""The standard error of a ratio whose observations are few: weeks of a shop, not its rows."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


def error_of_ratio(above: NDArray[np.float64], below: NDArray[np.float64]) -> float | None:
    """Standard error of ``above.sum() / below.sum()``, each observation one of (k,).

    None of fewer than two, or where there is nothing below. Cochran, Sampling Techniques, 1977,
    section 6.3.
    """
    count, total = len(above), below.sum()
    if count < 2 or not total > 0:
        return None
    gaps = np.square(above - above.sum() / total * below).sum()
    return float(np.sqrt(gaps * count / (count - 1)) / total)
