"""What is known of each series at an origin, whatever date is asked about.

``scale`` is the level in units a selling day; every other value in units is divided by it, so one
model serves slow and fast items. Missing history has these values:

- a series without any selling day: ``scale`` is that of its item elsewhere, else of its category;
  means and quantiles are 0, ``since_sale`` is 56, ``observed`` is 0, and so is ``age`` without a
  row;
- a series that was observed for ``ENOUGH`` selling days and never sold: ``scale`` is 0, so that
  the link forecasts exactly 0; what is divided by it is divided by ``LEAST_SCALE``;
- prices that are unknown: NaN, which the booster sends down a learned branch;
- a weekday without a selling day, or one without a promoted one: the factor of its groups
  (`profile`).

Means and quantiles are of usual days at the usual price: the units of each day are divided by its
factor and by what its price did first, so a week of promotions or of low prices is no higher level
and a short week is none that is lower.

Rows of 0 units are observations; the days before the first row say nothing (`recent.gather`).

No single order and no single neighbour decides a level. Units are capped, in means only, at three
times the series' own 90 % quantile (or twice its mean without the largest day): one bulk order
would otherwise double the level of an item for eleven weeks. Levels of items and categories are
medians over the series that sell, and what they add is limited by what the series itself shows.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from daybreak.facts.panel import Panel
from daybreak.models.sales_forecast.features.groups import (
    CategoryYear,
    Groups,
    Names,
    YearDays,
    category_year,
    code,
    groups_of,
    influence,
    middle,
    names_of,
    total,
    year_days,
)
from daybreak.models.sales_forecast.features.layout import (
    DAY_FACTOR,
    GROUP_FACTOR,
    HISTORY,
    PROMOTED_FACTOR,
    PROMOTED_GROUP_FACTOR,
)
from daybreak.models.sales_forecast.features.prices import lower_by, multiplier, price_effect
from daybreak.models.sales_forecast.features.profile import (
    CELLS,
    WEEK,
    Evidence,
    evidence,
    factors_of,
)
from daybreak.models.sales_forecast.features.recent import (
    SELLING_DAYS,
    Matrix,
    Recent,
    chunks,
    gather,
    quantiles,
)

PROMOTED_WEIGHT = 0.1
"""A promoted day counts this much in the level: its units are not those of a usual day."""
PRIOR_DAYS = 2.0
"""The level of the item elsewhere counts like this many selling days."""
PLAUSIBLE = 3.0
"""The level elsewhere counts up to this many times what the series sold, and one unit more."""
LEAST_SCALE = 0.02
ENOUGH = 28
"""Selling days after which a series that never sold is taken not to sell."""
OLD = 84
"""``age`` stops here. Where many series began on the same day, a higher one is a clock by which
trees would separate the origins and fit the noise of each."""
HALF_LIFE = 10.0

_IN_UNITS = (
    *(
        "mean_7",
        "mean_14",
        "mean_28",
        "mean_56",
        "mean_112",
        "recent_mean",
        "regular_mean",
        "deviation",
    ),
    *("peak_56", "p10_28", "p50_28", "p90_28", "sale_size"),
    *("p10_56", "p25_56", "p50_56", "p75_56", "p90_56"),
)

Columns = dict[str, Matrix]


EVIDENCE = 3 * CELLS + 4
"""Numbers of a series' `profile.Evidence`: three for each cell and four more."""
_SINGLE = (
    *("p50_units", "p90_units", "zeros_14", "zeros_56", "since_sale", "observed", "age"),
    *("reference_price", "promotion_share", "price_now", "_never_sold"),
)
_MATRICES = {
    "evidence": EVIDENCE,
    "units": SELLING_DAYS,
    "cell": SELLING_DAYS,
    "lower": SELLING_DAYS,
}
ALONE = (*_SINGLE, *(f"{name}_{k}" for name, width in _MATRICES.items() for k in range(width)))
"""Columns of what `alone` knows: single values, then matrices side by side."""
_ENDS = len(_SINGLE) + np.cumsum(list(_MATRICES.values()))
_PLACE = {
    name: slice(int(end) - width, int(end))
    for (name, width), end in zip(_MATRICES.items(), _ENDS, strict=True)
}


def alone(panel: Panel, origin: int) -> Matrix:
    """What follows from each series alone, float64 (n, len(ALONE)); not divided by a scale yet."""
    found = np.empty((len(panel), len(ALONE)))
    for rows in chunks(len(panel)):
        columns = _of_series(gather(panel, origin, rows))
        columns["evidence"] = np.column_stack(evidence(panel, origin, rows))
        columns["price_now"] = panel.price[rows, origin].astype(np.float64)
        found[rows] = np.column_stack([columns[name] for name in (*_SINGLE, *_MATRICES)])
    return found


