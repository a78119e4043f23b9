"""Sums over the series of an item, a category, a store: what one series alone is too noisy for.

One large series decides none of them: `influence` bounds what a series counts in a sum.
"""

from __future__ import annotations

import zlib
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from daybreak.facts.names import numbered
from daybreak.facts.panel import Panel
from daybreak.models.sales_forecast.features.recent import Matrix

MOST_SERIES = 10.0
"""In a sum over its group a series counts at most like this many of the middle one."""


@dataclass(frozen=True)
class Groups:
    """Which group each series belongs to: numbers from 0, int (n,), in order of the names."""

    item: NDArray[np.intp]
    category: NDArray[np.intp]
    store: NDArray[np.intp]
    shelf: NDArray[np.intp]  # store and category


class Names(NamedTuple):
    """Whose a series is, object (n,) each; the category is "" where nobody knows."""

    store: NDArray[np.object_]
    item: NDArray[np.object_]
    category: NDArray[np.object_]


def names_of(panel: Panel) -> Names:
    """The names of the series of a panel."""
    return Names(panel.store_ids, panel.item_ids, panel.categories)


def groups_of(names: Names) -> Groups:
    """Number the items, categories, stores and shelves of some series."""
    item, category, store = (
        numbered(column)[1] for column in (names.item, names.category, names.store)
    )
    shelf = np.unique(store * (category.max(initial=0) + 1) + category, return_inverse=True)[1]
    return Groups(item, category, store, shelf)


def total(group: NDArray[np.intp], values: Matrix) -> Matrix:
    """Sum of ``values`` (n,) over each group, given back to each of its series."""
    return np.asarray(np.bincount(group, values)[group], np.float64)


def middle(group: NDArray[np.intp], values: Matrix) -> Matrix:
    """Lower median of the known values (n,) of each group, given back to each of its series.

    NaN where none is known. Of two values it is the smaller: the other may be the odd one.
    """
    order = np.lexsort((values, group))  # NaN is last in its group
    known = np.bincount(group, ~np.isnan(values)).astype(np.intp)
    sizes = np.bincount(group)
    place = np.cumsum(sizes) - sizes + np.maximum(known - 1, 0) // 2
    found: Matrix = values[order[place]][group]
    return found


def influence(level: Matrix, usual: Matrix) -> Matrix:
    """What the units of a series are multiplied by in a sum over a group, (n,), at most 1.

    ``level`` of the series and ``usual``, that of the middle series of its category, NaN where
    none is known.
    """
    return np.fmin(1.0, MOST_SERIES * usual / np.maximum(level, 1e-9))


def code(names: NDArray[np.object_]) -> NDArray[np.float32]:
    """A number for each name that stays the same whatever other names there are."""
    distinct, inverse = numbered(names)
    codes = np.array([zlib.crc32(name.encode()) % 65_521 for name in distinct], np.float32)
    return codes[inverse]
