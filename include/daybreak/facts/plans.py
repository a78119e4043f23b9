"""What was planned, and since when that was known: plans for items over those for whole stores."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from daybreak.facts.names import numbered
from daybreak.facts.panel import Panel
from daybreak.facts.pivot import NEVER, known_since, prefer
from daybreak.facts.rows import WHOLE_STORE, Series, extra
from daybreak.types import Float32
from daybreak.warehouse.packed import Rows

PLANNED = ("price", "promotion", "holiday", "open")
"""Covariates with a column of their own."""


class Cells(Protocol):
    """Facts or plans as matrices [series x days], one row in force a cell at most."""

    def matrix(self, name: str) -> Float32:
        """A column, NaN in cells without a row, or with an unknown value."""
        ...

    def first_day(self) -> NDArray[np.int64]:
        """Day of the first row of each series; the number of days where it has none."""
        ...


class Plans:
    """Plans for items over plans for whole stores, as matrices in the order of the series."""

    def __init__(self, series: Sequence[Series], of_items: Cells, of_stores: Cells) -> None:
        self._store = numbered(np.array([store for store, _ in series], object))[1]
        self._of_items, self._of_stores = of_items, of_stores

    def matrix(self, name: str) -> Float32:
        """Float32 (n, days), NaN where nothing is planned."""
        of_items, of_stores = self._of_items.matrix(name), self._of_stores.matrix(name)
        if np.isnan(of_stores).all():  # the usual case, and each matrix is megabytes
            return of_items
        return prefer(of_items, of_stores[self._store])


def whole_stores(series: Sequence[Series]) -> list[Series]:
    """The keys of plans for the stores of some series, in bytewise order."""
    return [(store, WHOLE_STORE) for store in sorted({store for store, _ in series})]


def lookup(keys: Sequence[Series], series: Sequence[Series]) -> NDArray[np.int64]:
    """Position of each key in ``series``, int64 (len(keys),), -1 where it is not there."""
    position = {key: index for index, key in enumerate(series)}
    return np.array([position.get(key, -1) for key in keys], np.int64)


def late_plans(
    panel: Panel, planned: tuple[Sequence[Series], Rows], closed: NDArray[np.int64]
) -> dict[str, Float32]:
    """``Panel.known_from``, of the names of which some value was known less than ``ahead`` before.

    ``planned``: the visible plans (``read_rows``). ``closed``: when each period of the panel's
    history was closed (T,), in microseconds since 1970, which no run of it came before. What became
    known between the closing and the run is taken as known to the next run. A plan that is known
    from its own date on or later is a correction of the past: what was known before it may be
    anything, so it is taken as if it had been known all the time.
    """
    keys, rows = planned
    day, loaded_at = rows.columns["day"], rows.columns["loaded_at"]
    if not _late(day, np.searchsorted(closed, loaded_at), panel.ahead).any():
        return {}  # nearly always, and sorting all plans takes long
    found = {}
    series = list(zip(panel.store_ids.tolist(), panel.item_ids.tolist(), strict=True))
    stores, store_of = whole_stores(series), numbered(panel.store_ids)[1]
    periods = panel.days + panel.ahead
    own = {name: name for name in PLANNED if name in panel.planned}
    extras = {name: extra(name) for name in panel.covariates if name not in panel.history_only}
    for name, column in (own | extras).items():
        of_items, of_stores = (
            known_since((len(one), periods), lookup(keys, one)[rows.group], rows.columns, column)
            for one in (series, stores)
        )
        since = np.where(of_items < NEVER, of_items, of_stores[store_of])
        known_from = np.searchsorted(closed, since)
        late = _late(np.arange(periods), known_from, panel.ahead) & (since < NEVER)
        if late[:, : panel.days].any():
            found[name] = np.where(late, known_from, np.nan).astype(np.float32)
    return found


def _late(
    column: NDArray[np.int64], known_from: NDArray[np.int64], ahead: int
) -> NDArray[np.bool_]:
    """Whether a plan for ``column`` was known, but less than ``ahead`` columns before it.

    What was known before the first column (0) may have been known for any time.
    """
    return (column - known_from < ahead) & (known_from < column) & (known_from > 0)
