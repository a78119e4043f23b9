"""What training reads: the cells of all series, with and without the weeks that are held out."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import Connection

from daybreak.clock import AsOf
from daybreak.facts.days import days_of_period
from daybreak.facts.panel import Panel
from daybreak.facts.series import read_panels, read_series
from daybreak.models.base import Part
from daybreak.models.pricing.elasticity.cells import Cells
from daybreak.models.pricing.elasticity.fit import Fitter
from daybreak.models.pricing.elasticity.pooling import Tree
from daybreak.models.pricing.response import gathered, periods, statistics

HELD_OUT_WEEKS = 13
"""A quarter: prices of most shops are reviewed within it."""
MOST_HELD_OUT = 0.25
"""Of the weeks that there are."""


@dataclass(frozen=True)
class Facts:
    """``parts`` through the last week, ``early`` without those held out (``since``: the first)."""

    parts: list[Part]
    early: list[Part]
    since: int

    def whole(self) -> tuple[Cells, Tree, NDArray[np.object_]]:
        """As `response.gathered`, of all weeks."""
        return gathered(self.parts)

    def fitter(self) -> Fitter:
        """Of all weeks."""
        return Fitter(*self.whole()[:2])

    def early_fitter(self) -> Fitter:
        """Of the weeks before those held out."""
        return Fitter(*gathered(self.early)[:2])


def panels_of(warehouse: Connection, as_of: AsOf) -> Iterator[Panel]:
    """All series, some at a time. Raises ``NoData`` where nothing was sold."""
    days = periods(days_of_period(warehouse))
    series = read_series(warehouse, as_of, days=days)
    return read_panels(warehouse, as_of, series, days=days, ahead=0, slots=0)


def facts_of(panels: Iterator[Panel]) -> Facts:
    """One pass over the panels."""
    parts, early, since = [], [], 0
    for panel in panels:
        since = first_held_out(panel)
        parts.append(statistics([panel]))
        early.append(statistics([until(panel, since)]))
    return Facts(parts, early, since)


def first_held_out(panel: Panel) -> int:
    """The calendar week, as `Cells` counts them, from which on nothing is learned."""
    weeks = week_of(panel, panel.days - 1) + 1
    return weeks - min(HELD_OUT_WEEKS, int(weeks * MOST_HELD_OUT))


def week_of(panel: Panel, column: int) -> int:
    """The calendar week of a column."""
    first = panel.first_date.toordinal() - 1
    return (first + column * panel.step) // 7 - first // 7


def until(panel: Panel, week: int) -> Panel:
    """A panel without the history from ``week`` on."""
    days = sum(week_of(panel, column) < week for column in range(panel.days))
    wide = ("price", "promotion", "open", "holiday")
    return replace(
        panel,
        units=panel.units[:, :days],
        **{name: getattr(panel, name)[:, :days] for name in wide},
        public_holiday=panel.public_holiday[:days],
        covariates={},
        known_from={},
    )
