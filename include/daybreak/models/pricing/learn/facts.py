"""What training reads: the cells of all series, as of a day."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import Connection

from daybreak.clock import AsOf
from daybreak.errors import NoData
from daybreak.facts.days import days_of_period
from daybreak.facts.rows import Series
from daybreak.facts.series import read_panels, read_series
from daybreak.models.pricing.elasticity.cells import Cells
from daybreak.models.pricing.elasticity.fit import Fitter
from daybreak.models.pricing.elasticity.pooling import Tree
from daybreak.models.pricing.response import gathered, periods, statistics


@dataclass(frozen=True)
class Facts:
    """All series of a day: their keys, cells and kin; ``categories``: their names, object (n,).
    ``first_week``: since 0001-01-01, of the cells' week 0."""

    series: list[Series]
    cells: Cells
    tree: Tree
    categories: NDArray[np.object_]
    first_week: int

    @property
    def weeks(self) -> int:
        """How many there are."""
        return int(self.cells.week.max(initial=0)) + 1

    def before(self, week: int) -> Fitter:
        """Of the weeks before one."""
        return Fitter(self.cells.where(self.cells.week < week), self.tree)


def read_facts(warehouse: Connection, as_of: AsOf) -> Facts:
    """The facts of ``as_of``, read some series at a time. Raises ``NoData`` where nothing was sold,
    and where no price is known."""
    days = periods(days_of_period(warehouse))
    series = read_series(warehouse, as_of, days=days)
    parts, names, first_week = [], [], 0
    for panel in read_panels(warehouse, as_of, series, days=days, ahead=0, slots=0):
        parts.append(statistics([panel]))
        names.append(panel.categories)
        first_week = (panel.first_date.toordinal() - 1) // 7
    cells, tree, _ = gathered(parts)
    if not len(cells):
        raise NoData(
            f"No price is known of what was sold up to {as_of.business_date}.",
            remedy="Map the column `price` in the section `sales` or `plan` of the data set.",
            business_date=as_of.business_date.isoformat(),
        )
    return Facts(series, cells, tree, np.concatenate(names), first_week)
