"""Types that all packages share."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, TypeAlias

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

Float32: TypeAlias = "NDArray[np.float32]"
"""What all scoring is done in."""

Progress = Callable[[str], None]
"""Takes a line that says where long work is."""
