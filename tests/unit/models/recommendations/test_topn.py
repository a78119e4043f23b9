"""Packed sorting against sorting tuples, one row after the other."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from daybreak.models.recommendations.features.topn import MOST_COLUMNS, MOST_ROWS, ranked

scores = st.floats(-1, 2.0**100, width=32) | st.sampled_from([0.0, 1.0, 1.5, float("nan"), 1e-45])
cells = st.dictionaries(
    st.tuples(st.integers(0, 5) | st.just(MOST_ROWS - 1), st.integers(0, 9)), scores
)


@given(cells, st.integers(0, 4), st.randoms())
def test_rows_are_sorted_by_score_then_column(
    matrix: dict[tuple[int, int], float], count: int, random: object
) -> None:
    entries = list(matrix.items())
    random.shuffle(entries)  # type: ignore[attr-defined]
    entries.sort(key=lambda entry: entry[0][0])
    row = np.array([key[0] for key, _ in entries], np.int64)
    column = np.array([key[1] for key, _ in entries], np.int64)
    score = np.array([value for _, value in entries], np.float32)

    found = ranked(np.bincount(row, minlength=MOST_ROWS), column, score)

    kept = [(r, c, np.float32(s)) for (r, c), s in entries if np.float32(s) > 0]
    wanted = sorted(kept, key=lambda entry: (entry[0], -float(entry[2]), entry[1]))
    assert list(zip(found.row, found.column, found.score, strict=True)) == wanted
    ranks: dict[int, int] = {}
    expected = []
    for r, _, _ in wanted:
        expected.append(ranks.get(r, 0))
        ranks[r] = ranks.get(r, 0) + 1
    assert found.rank.tolist() == expected

    best = found.best(count)
    assert list(zip(best.row, best.column, strict=True)) == [
        entry[:2] for entry, rank in zip(wanted, expected, strict=True) if rank < count
    ]


@pytest.mark.parametrize(("rows", "column"), [(MOST_ROWS + 1, 0), (1, MOST_COLUMNS)])
def test_what_does_not_fit_is_refused(rows: int, column: int) -> None:
    counts = np.zeros(rows, np.int64)
    counts[-1] = 1
    with pytest.raises(ValueError, match="at most"):
        ranked(counts, np.array([column]), np.ones(1, np.float32))
