"""What is known of each series at an origin, whatever date is asked about.

``scale`` is the level in units a selling day; every other value in units is divided by it, so one
model serves slow and fast items. Missing history has these values:

- a series without any selling day: ``scale`` is that of its item elsewhere, else of its category;
  means and quantiles are 0, ``since_sale`` is 56, ``observed`` is 0, and so is ``age`` without a
  row;
- a series that was observed for `alone.ENOUGH` selling days and never sold: ``scale`` is 0, so that
  the link forecasts exactly 0; what is divided by it is divided by ``LEAST_SCALE``;
- prices that are unknown: NaN, which the booster sends down a learned branch;
- a weekday without a selling day, or one without a promoted one: the factor of its groups
  (`profile`).

Means and quantiles are of usual days at the usual price: the units of each day are divided by its
factor and by what its price did first, so a week of promotions or of low prices is no higher level
and a short week is none that is lower.

Rows of 0 units are observations; the days before the first row say nothing (`recent.gather`).

No single neighbour decides a level, and no single order (`alone`). Levels of items and categories
are medians over the series that sell, and what they add is limited by what the series itself shows.
"""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

from daybreak.facts.panel import Panel
from daybreak.models.sales_forecast.features.alone import (
    PLACE,
    SINGLE,
    Columns,
    alone,
    evidence_in,
    of_days,
    ratio,
)
from daybreak.models.sales_forecast.features.groups import (
    Groups,
    Names,
    code,
    groups_of,
    influence,
    middle,
    names_of,
    total,
)
from daybreak.models.sales_forecast.features.layout import (
    DAY_FACTOR,
    GROUP_FACTOR,
    HISTORY,
    LEVELS,
    PROMOTED_FACTOR,
    PROMOTED_GROUP_FACTOR,
)
from daybreak.models.sales_forecast.features.prices import price_effect
from daybreak.models.sales_forecast.features.profile import WEEK, factors_of
from daybreak.models.sales_forecast.features.recent import Matrix, chunks
from daybreak.models.sales_forecast.features.season import YearDays, seasons, year_days
from daybreak.models.sales_forecast.features.trend import slopes

PRIOR_DAYS = 2.0
"""The level of the item elsewhere counts like this many selling days."""
PLAUSIBLE = 3.0
"""The level elsewhere counts up to this many times what the series sold, and one unit more."""
LEAST_SCALE = 0.02


