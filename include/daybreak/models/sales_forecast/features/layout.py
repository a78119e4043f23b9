"""Names and places of the values in a snapshot row and of the features made from it.

A snapshot row is the history block followed by the ahead block, one channel after another with
the days of its horizon side by side. Nothing else knows these positions.
"""

from __future__ import annotations

from functools import cache

import numpy as np
from numpy.typing import NDArray

from daybreak.facts.panel import LEAST_SLOTS

COVARIATES = "covariates"
"""Names of the data set's own covariates, slot by slot: in a version's layout and in a context."""

LEVELS = (
    "mean_7",
    "mean_14",
    "mean_28",
    "mean_56",
    "mean_112",
    "recent_mean",
    "regular_mean",
    "deviation",
    "peak_56",
    "p10_28",
    "p50_28",
    "p90_28",
    "p10_56",
    "p25_56",
    "p50_56",
    "p75_56",
    "p90_56",
)
"""Levels and quantiles of a usual day, in multiples of ``scale``."""

STATISTICS = (
    "scale",
    *LEVELS,
    "p50_units",
    "p90_units",
    "zeros_14",
    "zeros_56",
    "sale_size",
    "since_sale",
    "observed",
    "age",
    "reference_price",
    "price_now",
    "price_to_category",
    "price_effect",
    "promotion_share",
    "promotion_lift",
    "item_trend",
    "item_slope",
    "category_code",
    "store_code",
)
"""What `history` knows of a series whatever the target date is; each becomes a feature."""

DAY_FACTOR = tuple(f"day_factor_{offset}" for offset in range(7))
PROMOTED_FACTOR = tuple(f"promoted_factor_{offset}" for offset in range(7))
GROUP_FACTOR = tuple(f"group_factor_{offset}" for offset in range(7))
PROMOTED_GROUP_FACTOR = tuple(f"promoted_group_factor_{offset}" for offset in range(7))
FACTORS = (*DAY_FACTOR, *PROMOTED_FACTOR, *GROUP_FACTOR, *PROMOTED_GROUP_FACTOR)
"""What a day sells beside the level (`profile`), without a promotion and with one; of the series,
and of its groups without the series' own deviation. By ``horizon % 7``: offset 0 is the weekday of
the origin, 1 that of the day after."""

HISTORY = (*STATISTICS, *FACTORS)

CHANNELS = (
    "open",
    "price",
    "promotion",
    "holiday",
    "public_holiday_in",
    "public_holiday_since",
    "closed_before",
    "closed_after",
    "selling_day",
    "last_year",
    "season",
    "item_season",
    *(f"covariate_{slot}" for slot in range(1, LEAST_SLOTS + 1)),
)
"""What `ahead` knows of each target date; each becomes a feature."""

FEATURES = (
    *STATISTICS,
    "day_factor",
    "group_factor",
    *CHANNELS,
    "price_ratio",
    "price_change",
    "weekday",
    "horizon",
)
"""The columns of the matrix that the booster sees, in order."""

OVERRIDABLE = ("price", "promotion")
"""Channels that a request may replace."""


def channels(slots: int = LEAST_SLOTS) -> tuple[str, ...]:
    """``CHANNELS``, and those of further covariates."""
    return (*CHANNELS, *_further(slots))


def features(slots: int = LEAST_SLOTS) -> tuple[str, ...]:
    """``FEATURES``, and those of further covariates."""
    return (*FEATURES, *_further(slots))


def layout(horizon: int, slots: int = LEAST_SLOTS) -> tuple[str, ...]:
    """Names of the values of a snapshot row that covers ``horizon`` periods ahead, in order."""
    ahead = (f"{name}_{period}" for name in channels(slots) for period in range(1, horizon + 1))
    return (*HISTORY, *ahead)


def horizon_of(snapshot: NDArray[np.float32], slots: int = LEAST_SLOTS) -> int:
    """How many periods ahead snapshot rows (n, S) cover. Raises ``ValueError`` for other rows."""
    width = len(CHANNELS) + further(slots)
    periods, rest = divmod(snapshot.shape[-1] - len(HISTORY), width)
    if snapshot.dtype != np.float32 or snapshot.ndim != 2 or periods < 1 or rest:
        raise ValueError(
            f"A snapshot is float32 (n, {len(HISTORY)} + {width} a period ahead), "
            f"not {snapshot.dtype} {snapshot.shape}."
        )
    return int(periods)


@cache
def channel_starts(horizon: int, slots: int = LEAST_SLOTS) -> NDArray[np.intp]:
    """Position in a snapshot row of the first period of each of ``channels``, not to be changed."""
    starts = len(HISTORY) + np.arange(len(channels(slots))) * horizon
    starts.flags.writeable = False
    return starts


def further(slots: int) -> int:
    """How many covariates there are beyond those of ``FEATURES``."""
    return max(slots - LEAST_SLOTS, 0)


@cache
def _further(slots: int) -> tuple[str, ...]:
    return tuple(f"covariate_{slot}" for slot in range(LEAST_SLOTS + 1, slots + 1))
