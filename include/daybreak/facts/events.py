"""Interactions as columns of numbers: the one form in which they leave the warehouse."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

Further: TypeAlias = Mapping[str, tuple[str, ...]]
"""Item to its categories after the first one."""

UNKNOWN_USER = -1
PURCHASE = 1.0
"""Lists are judged by events of this weight or more; lesser ones are hints."""


@dataclass(frozen=True)
class Events:
    """``m`` interactions of ``U`` users with ``N`` items, user by user, each in order of time.

    ``user_ids``: object (U,), ``item_ids``: object (N,), both in bytewise order.
    ``categories``: object (N,), '' where an item has none. ``further``: those after the first, of
    items that have several.
    ``user``: int32 (m,), ``UNKNOWN_USER`` where there is none; those come first.
    ``item``: int32 (m,). ``day``: int32 (m,), business date in days since 1970-01-01.
    ``at``: int64 (m,), microseconds since 1970-01-01 UTC.
    ``basket``: int64 (m,); events of one basket share it, 0 where no basket is known.
    ``weight``, ``quantity``, ``price``: float64 (m,); NaN where quantity or price is unknown.
    """

    user_ids: NDArray[np.object_]
    item_ids: NDArray[np.object_]
    categories: NDArray[np.object_]
    user: NDArray[np.int32]
    item: NDArray[np.int32]
    day: NDArray[np.int32]
    at: NDArray[np.int64]
    basket: NDArray[np.int64]
    weight: NDArray[np.float64]
    quantity: NDArray[np.float64]
    price: NDArray[np.float64]
    further: Further = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.item)
