"""Names as numbers. Python's str, as a numpy array of text is as wide as its longest."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray


def numbered(names: NDArray[Any]) -> tuple[NDArray[np.object_], NDArray[np.intp]]:
    """The distinct ones of ``names`` (n,) in bytewise order, object; and which each is, (n,)."""
    plain = names.tolist()
    distinct = np.array([*sorted(set(plain)), None], object)[:-1]
    place = {name: number for number, name in enumerate(distinct.tolist())}
    return distinct, np.fromiter((place[name] for name in plain), np.intp, len(plain))


def place_of(
    names: NDArray[Any], among: NDArray[Any]
) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
    """Where each of ``names`` stands in ``among``, 0 where it does not; and whether it does."""
    place = {name: number for number, name in enumerate(among.tolist())}
    found = np.fromiter((place.get(name, -1) for name in names.tolist()), np.int64, len(names))
    return np.maximum(found, 0), found >= 0
