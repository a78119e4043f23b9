"""Sparse rows sorted by score without a loop over rows.

Row, score and column go into one unsigned 64-bit number whose order is the order wanted: by row,
then highest score first, then by column. Sorting numbers is many times quicker than sorting
indices by several keys, and there are no ties left whose order could change.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

ROW_BITS, SCORE_BITS, COLUMN_BITS = 11, 31, 22
MOST_ROWS = 1 << ROW_BITS
MOST_COLUMNS = 1 << COLUMN_BITS


@dataclass(frozen=True)
class Ranked:
    """Entries by row, best first. ``row``, ``column``: int64; ``score``: float32 > 0.

    ``rank``: int64, 0 is the best of its row.
    """

    row: NDArray[np.int64]
    column: NDArray[np.int64]
    score: NDArray[np.float32]
    rank: NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.row)

    def best(self, count: int) -> Ranked:
        """At most ``count`` entries of each row."""
        kept = self.rank < count
        return Ranked(self.row[kept], self.column[kept], self.score[kept], self.rank[kept])


def ranked(
    row: NDArray[np.integer], column: NDArray[np.integer], score: NDArray[np.float32]
) -> Ranked:
    """Order the entries (m,) of a sparse matrix; entries that are not above 0 are left out.

    Each (row, column) comes once. ``row`` < 2^11, ``column`` < 2^22: more raise ``ValueError``.
    """
    kept = score > 0
    row, column, score = row[kept], column[kept], score[kept]
    if len(row) and (row.max() >= MOST_ROWS or column.max() >= MOST_COLUMNS):
        raise ValueError(f"a batch holds {MOST_ROWS} rows of {MOST_COLUMNS} columns at most")
    # Positive float32 order as their bits do; the sign bit is always 0, so 31 bits suffice.
    bits = np.ascontiguousarray(score, np.float32).view(np.uint32).astype(np.uint64)
    inverted = np.uint64((1 << SCORE_BITS) - 1) - bits
    keys = (
        (row.astype(np.uint64) << np.uint64(SCORE_BITS + COLUMN_BITS))
        | (inverted << np.uint64(COLUMN_BITS))
        | column.astype(np.uint64)
    )
    keys.sort()
    rows = (keys >> np.uint64(SCORE_BITS + COLUMN_BITS)).astype(np.int64)
    inverted = (keys >> np.uint64(COLUMN_BITS)) & np.uint64((1 << SCORE_BITS) - 1)
    scores = (np.uint64((1 << SCORE_BITS) - 1) - inverted).astype(np.uint32).view(np.float32)
    columns = (keys & np.uint64(MOST_COLUMNS - 1)).astype(np.int64)
    starts = np.searchsorted(rows, rows)
    return Ranked(rows, columns, scores, np.arange(len(rows)) - starts)
