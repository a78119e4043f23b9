"""What is priced: items in stores, with all that the rules ask about."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

Int64: TypeAlias = NDArray[np.int64]
Flags: TypeAlias = NDArray[np.bool_]
Names: TypeAlias = NDArray[Any]
"""Text (n,): of fixed width or objects, "" where there is none."""

UNKNOWN = -1


@dataclass(frozen=True)
class Offers:
    """n items in stores, each (store, item) once. Numbers are int64 (n,), money in minor units.

    ``price``: now in force; 0 or less where there is none. ``cost``: ``UNKNOWN``, as any negative
    one. ``since``: whole days from its last change to ``day``, ``UNKNOWN`` where it never changed.
    ``competitor``: what competitors ask, 0 or less where nobody knows, ``competitor_age`` days ago.
    ``stock``: in units, negative where unknown. ``day``: the first one of new prices, which is the
    day after the business date.
    """

    store: Names
    item: Names
    category: Names
    price: Int64
    cost: Int64
    since: Int64
    competitor: Int64
    competitor_age: Int64
    stock: Int64
    day: date

    def __len__(self) -> int:
        return len(self.price)

    def of(self, items: Sequence[str], category: str | None) -> Flags:
        """Which offers are of one of the items, or else of the category; bool (n,)."""
        if category is not None:
            return np.asarray(self.category == category, bool)
        return is_one_of(self.item, items)


def is_one_of(names: Names, wanted: Sequence[str]) -> Flags:
    """Which names are wanted; bool (n,)."""
    if not len(wanted):
        return np.zeros(len(names), bool)
    return np.isin(names, np.array(list(wanted), names.dtype if names.dtype == object else None))