def together(
    known: Matrix,
    names: Names,
    weekday: int,
    days: Iterable[YearDays],
    *,
    ahead: int,
    step: int,
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """The history block of all series, float32 (n, len(layout.HISTORY)), and their `seasons`,
    float32 (n, 2, ahead).

    ``known``: of `alone`. ``weekday``: that of the origin, 0 on a Monday. ``days``, ``ahead`` and
    ``step``: as for `seasons`.
    """
    columns: Columns = dict(zip(SINGLE, known.T, strict=False))
    found = evidence_in(known)
    groups = groups_of(names)
    mean = ratio(known[:, PLACE["units"]].sum(axis=1), columns["observed"])
    usual = middle(groups.category, np.where(mean > 0, mean, np.nan))
    _add_prices(columns, groups)
    wider = (groups.category, groups.item, groups.shelf)
    weight = influence(mean, usual)
    factors, of_groups = factors_of(found, weight, wider)
    columns["price_effect"] = price_effect(
        found.beyond, found.price_level, found.dispersion, weight, wider
    )
    applied = _applied(factors, columns["reference_price"])
    effect = columns["price_effect"]
    parts = [of_days(known[r], applied[r], effect[r]) for r in chunks(len(known))]
    columns |= {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}
    columns["item_slope"] = slopes(
        columns["_rise"],
        columns["_rise_level"],
        found.dispersion,
        weight * (step == 1),  # weeks have no slope
        (groups.category, groups.item),
    )
    late = (found.late_days * applied).sum(axis=1)
    columns["mean_112"] = np.where(late > 0, ratio(found.late_units, late), columns["mean_56"])
    _add_levels(columns, groups)
    _add_factors(columns, weekday, applied, of_groups)
    season = seasons(
        days, groups, columns["_usual"], factors, found.dispersion, ahead=ahead, step=step
    )
    _add_groups(columns, groups, names)
    columns["promotion_lift"] = ratio(factors[:, WEEK:].sum(axis=1), factors[:, :WEEK].sum(axis=1))
    block = np.empty((len(known), len(HISTORY)), np.float32)
    for place, name in enumerate(HISTORY):
        block[:, place] = columns[name]
    return block, np.stack(season, axis=1).astype(np.float32)


def history(panel: Panel, origin: int) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """As `together`, of a panel, from columns up to ``origin`` only."""
    days = (year_days(panel, origin, rows) for rows in chunks(len(panel)))
    known = alone(panel, origin)
    weekday, names = monday_offset(panel, origin), names_of(panel)
    return together(known, names, weekday, days, ahead=panel.ahead, step=panel.step)


def monday_offset(panel: Panel, origin: int) -> int:
    """Weekday of the origin, 0 on a Monday."""
    return panel.date_of(origin).weekday()


def _add_levels(columns: Columns, groups: Groups) -> None:
    """``scale``, shrunk to the item elsewhere and to the category; then divide by it."""
    units, days = columns["_level_units"], columns["_level_days"]
    own = np.where(units > 0, ratio(units, days), np.nan)
    columns["_usual"] = middle(groups.category, own)
    category = np.nan_to_num(columns["_usual"])
    elsewhere = np.nan_to_num(middle(groups.item, own))
    of_item = total(groups.item, days)
    item = (of_item * elsewhere + PRIOR_DAYS * category) / (of_item + PRIOR_DAYS)
    plausible = ratio(PLAUSIBLE * (units + 1.0), days, np.inf)
    scale = (units + PRIOR_DAYS * np.minimum(item, plausible)) / (days + PRIOR_DAYS)
    scale = np.maximum(scale, LEAST_SCALE)
    columns["_unit"] = scale
    columns["scale"] = np.where(columns["_never_sold"] > 0, 0.0, scale)
    for name in (*LEVELS, "sale_size"):
        columns[name] = columns[name] / scale


def _add_prices(columns: Columns, groups: Groups) -> None:
    price = columns["price_now"]
    reference = np.where(np.isnan(columns["reference_price"]), price, columns["reference_price"])
    columns["reference_price"] = reference
    columns["price_to_category"] = ratio(reference, middle(groups.category, reference), np.nan)


def _applied(factors: Matrix, reference_price: Matrix) -> Matrix:
    """By which factors (n, 14) days are divided and the forecast is multiplied.

    Where prices are known a promotion is left out of them: it has a price then, and trees can tell
    the effect of the one from that of the other, which one factor for both would hide.
    """
    priced = ~np.isnan(reference_price)
    weekdays = np.tile(factors[:, :WEEK], 2)
    return np.where(priced[:, None], weekdays, factors)


def _add_factors(columns: Columns, today: int, own: Matrix, of_groups: Matrix) -> None:
    """Factors (n, 14) of each cell, by offset from today."""
    for offset in range(WEEK):
        day = (today + offset) % WEEK
        columns[DAY_FACTOR[offset]], columns[PROMOTED_FACTOR[offset]] = own[:, [day, day + WEEK]].T
        group = of_groups[:, [day, day + WEEK]].T
        columns[GROUP_FACTOR[offset]], columns[PROMOTED_GROUP_FACTOR[offset]] = group


def _add_groups(columns: Columns, groups: Groups, names: Names) -> None:
    usual = columns["mean_56"] * columns["_unit"]
    weight = influence(usual, columns["_usual"])
    fortnight, usual = columns["mean_14"] * columns["_unit"] * weight, usual * weight
    columns["item_trend"] = (total(groups.item, fortnight) + 0.1) / (
        total(groups.item, usual) + 0.1
    )
    columns["category_code"] = code(names.category).astype(np.float64)
    columns["store_code"] = code(names.store).astype(np.float64)
