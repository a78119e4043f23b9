"""The dense panel: all series of a business date as float32 matrices [series x days]."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import date, timedelta
from typing import Any

import numpy as np
from numpy.typing import NDArray

LEAST_SLOTS = 4
"""Covariates of the data set's own that there is always room for."""

BY_SERIES = (
    *("store_ids", "item_ids", "categories"),
    *("units", "price", "promotion", "open", "holiday"),
)
"""Members of a panel with a row a series that are always there."""


@dataclass(frozen=True)
class Panel:
    """Facts and plans of ``n`` series, in key order (store, then item; compared as bytes).

    Columns are days, or weeks where the data set has them, each named by its last day. ``T``
    history columns end on the business date; ``H`` more follow for what is known ahead.

    ======================  ===================  ==================================================
    member                  dtype, shape         meaning
    ======================  ===================  ==================================================
    store_ids, item_ids     object (n,)          the key
    categories              object (n,)          category of the item, "" where unknown
    first_date              date                 of column 0
    units                   float32 (n, T)       sold; 0 on an open day without a sale, 0 when
                                                 closed, NaN before the first row of the series,
                                                 be it one of 0 units
    price                   float32 (n, T + H)   last known price carried forward; a planned price
                                                 where one is known; NaN before the first one
    promotion               float32 (n, T + H)   0 where none is known
    open                    bool (n, T + H)      false where the store (or the business) is closed
    holiday                 float32 (n, T + H)   the data set's own flag, 0 where none is known
    public_holiday          bool (T + H,)        public holidays of the data set's country
    covariates              name -> float32      any others, (n, T + H), NaN where unknown
    history_only            names                of covariates that no plan gives: known with the
                                                 sale, and carried forward
    left_out                names                of covariates for which there was no room
    slots                   int                  how many covariates features have room for
    known_from              name -> float32      column from which on the plan for a cell was known,
                                                 (n, T + H), NaN without one; only of what was known
                                                 later than ``H`` before
    step                    int                  days from one column to the next: 1, or 7
    business_open           bool (T + H,)        whether the business as a whole is open
    planned                 names                which of price, promotion, holiday and open come
                                                 from a plan; the past of the others was not known
                                                 ahead
    ======================  ===================  ==================================================
    """

    store_ids: NDArray[np.object_]
    item_ids: NDArray[np.object_]
    categories: NDArray[np.object_]
    first_date: date
    units: NDArray[np.float32]
    price: NDArray[np.float32]
    promotion: NDArray[np.float32]
    open: NDArray[np.bool_]
    holiday: NDArray[np.float32]
    public_holiday: NDArray[np.bool_]
    covariates: dict[str, NDArray[np.float32]]
    planned: frozenset[str] = frozenset({"price", "promotion", "holiday", "open"})
    step: int = 1
    history_only: frozenset[str] = frozenset()
    left_out: tuple[str, ...] = ()
    slots: int = LEAST_SLOTS
    known_from: dict[str, NDArray[np.float32]] = field(default_factory=dict)
    business_open: NDArray[np.bool_] = field(default_factory=lambda: np.ones((), bool))

    def __post_init__(self) -> None:
        n, days = self.units.shape
        wide = (n, self.price.shape[-1])
        if wide[1] < days:
            raise ValueError(f"Panel.price has {wide[1]} columns; the history alone has {days}.")
        for name in ("price", "promotion", "open", "holiday"):
            _expect(name, getattr(self, name), wide)
        for name, values in self.covariates.items():
            _expect(name, values, wide)
        _expect("public_holiday", self.public_holiday, wide[1:])

    def __len__(self) -> int:
        return len(self.units)

    @property
    def days(self) -> int:
        """Number T of history columns."""
        return int(self.units.shape[1])

    @property
    def ahead(self) -> int:
        """Number H of columns after the history."""
        return int(self.price.shape[1]) - self.days

    def of_series(self, keep: NDArray[Any]) -> Panel:
        """Some of the series: ``keep`` is a mask or positions."""
        return replace(
            self,
            **{name: getattr(self, name)[keep] for name in BY_SERIES},
            covariates={name: values[keep] for name, values in self.covariates.items()},
            known_from={name: values[keep] for name, values in self.known_from.items()},
        )

    @property
    def business_date(self) -> date:
        """Date of the last history column."""
        return self.date_of(self.days - 1)

    def date_of(self, column: int) -> date:
        """The business date of a column."""
        return self.first_date + timedelta(days=self.step * int(column))


def _expect(name: str, values: NDArray[Any], shape: tuple[int, ...]) -> None:
    if values.shape != shape:
        raise ValueError(f"Panel.{name} has shape {values.shape}; expected {shape}.")
