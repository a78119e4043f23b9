"""Rows of facts to dense matrices: pure numpy, no loop over rows."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from daybreak.types import Float32

NEVER = np.iinfo(np.int64).max


@dataclass(frozen=True)
class Grid:
    """The rows in force, one a cell of a matrix [series x days] at most.

    ``cell``: int64 (k,), position in the flattened matrix. ``columns``: each (k,).
    """

    shape: tuple[int, int]
    cell: NDArray[np.int64]
    columns: dict[str, NDArray[Any]]

    def matrix(self, name: str) -> Float32:
        """A column as float32 ``shape``; NaN in cells without a row, or with an unknown value."""
        dense = np.full(self.shape, np.nan, np.float32)
        dense.reshape(-1)[self.cell] = self.columns[name]
        return dense

    def first_day(self) -> NDArray[np.int64]:
        """Day of the first row of each series; the number of days where it has none."""
        series, day = np.divmod(self.cell, self.shape[1])
        first = np.full(self.shape[0], self.shape[1], np.int64)
        np.minimum.at(first, series, day)
        return first


def latest(
    shape: tuple[int, int], series: NDArray[np.int64], columns: Mapping[str, NDArray[Any]]
) -> Grid:
    """Keep the row that became known last of each (series, day): a correction replaces a row.

    ``series``: int64 (m,), the row of the matrix; rows of no series (-1) are left out.
    ``columns``: ``day``, the column of the matrix; ``loaded_at`` and ``load_id``, which decide
    in this order; and the values.
    """
    if (series < 0).any():
        known = series >= 0
        series = series[known]
        columns = {name: values[known] for name, values in columns.items()}
    cell = series * shape[1] + columns["day"]
    rows_in_cell = np.bincount(cell, minlength=shape[0] * shape[1])
    row_of_cell = np.empty(len(rows_in_cell), np.int64)
    row_of_cell[cell] = np.arange(len(cell))
    # Corrections are few: only cells with more than one row are put in order.
    contested = np.flatnonzero(rows_in_cell[cell] > 1)
    known_first = np.lexsort((columns["load_id"][contested], columns["loaded_at"][contested]))
    contested = contested[known_first]
    row_of_cell[cell[contested]] = contested  # the last assignment to a cell stays
    filled = np.flatnonzero(rows_in_cell)
    rows = row_of_cell[filled]
    kept = {
        name: values[rows]
        for name, values in columns.items()
        if name not in ("day", "loaded_at", "load_id")
    }
    return Grid(shape, filled, kept)


def known_since(
    shape: tuple[int, int],
    series: NDArray[np.int64],
    columns: Mapping[str, NDArray[Any]],
    name: str,
) -> NDArray[np.int64]:
    """When the value in force of a column became known, int64 ``shape``, in microseconds since
    1970; ``NEVER`` where there is no value.

    ``series`` and ``columns`` as for ``latest``. A row that repeats the value of the row before it
    makes it no later.
    """
    known = series >= 0
    cell = (series * shape[1] + columns["day"])[known]
    loaded_at, load_id, values = (columns[one][known] for one in ("loaded_at", "load_id", name))
    loaded_at = loaded_at.astype(np.int64)
    order = np.lexsort((load_id, loaded_at, cell))
    cell, loaded_at, values = cell[order], loaded_at[order], values[order]
    begins = np.ones(len(cell), bool)
    begins[1:] = (cell[1:] != cell[:-1]) | (values[1:] != values[:-1])  # NaN is never a value again
    since = loaded_at[np.maximum.accumulate(np.where(begins, np.arange(len(cell)), 0))]
    found = np.full(shape[0] * shape[1], NEVER)
    found[cell] = np.where(np.isnan(values), NEVER, since)  # the last assignment to a cell stays
    return found.reshape(shape)


def prefer(first: Float32, second: Float32) -> Float32:
    """``first`` where it is known, else ``second``."""
    unknown = np.isnan(first)
    return second if unknown.all() else np.where(unknown, second, first)


def carried_forward(values: Float32) -> Float32:
    """Each row with its gaps filled by the last known value before them, NaN before the first."""
    known = np.where(np.isnan(values), 0, np.arange(values.shape[1]))
    last_known = np.maximum.accumulate(known, axis=1)
    return np.take_along_axis(values, last_known, axis=1)
