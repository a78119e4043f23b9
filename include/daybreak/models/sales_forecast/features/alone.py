"""What the last days say of each series alone, as sold and as if each day had been a usual one.

No single order decides a level. Units are capped, in means only, at three times the series' own
90 % quantile (or twice its mean without the largest day): one bulk order would otherwise double the
level of an item for eleven weeks.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from daybreak.facts.panel import Panel
from daybreak.models.sales_forecast.features.prices import lower_by, multiplier
from daybreak.models.sales_forecast.features.profile import CELLS, WEEK, Evidence, evidence
from daybreak.models.sales_forecast.features.recent import (
    RECENCY,
    SELLING_DAYS,
    Matrix,
    Recent,
    chunks,
    gather,
    quantiles,
)
from daybreak.models.sales_forecast.features.trend import rise

PROMOTED_WEIGHT = 0.1
"""A promoted day counts this much in the level: its units are not those of a usual day."""
ENOUGH = 28
"""Selling days after which a series that never sold is taken not to sell."""
OLD = 84
"""``age`` stops here. Where many series began on the same day, a higher one is a clock by which
trees would separate the origins and fit the noise of each."""
HALF_LIFE = 10.0

Columns = dict[str, Matrix]

EVIDENCE = 3 * CELLS + 4
"""Numbers of a series' `profile.Evidence`: three for each cell and four more."""
SINGLE = (
    *("p50_units", "p90_units", "zeros_14", "zeros_56", "since_sale", "observed", "age"),
    *("reference_price", "promotion_share", "price_now", "_never_sold"),
)
_MATRICES = {
    "evidence": EVIDENCE,
    "units": SELLING_DAYS,
    "cell": SELLING_DAYS,
    "lower": SELLING_DAYS,
}
ALONE = (*SINGLE, *(f"{name}_{k}" for name, width in _MATRICES.items() for k in range(width)))
"""Columns of what `alone` knows: single values, then matrices side by side."""
_ENDS = len(SINGLE) + np.cumsum(list(_MATRICES.values()))
PLACE = {
    name: slice(int(end) - width, int(end))
    for (name, width), end in zip(_MATRICES.items(), _ENDS, strict=True)
}
"""Where each matrix stands among them."""


def alone(panel: Panel, origin: int) -> Matrix:
    """What follows from each series alone, float64 (n, len(ALONE)); not divided by a scale yet."""
    found = np.empty((len(panel), len(ALONE)))
    for rows in chunks(len(panel)):
        columns = _of_series(gather(panel, origin, rows))
        columns["evidence"] = np.column_stack(evidence(panel, origin, rows))
        columns["price_now"] = panel.price[rows, origin].astype(np.float64)
        found[rows] = np.column_stack([columns[name] for name in (*SINGLE, *_MATRICES)])
    return found


def _of_series(recent: Recent) -> Columns:
    """What follows from the series alone."""
    raw, known, count = recent.units, recent.known, recent.count
    observed = np.maximum(count, 1)
    p50, p90 = quantiles(raw, known, (0.5, 0.9)).T
    sold = raw > 0
    # Weighed like the level: the price at which ``scale`` was sold. Promoted days only where there
    # are no others, or a promotion of 30 % would not stand at 0.7 of this price.
    priced = known * RECENCY * ~np.isnan(recent.price)
    full = priced * ~(recent.promotion > 0)
    priced = np.where(full.max(axis=1, keepdims=True) > 0, full, priced)
    reference = ratio(
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


def of_days(alone: Matrix, factors: Matrix, effect: Matrix) -> Columns:
    """Means and quantiles of the last selling days as if each had been a usual day."""
    raw, cell, lower = (alone[:, PLACE[name]] for name in ("units", "cell", "lower"))
    cell, price = cell.astype(np.int64), multiplier(effect[:, None], lower)
    known = cell >= 0
    count = known.sum(axis=1)
    factor = np.take_along_axis(factors, np.maximum(cell, 0), axis=1) * price * known
    usual = np.where(known, raw / np.where(known, factor, 1.0), 0.0)
    p10, p25, p50, p75, p90 = quantiles(usual, known, (0.1, 0.25, 0.5, 0.75, 0.9)).T
    month = slice(SELLING_DAYS - 28, None)
    p10_28, p50_28, p90_28 = quantiles(usual[:, month], known[:, month], (0.1, 0.5, 0.9)).T
    units: Matrix = np.minimum(usual, _cap(usual, count, p90)[:, None])

    regular = np.where(cell >= WEEK, PROMOTED_WEIGHT, 1.0) * factor
    decay = factor * 0.5 ** (np.arange(SELLING_DAYS)[::-1] / HALF_LIFE)
    weight = regular * RECENCY
    sold = raw > 0
    mean = ratio((units * factor).sum(axis=1), factor.sum(axis=1))
    return {
        **{f"mean_{days}": _tail_mean(units, factor, days) for days in (7, 14, 28, 56)},
        "recent_mean": ratio((units * decay).sum(axis=1), decay.sum(axis=1)),
        "regular_mean": ratio((units * regular).sum(axis=1), regular.sum(axis=1)),
        "deviation": np.sqrt(
            ratio((np.square(units - mean[:, None]) * known).sum(axis=1), np.maximum(count, 1))
        ),
        "peak_56": usual.max(axis=1),
        **{"p10_28": p10_28, "p50_28": p50_28, "p90_28": p90_28},
        **{"p10_56": p10, "p25_56": p25, "p50_56": p50, "p75_56": p75, "p90_56": p90},
        "sale_size": ratio((units * known).sum(axis=1), sold.sum(axis=1)),
        "_level_units": (units * weight).sum(axis=1),
        "_level_days": weight.sum(axis=1),
        **dict(zip(("_rise", "_rise_level"), rise(units, factor, mean), strict=True)),
    }


def _cap(raw: Matrix, count: NDArray[np.int64], p90: Matrix) -> Matrix:
    """What a day counts at most in means, (n,). No single day sets it, once there are two."""
    second, top = np.partition(raw, SELLING_DAYS - 2, axis=1)[:, -2:].T
    others = (raw.sum(axis=1) - top + second) / np.maximum(count, 1)
    p90 = np.where(count > 1, np.minimum(p90, 3 * np.maximum(second, 1)), p90)
    most: Matrix = np.maximum(np.maximum(3 * p90, 2 * others), 1.0)
    return most


def evidence_in(known: Matrix) -> Evidence:
    """That of the series of `alone`."""
    parts = np.split(known[:, PLACE["evidence"]], [CELLS, 2 * CELLS, 2 * CELLS + 4], axis=1)
    sold, level, single, days = parts
    dispersion, beyond, price_level, late = single.T
    return Evidence(sold, level, dispersion, beyond, price_level, late, days)


def _tail_mean(values: Matrix, weight: NDArray[Any], days: int) -> Matrix:
    tail = slice(SELLING_DAYS - days, None)
    return ratio((values[:, tail] * weight[:, tail]).sum(axis=1), weight[:, tail].sum(axis=1))


def ratio(above: Matrix, below: NDArray[Any], empty: float = 0.0) -> Matrix:
    """``above / below``, and ``empty`` where ``below`` is not positive."""
    below = np.asarray(below, np.float64)
    return np.where(below > 0, above / np.where(below > 0, below, 1.0), empty)
