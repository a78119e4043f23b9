"""Snapshot rows to booster features: the one function of batch, online and training.

Every step is a copy or a float32 division of single values, so that a row has the same bits alone
and in any batch, on any processor.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date, timedelta

import numpy as np
from numpy.typing import ArrayLike, NDArray

from daybreak.facts.panel import LEAST_SLOTS
from daybreak.models.sales_forecast.features.layout import (
    CHANNELS,
    DAY_FACTOR,
    FEATURES,
    GROUP_FACTOR,
    HISTORY,
    OVERRIDABLE,
    PROMOTED_FACTOR,
    PROMOTED_GROUP_FACTOR,
    STATISTICS,
    channel_starts,
    features,
    further,
    horizon_of,
)
from daybreak.models.sales_forecast.features.prices import lower_by, multiplier

_COLUMN = {name: position for position, name in enumerate(FEATURES)}
_STATISTICS = len(STATISTICS)
_CHANNELS = slice(_COLUMN[CHANNELS[0]], _COLUMN[CHANNELS[0]] + len(CHANNELS))
_OF_FACTORS = [_COLUMN["day_factor"], _COLUMN["group_factor"]]
_FACTORS = np.array(
    [
        [HISTORY.index(names[0]) for names in (usual, on_promotion)]
        for usual, on_promotion in (
            (DAY_FACTOR, PROMOTED_FACTOR),
            (GROUP_FACTOR, PROMOTED_GROUP_FACTOR),
        )
    ]
)
"""Where those of offset 0 are in a snapshot row, by whether a day is promoted."""
_OF_PRICES = [_COLUMN["price_ratio"], _COLUMN["price_change"]]
_PRICES = [_COLUMN["reference_price"], _COLUMN["price_now"]]
"""What each of them is the price over."""


def assemble(
    snapshot: NDArray[np.float32],
    business_date: date,
    horizons: NDArray[np.integer],
    rows: NDArray[np.integer],
    overrides: Mapping[str, ArrayLike] | None = None,
    *,
    step: int = 1,
    slots: int = LEAST_SLOTS,
    covariates: Sequence[int] | None = None,
) -> NDArray[np.float32]:
    """Features float32 (m, F), one row for each pair of ``rows`` and ``horizons``.

    ``snapshot``: float32 (n, S). ``horizons``: periods of ``step`` days ahead, of those that the
    snapshot covers, (m,). ``rows``: which snapshot row, (m,). ``overrides``: price or promotion to
    take instead of the plan, scalar or (m,); NaN keeps the plan. ``slots``: for covariates, which
    decide on S and F (`layout.features`). ``covariates``: the snapshot's slot, from 0, of each in
    order, -1 for one that it has not; default: they are in their slots. Raises ``ValueError`` for
    another name, shape or horizon.
    """
    horizons, rows = np.asarray(horizons, np.intp), np.asarray(rows, np.intp)
    horizon = horizon_of(snapshot, slots)
    if len(horizons) and not 1 <= horizons.min() <= horizons.max() <= horizon:
        raise ValueError(f"Horizons are 1 to {horizon} days ahead.")

    out = np.empty((len(rows), len(FEATURES) + further(slots)), np.float32)
    out[:, :_STATISTICS] = snapshot[rows, :_STATISTICS]
    ahead = snapshot[rows[:, None], channel_starts(horizon, slots) + (horizons - 1)[:, None]]
    out[:, _CHANNELS] = ahead[:, : len(CHANNELS)]
    out[:, len(FEATURES) :] = ahead[:, len(CHANNELS) :]
    if covariates is not None:
        columns = [features(slots).index(f"covariate_{slot}") for slot in range(1, slots + 1)]
        out[:, columns] = np.nan
        first = CHANNELS.index("covariate_1")
        for place, slot in zip(columns, covariates, strict=False):
            if slot >= 0:
                out[:, place] = ahead[:, first + slot]
    for name, value in (overrides or {}).items():
        if name not in OVERRIDABLE:
            raise ValueError(f"{name!r} cannot be overridden; {', '.join(OVERRIDABLE)} can.")
        given = np.asarray(value, np.float32)
        column = out[:, _COLUMN[name]]
        out[:, _COLUMN[name]] = np.where(np.isnan(given), column, given)

    # After the overrides: a day that is asked about as promoted has the factor of promoted days.
    promoted = (out[:, _COLUMN["promotion"]] > 0).astype(np.intp)
    factors = _FACTORS[:, promoted] + horizons * step % 7
    out[:, _OF_FACTORS] = snapshot[rows, factors].T
    price, usual = out[:, _COLUMN["price"]], out[:, _COLUMN["reference_price"]]
    with np.errstate(divide="ignore", invalid="ignore"):  # a free or unknown price is NaN or inf
        ratios = price[:, None] / out[:, _PRICES]
    ratios[np.isinf(ratios)] = np.nan  # which the booster refuses
    out[:, _OF_PRICES] = ratios
    lower = lower_by(price, usual)
    out[:, _COLUMN["day_factor"]] *= multiplier(out[:, _COLUMN["price_effect"]], lower)
    in_calendar = _weekdays if step == 1 else _weeks
    out[:, _COLUMN["weekday"]] = in_calendar(business_date, horizons)
    out[:, _COLUMN["horizon"]] = horizons
    return out


def planned(
    snapshot: NDArray[np.float32],
    horizons: NDArray[np.integer],
    rows: NDArray[np.integer],
    name: str,
    *,
    slots: int = LEAST_SLOTS,
) -> NDArray[np.float32]:
    """What is planned of a channel, float32 (m,); arguments as for `assemble`."""
    start = channel_starts(horizon_of(snapshot, slots), slots)[CHANNELS.index(name)]
    return np.asarray(snapshot[rows, start + np.asarray(horizons, np.intp) - 1])


def _weekdays(business_date: date, horizons: NDArray[np.integer]) -> NDArray[np.integer]:
    return (business_date.weekday() + horizons) % 7


def _weeks(business_date: date, horizons: NDArray[np.integer]) -> NDArray[np.integer]:
    """ISO weeks of the year: all weeks end on one weekday, which says nothing."""
    distinct, place = np.unique(horizons, return_inverse=True)
    weeks = [(business_date + timedelta(days=7 * int(h))).isocalendar().week for h in distinct]
    return np.array(weeks, np.intp)[place]
