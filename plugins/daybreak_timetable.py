"""The timetable of the nightly runs, which Airflow's scheduler and API server have to know too."""

from __future__ import annotations

from datetime import date, time, timedelta
from typing import Any

from airflow.timetables.base import DagRunInfo, DataInterval, TimeRestriction
from airflow.timetables.interval import CronDataIntervalTimetable

from daybreak.interval import WEEKDAYS
from daybreak.jobs.dates import day_of_start


class NightlyTimetable(CronDataIntervalTimetable):
    """Once a day. A run starts when its day is over; its logical date is a day before its start.

    It is Airflow's own timetable but for three things. With ``clock`` off, people, backfills and
    assets start runs and nothing else does, and the UI shows no next run. With a ``weekday`` (0 is
    Monday) there are runs for business dates of that weekday only. And on the night when clocks
    skip the start, which then comes later, no run is lost: Airflow 3.3.2 looks for the last start
    by the hour that clocks show, finds one that is still ahead, and goes on from there.
    """

    def __init__(
        self,
        cron: str,
        timezone: Any,
        clock: bool = True,
        weekday: int | None = None,
        beside_asset: bool = False,
    ) -> None:
        super().__init__(cron, timezone)
        self.clock = clock and not beside_asset
        self.weekday = weekday
        self.beside_asset = beside_asset
        if weekday is not None:
            self.description = f"{self.description}, for business dates that are a {self._named}"
        if beside_asset:
            self.description = "by hand and by backfill"  # "Triggered by assets or …"
        elif not clock:
            self.description = "By hand and by backfill: the clock is off (DAYBREAK_SCHEDULE)"

    @property
    def summary(self) -> str:
        """What the UI shows as the schedule."""
        if not self.clock:
            return "backfill" if self.beside_asset else "clock off"
        return self._expression if self.weekday is None else f"{self._expression} ({self._named})"

    def next_dagrun_info(
        self,
        *,
        last_automated_data_interval: DataInterval | None,
        restriction: TimeRestriction,
    ) -> DagRunInfo | None:
        """The run after the last one; a backfill is known by ``catchup``, which no DAG here has."""
        if not self.clock and not restriction.catchup:
            return None
        while True:
            info = super().next_dagrun_info(
                last_automated_data_interval=last_automated_data_interval, restriction=restriction
            )
            if info is None or self._is_scored(info.data_interval.start):
                return info
            last_automated_data_interval = info.data_interval

    def _skip_to_latest(self, earliest: Any) -> Any:
        """The latest day that is over; with a weekday the latest of these, which may be days ago.

        Else a scheduler that was down for a night would lose a whole week.
        """
        latest = super()._skip_to_latest(None)
        while not self._is_scored(latest):
            latest = self._get_prev(latest)
        return latest if earliest is None else max(latest, self._align_to_next(earliest))

    def _is_scored(self, start: Any) -> bool:
        return self.weekday in {None, self._day_of(start).weekday()}

    def _day_of(self, start: Any) -> date:
        minute, hour, *_ = self._expression.split()
        return day_of_start(start, self._timezone.name, time(int(hour), int(minute)))

    @property
    def _named(self) -> str:
        return WEEKDAYS[self.weekday or 0].capitalize()

    def _get_prev(self, current: Any) -> Any:
        found = super()._get_prev(current)
        while found >= current:
            found = super()._get_prev(found - timedelta(hours=12))
        return found

    def serialize(self) -> dict[str, Any]:
        """What Airflow keeps of it between its components."""
        own = {"clock": self.clock, "weekday": self.weekday, "beside_asset": self.beside_asset}
        return super().serialize() | own

    @classmethod
    def deserialize(cls, data: dict[str, Any]) -> NightlyTimetable:
        """The timetable that ``serialize`` described."""
        plain = CronDataIntervalTimetable.deserialize(data)
        own = {name: data[name] for name in ("clock", "weekday", "beside_asset") if name in data}
        return cls(plain._expression, plain._timezone, **own)
