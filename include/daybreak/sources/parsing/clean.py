"""Canonical rows, parsed and checked: what goes from parsing to the warehouse."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from daybreak.sources.arrow import Array
from daybreak.sources.parsing.tally import BadRow


@dataclass(frozen=True)
class Clean:
    """Canonical rows of one chunk. ``columns``: name -> Arrow array (n,), nulls allowed."""

    columns: Mapping[str, Array]
    row_numbers: NDArray[np.int64]
    bad: tuple[BadRow, ...]

    def __len__(self) -> int:
        return len(self.row_numbers)
