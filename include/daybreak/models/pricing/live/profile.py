"""Which share of a day's units usually came by a time of the day, by store."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime
from zoneinfo import ZoneInfo

import numpy as np
from numpy.typing import NDArray

from daybreak.models.arrays import from_names, to_names
from daybreak.models.base import Context
from daybreak.models.pricing.layout import PROFILE, PROFILE_STORES

DAYS = 28
"""That a profile is of."""
LEAST_DAYS = 7
"""With events, for a store to have a profile of its own, and for the shop to have one at all."""
A_DAY = 24 * 60
"""Minutes that clocks show."""

Floats = NDArray[np.float64]


def bounds(minutes: int) -> Floats:
    """Where slots of that length begin by the clock, and the end of the day: minutes (b + 1,)."""
    return np.append(np.arange(0, A_DAY, minutes), A_DAY).astype(np.float64)


@dataclass(frozen=True)
class Profile:
    """``share`` float64 (s + 1, b + 1): of the shop and of ``stores``, the share of a day's units
    that came by each of the ``bounds``; from 0 to 1, never falling. Without the shop there is none.
    """

    stores: NDArray[np.object_]
    share: Floats

    @classmethod
    def none(cls) -> Profile:
        """Of a shop of which too little is known."""
        return cls(np.empty(0, object), np.empty((0, 0)))

    @classmethod
    def of_context(cls, context: Context) -> Profile:
        """As the context of a snapshot has it."""
        share = context[PROFILE]
        return cls(to_names(context[PROFILE_STORES]), share) if len(share) else cls.none()

    def as_context(self) -> Context:
        """As the context of a snapshot holds it."""
        return {PROFILE_STORES: from_names(self.stores), PROFILE: self.share}

    def of_store(self, store: str) -> list[float] | None:
        """The shares of a store, else those of the shop; None where there are none."""
        if not len(self.share):
            return None
        own = np.flatnonzero(self.stores == store)
        found: list[float] = self.share[1 + own[0] if len(own) else 0].tolist()
        return found


def share_by(
    shares: list[float], minutes: int, moment: datetime, day: date, zone: ZoneInfo
) -> float:
    """The share of a day's units that usually came by a moment: by what clocks show, and even
    within a slot. Sums and products of float64 alone, one by one: the bits are the same everywhere.
    """
    local = moment.astimezone(zone)
    if local.date() != day:
        return 0.0 if local.date() < day else 1.0
    shown = local.hour * 60 + local.minute + (local.second + local.microsecond * 1e-6) / 60.0
    place = int(shown) // minutes
    begins = place * minutes
    within = (shown - begins) / (min(begins + minutes, A_DAY) - begins)
    return shares[place] + (shares[place + 1] - shares[place]) * within


def profile_of(units: Mapping[str, Floats], days: Mapping[str, int], shop_days: int) -> Profile:
    """The profile of units by slot (b,) of each store, on so many days with events."""
    total = np.sum([*units.values()], axis=0) if units else np.empty(0)
    if shop_days < LEAST_DAYS or total.sum() <= 0:
        return Profile.none()
    own = sorted(store for store in units if days[store] >= LEAST_DAYS and units[store].sum() > 0)
    rows = [total, *(units[store] for store in own)]
    share = np.stack([np.append(0.0, np.cumsum(row)) / row.sum() for row in rows])
    share[:, -1] = 1.0
    return Profile(np.array(own, object), share)
