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

_SCORES = np.uint32((1 << SCORE_BITS) - 1)
_COLUMNS = np.uint64(MOST_COLUMNS - 1)


@dataclass(frozen=True)
class Ranked:
    """Entries by row, best first.

    ``keys``: uint64 (m,), ascending. ``counts``: int64 (n,), entries of each row. What was packed
    is taken out of the keys where it is asked for: of most entries nobody wants to know more than
    where they are.
    """

    keys: NDArray[np.uint64]
    counts: NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.keys)

    @property
    def row(self) -> NDArray[np.int64]:
        """Int64 (m,), ascending."""
        return np.repeat(np.arange(len(self.counts)), self.counts)

    @property
    def column(self) -> NDArray[np.int64]:
        """Int64 (m,)."""
        return (self.keys & _COLUMNS).view(np.int64)

    @property
    def score(self) -> NDArray[np.float32]:
        """Float32 (m,), above 0."""
        inverted = (self.keys >> np.uint64(COLUMN_BITS)).astype(np.uint32) & _SCORES
        return (_SCORES - inverted).view(np.float32)

    @property
    def rank(self) -> NDArray[np.int64]:
        """Int64 (m,); 0 is the best of its row."""
        return np.arange(len(self)) - np.repeat(self._starts, self.counts)

    @property
    def _starts(self) -> NDArray[np.int64]:
        return np.cumsum(self.counts) - self.counts

    def cells(self, columns: int) -> NDArray[np.int64]:
        """Where the entries are in a flattened matrix of so many columns, int64 (m,)."""
        cells = np.repeat(np.arange(len(self.counts)) * columns, self.counts)
        cells += self.column
        return cells

    def best(self, count: int) -> Ranked:
        """At most ``count`` entries of each row."""
        sizes = np.minimum(self.counts, count)
        place = np.arange(count) + self._starts[:, None]
        return Ranked(self.keys[place[np.arange(count) < sizes[:, None]]], sizes)

    def at(self, places: NDArray[np.int64]) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
        """Score and rank of the entries at ``places`` only."""
        some = self.keys[places]
        row = (some >> np.uint64(SCORE_BITS + COLUMN_BITS)).view(np.int64)
        return Ranked(some, self.counts).score, places - self._starts[row]


def ranked(
    counts: NDArray[np.int64], column: NDArray[np.integer], score: NDArray[np.float32]
) -> Ranked:
    """Order the entries (m,) of a sparse matrix, ``counts`` (n,) of each row, row after row.

    Entries that are not above 0 are left out. Each (row, column) comes once. n <= 2^11,
    ``column`` < 2^22: more raise ``ValueError``.
    """
    rows = len(counts)
    if rows > MOST_ROWS or (len(column) and column.max() >= MOST_COLUMNS):
        raise ValueError(f"a batch holds {MOST_ROWS} rows of {MOST_COLUMNS} columns at most")
    kept = score > 0
    if not kept.all():
        row = np.repeat(np.arange(rows), counts)[kept]
        counts, column, score = np.bincount(row, minlength=rows), column[kept], score[kept]
    # Positive float32 order as their bits do; the sign bit is always 0, so 31 bits suffice.
    keys = (_SCORES - np.ascontiguousarray(score, np.float32).view(np.uint32)).astype(np.uint64)
    keys <<= np.uint64(COLUMN_BITS)
    keys |= column.astype(np.uint64)
    keys |= np.repeat(
        np.arange(rows, dtype=np.uint64) << np.uint64(SCORE_BITS + COLUMN_BITS), counts
    )
    keys.sort()
    return Ranked(keys, counts)
