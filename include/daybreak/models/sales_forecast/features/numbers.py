"""The one way in which a number of a request becomes the float32 that a model sees.

Facts from the warehouse come the same way, as whole columns: float64, rounded once to the
nearest float32. So a planned price given again in a request has the bits of the plan.
"""

from __future__ import annotations

import numpy as np

EXACT_INTEGERS = 2**24
"""Up to here every whole number has a float32 of its own."""


def to_float32(value: float) -> np.float32:
    """The nearest float32.

    Raises ``ValueError`` for what is not finite, what is too large, and for whole numbers beyond
    ``EXACT_INTEGERS`` that would become another one: two identifiers must never collide.
    """
    with np.errstate(over="ignore"):
        rounded = np.float32(value)
    if not np.isfinite(rounded):
        raise ValueError("is not a finite number that a float32 can hold")
    if abs(value) > EXACT_INTEGERS and value == int(value) and int(rounded) != int(value):
        raise ValueError(f"is a whole number beyond {EXACT_INTEGERS} that a float32 cannot hold")
    return rounded
