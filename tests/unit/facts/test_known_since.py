"""Since when the value in force of a day is known: as one would find it row by row."""

from __future__ import annotations

import math

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from daybreak.facts.pivot import NEVER, known_since, latest

ROW = st.tuples(
    st.integers(-1, 2),  # series; -1 is none of those that are asked about
    st.integers(0, 2),  # day
    st.integers(0, 5),  # loaded_at
    st.sampled_from([math.nan, 1.0, 2.0]),
)


def walked(rows: list[tuple[int, int, int, float, int]], series: int, day: int) -> int:
    since, value = NEVER, math.nan
    for _, _, loaded_at, one, _ in sorted(
        (row for row in rows if row[:2] == (series, day)), key=lambda row: (row[2], row[4])
    ):
        if one != value:  # also where one of them is not known
            since, value = loaded_at, one
    return NEVER if math.isnan(value) else since


@given(given_rows=st.lists(ROW, max_size=12))
def test_a_value_is_known_since_the_first_row_that_says_it_without_a_break(
    given_rows: list[tuple[int, int, int, float]],
) -> None:
    rows = [(*row, load_id) for load_id, row in enumerate(given_rows)]
    table = np.array(rows, float).reshape(len(rows), 5)
    series, day, loaded_at, _, load_id = np.nan_to_num(table).T.astype(np.int64)
    columns = {"day": day, "loaded_at": loaded_at, "load_id": load_id, "value": table[:, 3]}

    found = known_since((3, 3), series, columns, "value")

    expected = [[walked(rows, one, at) for at in range(3)] for one in range(3)]
    assert found.tolist() == expected
    in_force = latest((3, 3), series, columns).matrix("value")
    assert ((found < NEVER) == ~np.isnan(in_force)).all()
