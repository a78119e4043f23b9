"""Run in a process of its own: when does Airflow start the nightly runs?

usage: python run_starts.py NIGHTS.json STARTS.json
NIGHTS: a list of {"zone", "run_at": "HH:MM", "first": ISO text, "runs": n, "looks": bool}. With a
"weekday" (0 is Monday) the runs are those of our timetable, as no other knows of weekdays.
STARTS: for each, the first n runs from ``first`` on as [logical date, start], ISO text in UTC, as
Airflow's own timetable says. Where it looks, ours is asked what comes next, again and again in the
hours around each start, as a scheduler asks that reads the DAG anew; of a weekly run also on the
days after it, as one that was down. What differs ends this script.
"""

import json
import sys
from collections.abc import Callable
from datetime import datetime, timedelta
from itertools import pairwise
from pathlib import Path
from typing import Any

import pendulum
from airflow.timetables import interval
from airflow.timetables._cron import CronMixin
from airflow.timetables.base import DagRunInfo, TimeRestriction
from airflow.timetables.interval import CronDataIntervalTimetable

from daybreak_timetable import NightlyTimetable

LOOKS = [timedelta(minutes=minutes) for minutes in (-90, -50, -30, -10, 0, 5, 20, 40, 120)]
DAYS_LATER = [timedelta(days=days) for days in (1, 3, 6)]


def remembered(step: Callable[[CronMixin, Any], Any]) -> Callable[[CronMixin, Any], Any]:
    """Airflow's step along a cron expression, computed once a moment.

    It knows nothing but these, reads the expression anew each time, and is asked for the same
    moments by every look.
    """
    known: dict[tuple[str, str, float], Any] = {}

    def remembering(self: CronMixin, current: Any) -> Any:
        asked = (self._expression, self._timezone.name, current.timestamp())
        if asked not in known:
            known[asked] = step(self, current)
        return known[asked]

    return remembering


def backfilled(timetable: Any, first: Any, runs: int) -> list[DagRunInfo]:
    restriction = TimeRestriction(earliest=first, latest=None, catchup=True)
    found: list[DagRunInfo] = []
    while len(found) < runs:
        last = found[-1].data_interval if found else None
        found.append(
            timetable.next_dagrun_info(last_automated_data_interval=last, restriction=restriction)
        )
    return found


def look(timetable: Any, first: Any, runs: list[DagRunInfo], looks: list[timedelta]) -> None:
    restriction = TimeRestriction(earliest=first, latest=None, catchup=False)
    for last, following in pairwise(runs):
        for step in looks:
            interval.utcnow = lambda now=following.run_after + step: now
            seen = timetable.next_dagrun_info(
                last_automated_data_interval=last.data_interval, restriction=restriction
            )
            assert seen == following, (timetable.serialize(), step, seen, following)


def starts(night: dict[str, Any]) -> list[list[str]]:
    hour, minute = night["run_at"].split(":")
    spoken = f"{int(minute)} {int(hour)} * * *", pendulum.timezone(night["zone"])
    first = pendulum.instance(datetime.fromisoformat(night["first"]))
    weekday = night.get("weekday")
    ours = NightlyTimetable.deserialize(NightlyTimetable(*spoken, weekday=weekday).serialize())
    if weekday is not None:
        runs = backfilled(ours, first, night["runs"])
        look(ours, first, runs, [*LOOKS, *DAYS_LATER])
        return [[run.logical_date.isoformat(), run.run_after.isoformat()] for run in runs]
    runs = backfilled(CronDataIntervalTimetable(*spoken), first, night["runs"])
    if night["looks"]:
        assert runs == backfilled(ours, first, night["runs"])
        look(ours, first, runs, LOOKS)
    return [[run.logical_date.isoformat(), run.run_after.isoformat()] for run in runs]


if __name__ == "__main__":
    CronMixin._get_next = remembered(CronMixin._get_next)
    CronMixin._get_prev = remembered(CronMixin._get_prev)
    asked = json.loads(Path(sys.argv[1]).read_text())
    Path(sys.argv[2]).write_text(json.dumps([starts(night) for night in asked]))
