"""The two clocks: the business date (when it happened) and the knowledge time (when we knew)."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from daybreak.errors import ConfigError


@dataclass(frozen=True)
class AsOf:
    """The bound on both clocks that every read of facts carries.

    A fact is visible when its event date is ``<= business_date`` **and** it was loaded at or
    before ``cutoff`` (an aware datetime). A plan for a later date (a price, a promotion) is
    visible when it was loaded at or before ``cutoff``.
    """

    business_date: date
    cutoff: datetime

    def __post_init__(self) -> None:
        if self.cutoff.tzinfo is None:
            raise ConfigError(
                f"The knowledge cutoff {self.cutoff.isoformat()} has no time zone.",
                remedy="Give an aware datetime, such as 2026-01-02T02:00:00+00:00.",
                field="cutoff",
            )


def scheduled_cutoff(business_date: date, run_at: time, timezone: str) -> datetime:
    """When the run for a business date is due to start: ``run_at`` on the day after, in UTC.

    A replay uses this moment instead of the present one, so that it knows what the first run
    knew and nothing more.
    """
    local = datetime.combine(business_date + timedelta(days=1), run_at, ZoneInfo(timezone))
    return local.astimezone(UTC)