def together(
    known: Matrix,
    names: Names,
    weekday: int,
    days: Iterable[YearDays],
) -> tuple[NDArray[np.float32], CategoryYear]:
    """The history block of all series, float32 (n, len(layout.HISTORY)).

    ``known``: of `alone`. ``weekday``: that of the origin, 0 on a Monday. ``days``: as for
    `category_year`. Beside it the year of each category, which both blocks take something from.
    """
    columns: Columns = dict(zip(_SINGLE, known.T, strict=False))
    found = _evidence(known[:, _PLACE["evidence"]])
    groups = groups_of(names)
    mean = _ratio(known[:, _PLACE["units"]].sum(axis=1), columns["observed"])
    usual = middle(groups.category, np.where(mean > 0, mean, np.nan))
    _add_prices(columns, groups)
    wider = (groups.category, groups.item, groups.shelf)
    factors, of_groups = factors_of(found, influence(mean, usual), wider)
    columns["price_effect"] = price_effect(
        found.beyond, found.price_level, found.dispersion, influence(mean, usual), wider
    )
    applied = _applied(factors, columns["reference_price"])
    effect = columns["price_effect"]
    parts = [_of_days(known[r], applied[r], effect[r]) for r in chunks(len(known))]
    columns |= {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}
    late = (found.late_days * applied).sum(axis=1)
    columns["mean_112"] = np.where(late > 0, _ratio(found.late_units, late), columns["mean_56"])
    _add_levels(columns, groups)
    _add_factors(columns, weekday, applied, of_groups)
    year = category_year(days, groups.category, columns["_usual"], factors)
    _add_groups(columns, groups, names)
    columns["promotion_lift"] = _ratio(factors[:, WEEK:].sum(axis=1), factors[:, :WEEK].sum(axis=1))
    block = np.empty((len(known), len(HISTORY)), np.float32)
    for place, name in enumerate(HISTORY):
        block[:, place] = columns[name]
    return block, year


def history(panel: Panel, origin: int) -> tuple[NDArray[np.float32], CategoryYear]:
    """The history block of a panel, from columns up to ``origin`` only; the rest as `together`."""
    days = (year_days(panel, origin, rows) for rows in chunks(len(panel)))
    known = alone(panel, origin)
    return together(known, names_of(panel), monday_offset(panel, origin), days)


def monday_offset(panel: Panel, origin: int) -> int:
    """Weekday of the origin, 0 on a Monday."""
    return panel.date_of(origin).weekday()


def _of_series(recent: Recent) -> Columns:
    """What follows from the series alone."""
    raw, known, count = recent.units, recent.known, recent.count
    observed = np.maximum(count, 1)
    p50, p90 = quantiles(raw, known, (0.5, 0.9)).T
    sold = raw > 0
    recency = np.where(np.arange(SELLING_DAYS) < SELLING_DAYS - 28, 0.5, 1.0)
    # Weighed like the level: the price at which ``scale`` was sold. Promoted days only where there
    # are no others, or a promotion of 30 % would not stand at 0.7 of this price.
    priced = known * recency * ~np.isnan(recent.price)
    full = priced * ~(recent.promotion > 0)
    priced = np.where(full.max(axis=1, keepdims=True) > 0, full, priced)
    reference = _ratio(
        (priced * np.nan_to_num(recent.price)).sum(axis=1), priced.sum(axis=1), np.nan
    )
    lower = np.where(known, lower_by(recent.price, reference[:, None]), 0.0)
    cell = np.where(known, recent.weekday + WEEK * (recent.promotion > 0), -1)
    return {
        **{"p50_units": p50, "p90_units": p90},
        **{f"zeros_{days}": _tail_mean(np.where(sold, 0.0, 1.0), known, days) for days in (14, 56)},
        "since_sale": np.where(sold.any(axis=1), sold[:, ::-1].argmax(axis=1), SELLING_DAYS) * 1.0,
        "observed": count * 1.0,
        "age": np.minimum(recent.age, OLD) * 1.0,
        "reference_price": reference,
        "promotion_share": (recent.promotion * known).sum(axis=1) / observed,
        "_never_sold": (~recent.ever_sold & (count >= ENOUGH)) * 1.0,
        "units": raw,
        "cell": cell * 1.0,
        "lower": lower,
    }


