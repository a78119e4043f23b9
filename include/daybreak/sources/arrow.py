"""Arrow's compute functions, and arrays whose value type is only known when a file is open.

The published stubs type each function by value kind, which code that reads any column cannot
give; so both are ``Any`` here, once, instead of a cast in every line.
"""

from __future__ import annotations

from typing import Any, TypeAlias

import numpy as np
import pyarrow.compute
from numpy.typing import NDArray

Array: TypeAlias = Any
"""A ``pyarrow.Array`` of some scalar type."""

Mask = NDArray[np.bool_]

compute: Any = pyarrow.compute
array: Any = pyarrow.array
scalar: Any = pyarrow.scalar


def as_mask(values: Array) -> Mask:
    """Arrow booleans as numpy, null as false."""
    return np.asarray(compute.fill_null(values, False).to_numpy(zero_copy_only=False), dtype=bool)
