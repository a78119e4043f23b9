"""From margins to lists."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from daybreak.models.recommendations.features.candidates import Candidates
from daybreak.models.recommendations.features.cells import row_numbers

USER_BITS, PLACE_BITS = 20, 12
"""Of the number that a candidate is sorted by, beside 32 for its margin."""


def best(found: Candidates, margins: NDArray[np.float32], count: int) -> NDArray[np.int64]:
    """Row numbers of each user's first ``count`` candidates, user by user, the best first.

    Equal margins stand in order of ordinal, which is the bytewise order of item ids. None is NaN.
    """
    begin, sizes = found.offsets[:-1], np.diff(found.offsets)
    if len(sizes) > 1 << USER_BITS or sizes.max(initial=0) > 1 << PLACE_BITS:
        raise ValueError(f"{1 << USER_BITS} users of {1 << PLACE_BITS} candidates at most")
    user = np.repeat(np.arange(len(sizes)), sizes)
    # One number whose order is the order wanted: user (from -2^19), falling margin, place.
    # Floats order as their bits do, the negative ones backwards; -0 + 0 is 0.
    bits = (margins + np.float32(0)).view(np.uint32)
    falling = np.where(bits >> 31, bits, ~bits & np.uint32(0x7FFFFFFF))
    keys = falling.astype(np.int64) << PLACE_BITS
    keys += np.arange(len(found)) - begin[user]
    keys += (user - (1 << USER_BITS >> 1)) << (32 + PLACE_BITS)
    keys.sort()
    listed = np.arange(count) < sizes[:, None]
    place = keys[(begin[:, None] + np.arange(count))[listed]] & ((1 << PLACE_BITS) - 1)
    return np.asarray(place + np.repeat(begin, np.minimum(sizes, count)))


def square(found: Candidates, rows: NDArray[np.int64], count: int) -> NDArray[np.int64]:
    """The items of ``best`` as (n, count), -1 past the end of a shorter list."""
    user = row_numbers(found.offsets)[rows]
    place = np.arange(len(rows)) - np.searchsorted(user, user)
    items = np.full((len(found.offsets) - 1, count), -1, np.int64)
    items[user, place] = found.item[rows]
    return items
