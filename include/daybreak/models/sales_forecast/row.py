"""One day of one series, number by number: the bits of `scorer`, in a fraction of its time.

Of a request for one day each step on arrays takes a microsecond or more, and there are some
hundred. The same steps on single float32 values take a tenth of that: IEEE 754 gives both the same
bits. Whatever is not an ordinary day is left to `scorer`.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from functools import lru_cache
from math import isfinite
from typing import Any

import numpy as np
from numpy.typing import NDArray

from daybreak.models.base import SnapshotRows, Source
from daybreak.models.sales_forecast.features.layout import (
    CHANNELS,
    DAY_FACTOR,
    GROUP_FACTOR,
    HISTORY,
    PROMOTED_FACTOR,
    PROMOTED_GROUP_FACTOR,
    channel_starts,
    channels,
    features,
)
from daybreak.models.sales_forecast.features.prices import MOST_LOWER
from daybreak.models.sales_forecast.link import SCORES, Link
from daybreak.models.sales_forecast.request import ForecastRequest
from daybreak.types import Float32

_NAN, _ZERO, _ONE, _MOST = (np.float32(value) for value in (np.nan, 0, 1, MOST_LOWER))
_COLUMN = {name: place for place, name in enumerate(features())}
_PRICE, _PROMOTION = _COLUMN["price"], _COLUMN["promotion"]
_PRICE_AHEAD, _PROMOTION_AHEAD = (CHANNELS.index(name) for name in ("price", "promotion"))


@dataclass(frozen=True)
class ForecastRow:
    """Implements ``models.base.Row``."""

    link: Link
    request: ForecastRequest
    horizon: int
    features: Float32
    planned: dict[str, np.float32]

    @property
    def source(self) -> Source:
        """What is planned, given again, is still the published row."""
        for name, plan in self.planned.items():
            taken: np.float32 = self.features[0, _COLUMN[name]]
            if taken.tobytes() != plan.tobytes():
                return "live"
        return "published"

    def prediction(self, margins: Float32) -> dict[str, Any] | None:
        """The row of the answer; None where `scorer` has to say what it is."""
        units = self.link.units_of_one(margins, self.features)
        if units is None:
            return None
        request = self.request
        found: dict[str, Any] = {
            "store_id": request.store_id,
            "item_id": request.item_id,
            "horizon": self.horizon,
            "target_date": request.target_date.isoformat() if request.target_date else None,
            **dict(zip(SCORES, units, strict=True)),
        }
        for name, plan in self.planned.items():
            found[name] = self.features[0, _COLUMN[name]]
            if plan == plan:  # noqa: PLR0124 (not NaN)
                found[f"planned_{name}"] = plan
        return found


def row_of(
    link: Link, business_date: date, slots: int, series: SnapshotRows, request: ForecastRequest
) -> ForecastRow | None:
    """The row that answers a request; None for one that asks for anything but one published day.

    ``series``: the one (n=1) that it is about, of a snapshot by day.
    """
    day, values = request.target_date, series.values[0]
    if day is None or request.prices is not None:
        return None
    horizon = day.toordinal() - business_date.toordinal()
    published = (len(values) - len(HISTORY)) // len(channels(slots))
    if not 1 <= horizon <= published:
        return None
    starts = channel_starts(published, slots)
    planned: dict[str, np.float32] = {}
    promotion = values[starts[_PROMOTION_AHEAD] + horizon - 1]
    if request.price is not None:
        planned["price"] = values[starts[_PRICE_AHEAD] + horizon - 1]
    if request.promotion is not None:
        planned["promotion"] = promotion
        promotion = np.float32(request.promotion)
    places = _places(published, slots)[int(promotion > 0), horizon - 1]
    row = values.take(places)
    if request.promotion is not None:
        row[_PROMOTION] = promotion
    price = row[_PRICE]
    if request.price is not None:
        row[_PRICE] = price = np.float32(request.price)
    _put_prices(row, price)
    row[_COLUMN["weekday"]] = (business_date.weekday() + horizon) % 7
    row[_COLUMN["horizon"]] = horizon
    return ForecastRow(link, request, horizon, row[None], planned)


def _put_prices(row: Float32, price: np.float32) -> None:
    """What follows from the price of the day; see `assemble`."""
    usual, now = row[_COLUMN["reference_price"]], row[_COLUMN["price_now"]]
    ratio = price / usual if usual else _NAN
    row[_COLUMN["price_ratio"]] = ratio
    row[_COLUMN["price_change"]] = price / now if now else _NAN
    lower = min(max(_ONE - ratio, -_MOST), _MOST) if isfinite(ratio) else _ZERO
    change = _ONE + row[_COLUMN["price_effect"]] * abs(lower)
    row[_COLUMN["day_factor"]] *= _ONE / change if lower < 0 else change


@lru_cache(maxsize=8)
def _places(published: int, slots: int) -> NDArray[np.intp]:
    """Where in a snapshot row each feature is, (2, published, F): by whether the day is promoted,
    and by day. What is not there, but computed, is anywhere."""
    starts = dict(zip(channels(slots), channel_starts(published, slots).tolist(), strict=True))
    found = np.zeros((2, published, len(features(slots))), np.intp)
    for column, name in enumerate(features(slots)):
        if name in starts:
            found[:, :, column] = starts[name] + np.arange(published)
        elif name in HISTORY:
            found[:, :, column] = HISTORY.index(name)
    of_factors = {
        "day_factor": (DAY_FACTOR, PROMOTED_FACTOR),
        "group_factor": (GROUP_FACTOR, PROMOTED_GROUP_FACTOR),
    }
    offsets = np.arange(1, published + 1) % 7
    for name, by_promotion in of_factors.items():
        for promoted, names in enumerate(by_promotion):
            found[promoted, :, _COLUMN[name]] = HISTORY.index(names[0]) + offsets
    found.flags.writeable = False
    return found