def _of_days(alone: Matrix, factors: Matrix, effect: Matrix) -> Columns:
    """Means and quantiles of the last selling days as if each had been a usual day."""
    raw, cell, lower = (alone[:, _PLACE[name]] for name in ("units", "cell", "lower"))
    cell, price = cell.astype(np.int64), multiplier(effect[:, None], lower)
    known = cell >= 0
    count = known.sum(axis=1)
    factor = np.take_along_axis(factors, np.maximum(cell, 0), axis=1) * price * known
    usual = np.where(known, raw / np.where(known, factor, 1.0), 0.0)
    p10, p25, p50, p75, p90 = quantiles(usual, known, (0.1, 0.25, 0.5, 0.75, 0.9)).T
    month = slice(SELLING_DAYS - 28, None)
    p10_28, p50_28, p90_28 = quantiles(usual[:, month], known[:, month], (0.1, 0.5, 0.9)).T
    units: Matrix = np.minimum(usual, _cap(usual, count, p90)[:, None])

    recency = np.where(np.arange(SELLING_DAYS) < SELLING_DAYS - 28, 0.5, 1.0)
    regular = np.where(cell >= WEEK, PROMOTED_WEIGHT, 1.0) * factor
    decay = factor * 0.5 ** (np.arange(SELLING_DAYS)[::-1] / HALF_LIFE)
    weight = regular * recency
    sold = raw > 0
    mean = _ratio((units * factor).sum(axis=1), factor.sum(axis=1))
    return {
        **{f"mean_{days}": _tail_mean(units, factor, days) for days in (7, 14, 28, 56)},
        "recent_mean": _ratio((units * decay).sum(axis=1), decay.sum(axis=1)),
        "regular_mean": _ratio((units * regular).sum(axis=1), regular.sum(axis=1)),
        "deviation": np.sqrt(
            _ratio((np.square(units - mean[:, None]) * known).sum(axis=1), np.maximum(count, 1))
        ),
        "peak_56": usual.max(axis=1),
        **{"p10_28": p10_28, "p50_28": p50_28, "p90_28": p90_28},
        **{"p10_56": p10, "p25_56": p25, "p50_56": p50, "p75_56": p75, "p90_56": p90},
        "sale_size": _ratio((units * known).sum(axis=1), sold.sum(axis=1)),
        "_level_units": (units * weight).sum(axis=1),
        "_level_days": weight.sum(axis=1),
    }


def _cap(raw: Matrix, count: NDArray[np.int64], p90: Matrix) -> Matrix:
    """What a day counts at most in means, (n,). No single day sets it, once there are two."""
    second, top = np.partition(raw, SELLING_DAYS - 2, axis=1)[:, -2:].T
    others = (raw.sum(axis=1) - top + second) / np.maximum(count, 1)
    p90 = np.where(count > 1, np.minimum(p90, 3 * np.maximum(second, 1)), p90)
    most: Matrix = np.maximum(np.maximum(3 * p90, 2 * others), 1.0)
    return most


def _add_levels(columns: Columns, groups: Groups) -> None:
    """``scale``, shrunk to the item elsewhere and to the category; then divide by it."""
    units, days = columns["_level_units"], columns["_level_days"]
    own = np.where(units > 0, _ratio(units, days), np.nan)
    columns["_usual"] = middle(groups.category, own)
    category = np.nan_to_num(columns["_usual"])
    elsewhere = np.nan_to_num(middle(groups.item, own))
    of_item = total(groups.item, days)
    item = (of_item * elsewhere + PRIOR_DAYS * category) / (of_item + PRIOR_DAYS)
    plausible = _ratio(PLAUSIBLE * (units + 1.0), days, np.inf)
    scale = (units + PRIOR_DAYS * np.minimum(item, plausible)) / (days + PRIOR_DAYS)
    scale = np.maximum(scale, LEAST_SCALE)
    columns["_unit"] = scale
    columns["scale"] = np.where(columns["_never_sold"] > 0, 0.0, scale)
    for name in _IN_UNITS:
        columns[name] = columns[name] / scale


def _add_prices(columns: Columns, groups: Groups) -> None:
    price = columns["price_now"]
    reference = np.where(np.isnan(columns["reference_price"]), price, columns["reference_price"])
    columns["reference_price"] = reference
    columns["price_to_category"] = _ratio(reference, middle(groups.category, reference), np.nan)


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


def _evidence(columns: Matrix) -> Evidence:
    sold, level, single, days = np.split(columns, [CELLS, 2 * CELLS, 2 * CELLS + 4], axis=1)
    dispersion, beyond, price_level, late = single.T
    return Evidence(sold, level, dispersion, beyond, price_level, late, days)


def _tail_mean(values: Matrix, weight: NDArray[Any], days: int) -> Matrix:
    tail = slice(SELLING_DAYS - days, None)
    return _ratio((values[:, tail] * weight[:, tail]).sum(axis=1), weight[:, tail].sum(axis=1))


def _ratio(above: Matrix, below: NDArray[Any], empty: float = 0.0) -> Matrix:
    """``above / below``, and ``empty`` where ``below`` is not positive."""
    below = np.asarray(below, np.float64)
    return np.where(below > 0, above / np.where(below > 0, below, 1.0), empty)
