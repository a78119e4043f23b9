"""Which days the forecast learns from, and which are held out to choose and to judge by."""

from __future__ import annotations

import numpy as np

from daybreak.errors import NoData
from daybreak.facts.panel import Panel
from daybreak.models.sales_forecast.features.recent import SELLING_DAYS
from daybreak.models.sales_forecast.learn.lineage import scope_of
from daybreak.models.sales_forecast.options import Scope

LEAST_HELD_OUT = {1: 28, 7: 8}
"""Periods held out at least, of one day and of seven: fewer are too much alike to judge by."""
FIRST_ORIGIN = {1: SELLING_DAYS, 7: 13}
"""How many periods after the first sale the first origin lies."""
BLOCKS = 3
"""Held out at most. The last weeks of a shop are one event; what holds in three is no accident."""
MOST_HISTORIES = 800_000
LEAST_ORIGINS = 20
"""The features of all series are made as of each origin. Of many series fewer origins give as many
rows, and each takes its time."""
LEARNED_FOR_HELD_OUT = 5
"""A block more is held out for each five that there are to learn from."""


def held_out_periods(scope: Scope) -> int:
    """How many periods a block of held-out ones has."""
    return max(scope.horizon, LEAST_HELD_OUT[scope.step])


def held_out(panel: Panel) -> int:
    """How many of the last columns are held out: one block where little is known, or several."""
    scope = scope_of(panel)
    block = held_out_periods(scope)
    sold = (panel.units > 0).any(axis=0)
    learned = panel.days - int(sold.argmax()) - FIRST_ORIGIN[scope.step]
    return block * int(np.clip(learned // (LEARNED_FOR_HELD_OUT * block), 1, BLOCKS))


def least_periods(scope: Scope) -> int:
    """Fewer periods of history than this leave nothing to hold out."""
    return FIRST_ORIGIN[scope.step] + 2 * held_out_periods(scope)


def origins_for(series: int, most: int) -> int:
    """As of how many origins so many series are looked at."""
    return min(most, max(MOST_HISTORIES // max(series, 1), LEAST_ORIGINS))


def origins_between(first: int, last: int, count: int) -> list[int]:
    """About ``count`` columns up to ``last``, evenly spaced but on every weekday."""
    step = max(1, (last - first + 1) // count)
    return list(range(last, first - 1, -(step + 1 if step % 7 == 0 else step)))[::-1]


def first_sale(panel: Panel) -> int:
    """Column of the first sale of any series. Raises ``NoData`` where too few days follow it."""
    sold = (panel.units > 0).any(axis=0)
    start = int(sold.argmax()) if sold.any() else panel.days
    scope = scope_of(panel)
    least = least_periods(scope)
    if panel.days - start < least:
        raise NoData(
            f"There are {panel.days - start} {named(scope)} of sales up to "
            f"{panel.business_date}; a forecast of {scope.horizon} {named(scope)} ahead learns "
            f"from {least} or more.",
            remedy="Load more history, choose a later business date, or set a shorter horizon "
            "(DAYBREAK_MODEL_OPTIONS).",
            business_date=panel.business_date.isoformat(),
        )
    return start


def named(scope: Scope, count: int = 2) -> str:
    """A period of the scope in words: day or week, or several."""
    return ("day" if scope.step == 1 else "week") + ("" if count == 1 else "s")
