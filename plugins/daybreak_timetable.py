"""The timetable of the nightly runs, which Airflow's scheduler and API server have to know too."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from airflow.timetables.base import DagRunInfo, DataInterval, TimeRestriction
from airflow.timetables.interval import CronDataIntervalTimetable


class NightlyTimetable(CronDataIntervalTimetable):
    """Once a day. A run starts when its day is over; its logical date is a day before its start.

    It is Airflow's own timetable but for two things. With ``clock`` off, people and backfills
    start runs and nothing else does, and the UI shows no next run. And on the night when clocks
    skip the start, which then comes later, no run is lost: Airflow 3.3.2 looks for the last start
    by the hour that clocks show, finds one that is still ahead, and goes on from there.
    """

    def __init__(self, cron: str, timezone: Any, clock: bool = True) -> None:
        super().__init__(cron, timezone)
        self.clock = clock
        if not clock:
            self.description = "By hand and by backfill: the clock is off (DAYBREAK_SCHEDULE)"

    @property
    def summary(self) -> str:
        """What the UI shows as the schedule."""
        return self._expression if self.clock else "clock off"

    def next_dagrun_info(
        self,
        *,
        last_automated_data_interval: DataInterval | None,
        restriction: TimeRestriction,
    ) -> DagRunInfo | None:
        """The run after the last one; a backfill is known by ``catchup``, which no DAG here has."""
        if not self.clock and not restriction.catchup:
            return None
        return super().next_dagrun_info(
            last_automated_data_interval=last_automated_data_interval, restriction=restriction
        )

    def _get_prev(self, current: Any) -> Any:
        found = super()._get_prev(current)
        while found >= current:
            found = super()._get_prev(found - timedelta(hours=12))
        return found

    def serialize(self) -> dict[str, Any]:
        """What Airflow keeps of it between its components."""
        return super().serialize() | {"clock": self.clock}

    @classmethod
    def deserialize(cls, data: dict[str, Any]) -> NightlyTimetable:
        """The timetable that ``serialize`` described."""
        plain = CronDataIntervalTimetable.deserialize(data)
        return cls(plain._expression, plain._timezone, data["clock"])
