"""What of a snapshot row is compared with other nights."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from daybreak.models.sales_forecast.features.layout import (
    DAY_FACTOR,
    GROUP_FACTOR,
    PROMOTED_FACTOR,
    PROMOTED_GROUP_FACTOR,
    STATISTICS,
    channel_starts,
    channels,
    horizon_of,
)
from daybreak.types import Float32

NUMBERED = frozenset({"category_code", "store_code"})
"""Names as numbers: another category moves all after it."""

BY_CALENDAR = frozenset(
    {
        *("open", "holiday", "public_holiday_in", "public_holiday_since"),
        *("closed_before", "closed_after", "selling_day"),
        *("last_year", "season", "item_season"),
    }
)
"""Known long before, and alike for all series: Christmas comes, and is no drift."""

BY_DAY = BY_CALENDAR | {"weekday", "horizon"}
"""Features that follow from the day that is asked about; and covariates, such as the weather."""

FACTORS = {
    "day_factor": DAY_FACTOR,
    "promoted_factor": PROMOTED_FACTOR,
    "group_factor": GROUP_FACTOR,
    "promoted_group_factor": PROMOTED_GROUP_FACTOR,
}


def watched(rows: Float32, slots: int) -> Mapping[str, Float32]:
    """Of snapshot rows (n, S): (n,) of a statistic of the history, (n, 7) of a factor of days, and
    (n, H) of a channel of the days ahead."""
    found = {name: rows[:, place] for place, name in enumerate(STATISTICS) if name not in NUMBERED}
    first = len(STATISTICS)
    for name, days in FACTORS.items():
        found[name] = rows[:, first : first + len(days)]
        first += len(days)
    horizon = horizon_of(rows, slots)
    for name, start in zip(channels(slots), channel_starts(horizon, slots).tolist(), strict=True):
        if name not in BY_CALENDAR:
            found[name] = rows[:, start : start + horizon]
    return found


def watched_features(features: Sequence[str]) -> list[str]:
    """Those that do not follow from the day that is asked about."""
    return [one for one in features if one not in BY_DAY and not one.startswith("covariate_")]
