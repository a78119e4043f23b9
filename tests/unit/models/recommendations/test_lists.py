"""Lists against sorting each user's candidates by themselves."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from daybreak.models.recommendations.features.candidates import SOURCES, Candidates
from daybreak.models.recommendations.lists import PLACE_BITS, USER_BITS, best, square

margins = st.floats(width=32, allow_nan=False) | st.sampled_from([0.0, -0.0, 1.0, -1.0, 2.0**-149])
users = st.lists(st.lists(margins, max_size=6), min_size=1, max_size=5)


def found_by(sizes: list[int]) -> Candidates:
    nothing = np.empty((sum(sizes), len(SOURCES)), np.float32)
    offsets = np.concatenate([[0], np.cumsum(sizes)]).astype(np.int64)
    items = np.concatenate([[], *map(np.arange, sizes)]).astype(np.int32)
    return Candidates(offsets, items, nothing, nothing)


@given(users, st.integers(0, 7))
def test_the_best_stand_first_and_equal_ones_in_order_of_ordinal(
    scored: list[list[float]], count: int
) -> None:
    found = found_by([len(one) for one in scored])

    rows = best(found, np.array([m for one in scored for m in one], np.float32), count)

    wanted = [sorted(range(len(one)), key=lambda n: (-one[n], n))[:count] for one in scored]
    begin = found.offsets.tolist()
    assert rows.tolist() == [begin[u] + n for u, one in enumerate(wanted) for n in one]
    assert square(found, rows, count).tolist() == [
        one + [-1] * (count - len(one)) for one in wanted
    ]


@pytest.mark.parametrize("sizes", [[2**PLACE_BITS + 1], [0] * (2**USER_BITS + 1)])
def test_what_does_not_fit_is_refused(sizes: list[int]) -> None:
    found = found_by(sizes)
    with pytest.raises(ValueError, match="at most"):
        best(found, np.zeros(len(found), np.float32), 1)
