"""From integers to float32: the one place where a signal gets its value."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from daybreak.errors import InvalidRequest
from daybreak.types import Float32

Integers = NDArray[np.int64]


def fold(numerator: Integers, denominator: Integers) -> Float32:
    """One division a signal, NaN where the denominator is 0; float32 of the same shape.

    Both are int64: counts, microseconds, smallest units of money. Each is taken for the float64
    next to it, exact below 2^53; the quotient is rounded to float64 and then to float32. IEEE 754
    defines both, so that equal integers give equal bits everywhere.
    """
    found = np.full(numerator.shape, np.nan, np.float64)
    np.divide(numerator, denominator, out=found, where=denominator != 0)
    return found.astype(np.float32)


def integers(values: Any) -> Integers:
    """Whole numbers as int64. Raises ``InvalidRequest`` where one does not fit."""
    try:
        return np.array(values, np.int64)
    except OverflowError:
        raise too_large() from None


def too_large() -> InvalidRequest:
    """The error of a window whose amounts are more than 2^63 of the smallest unit."""
    return InvalidRequest(
        "The amounts of a window add up to more than 2^63 of the smallest unit.",
        remedy="Give the stream fewer `decimals`, or correct its amounts.",
        field="amounts",
    )
