"""From margins to lists."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from daybreak.models.recommendations.features.candidates import Candidates
from daybreak.models.recommendations.features.cells import row_numbers


def best(found: Candidates, margins: NDArray[np.float32], count: int) -> NDArray[np.int64]:
    """Row numbers of each user's first ``count`` candidates, user by user, the best first.

    Equal margins stand in order of ordinal, which is the bytewise order of item ids.
    """
    user = row_numbers(found.offsets)
    order = np.argsort(-margins, kind="stable")  # candidates stand in order of ordinal
    few = user.astype(np.min_scalar_type(len(found.offsets)))  # small numbers sort by digits
    order = order[np.argsort(few[order], kind="stable")]
    place = np.arange(len(found)) - found.offsets[user]  # users ascend, so places stay theirs
    return np.asarray(order[place < count])


def square(found: Candidates, rows: NDArray[np.int64], count: int) -> NDArray[np.int64]:
    """The items of ``best`` as (n, count), -1 past the end of a shorter list."""
    user = row_numbers(found.offsets)[rows]
    place = np.arange(len(rows)) - np.searchsorted(user, user)
    items = np.full((len(found.offsets) - 1, count), -1, np.int64)
    items[user, place] = found.item[rows]
    return items
