"""One moment for the start of a run in Airflow and for its knowledge cutoff, on every night.

The zones are all that the time zone database has; of those whose clocks change alike, one.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, date, datetime, time, timedelta
from itertools import pairwise
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo, available_timezones

import pytest

from daybreak.clock import scheduled_cutoff
from daybreak.jobs.dates import resolve_business_date

pytestmark = pytest.mark.slow

HERE = Path(__file__).parent
PLUGINS = HERE.parents[1] / "plugins"

FIRST, LAST = datetime(2026, 1, 1, tzinfo=UTC), datetime(2027, 1, 1, tzinfo=UTC)
ODD = [
    ("America/Nuuk", datetime(2024, 3, 31, 1, tzinfo=UTC)),  # from 23:00 to midnight
    ("Pacific/Apia", datetime(2011, 12, 30, 10, tzinfo=UTC)),  # a day left out
    ("America/Sao_Paulo", datetime(2018, 11, 4, 3, tzinfo=UTC)),  # from midnight to 01:00
]
AROUND = [timedelta(minutes=minutes) for minutes in (-45, -1, 0, 15, 30, 59, 60)]
WATCHED = [AROUND[2], AROUND[3]]


def changes(zone: str) -> Iterator[datetime]:
    """The moments from ``FIRST`` to ``LAST`` at which the offset of a zone changes."""
    info = ZoneInfo(zone)
    before = FIRST
    while before < LAST:
        after = before + timedelta(days=10)
        old = before.astimezone(info).utcoffset()
        if old != after.astimezone(info).utcoffset():
            quarters = (before + n * timedelta(minutes=15) for n in range(10 * 96 + 1))
            yield next(at for at in quarters if at.astimezone(info).utcoffset() != old)
        before = after


def unlike_each_other() -> dict[str, list[datetime]]:
    """Zone → its changes; of the zones that change alike, the first."""
    found: dict[Any, tuple[str, list[datetime]]] = {}
    for zone in sorted(available_timezones() - {"localtime"}):
        info, moments = ZoneInfo(zone), list(changes(zone))
        shown = [(at, (at - timedelta(hours=2)).astimezone(info).utcoffset()) for at in moments]
        found.setdefault(tuple(shown), (zone, moments))
    return dict(found.values())


def nights() -> list[dict[str, Any]]:
    """Three runs around each change, their time of day around it on either clock."""
    asked = []
    for zone, moments in [*unlike_each_other().items(), *((zone, [at]) for zone, at in ODD)]:
        info = ZoneInfo(zone)
        for moment in moments or [FIRST]:
            minute = timedelta(minutes=1)  # wall clock just before the change, and just after it
            shown = [(moment - minute).astimezone(info) + minute, moment.astimezone(info)]
            times = {f"{clock + step:%H:%M}" for clock in shown for step in AROUND} | {"02:00"}
            watched = {f"{clock + step:%H:%M}" for clock in shown for step in WATCHED}
            asked += [
                {
                    "zone": zone,
                    "run_at": run_at,
                    "first": (moment - timedelta(days=2, hours=3)).isoformat(),
                    "runs": 3,
                    "looks": run_at in watched,
                }
                for run_at in sorted(times)
            ]
    return asked


def starts_of(asked: list[dict[str, Any]], folder: Path) -> list[list[list[str]]]:
    """What tests/support/run_starts.py says of them."""
    (folder / "nights.json").write_text(json.dumps(asked))
    done = subprocess.run(
        [sys.executable, "-P", str(HERE.parent / "support" / "run_starts.py")]
        + [str(folder / name) for name in ("nights.json", "starts.json")],
        env=os.environ | {"AIRFLOW_HOME": str(folder), "PYTHONPATH": str(PLUGINS)},
        check=False,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    found: list[list[list[str]]] = json.loads((folder / "starts.json").read_text())
    return found


def test_airflow_starts_each_run_at_its_knowledge_cutoff(tmp_path: Path) -> None:
    asked = nights()
    seen = 0
    for night, runs in zip(asked, starts_of(asked, tmp_path), strict=True):
        zone, run_at = night["zone"], time.fromisoformat(night["run_at"])
        days: list[date] = []
        for logical_date, start in runs:
            day = resolve_business_date(
                logical_date=datetime.fromisoformat(logical_date),
                conf={},
                run_type="scheduled",
                timezone=zone,
                run_at=run_at,
            )
            assert scheduled_cutoff(day, run_at, zone) == datetime.fromisoformat(start), night
            days.append(day)
            seen += 1
        gaps = {after - before for before, after in pairwise(days)}
        assert gaps <= {timedelta(days=1)} or zone == "Pacific/Apia", (night, days)
    assert seen > 1000


def test_a_weekly_run_is_one_of_its_weekday_and_none_is_lost(tmp_path: Path) -> None:
    """Through a year, so also past both changes of the clocks; asked at any time between two."""
    asked = [
        {"zone": zone, "run_at": at, "first": FIRST.isoformat(), "runs": 52, "weekday": weekday}
        for zone in ("UTC", "America/Nuuk", "Europe/London", "Pacific/Auckland")
        for at, weekday in (("02:00", 6), ("23:30", 5), ("01:00", 0))
    ]
    for night, runs in zip(asked, starts_of(asked, tmp_path), strict=True):
        days = []
        for logical_date, start in runs:
            day = resolve_business_date(
                logical_date=datetime.fromisoformat(logical_date),
                conf={},
                run_type="scheduled",
                timezone=night["zone"],
                run_at=time.fromisoformat(night["run_at"]),
            )
            cutoff = scheduled_cutoff(day, time.fromisoformat(night["run_at"]), night["zone"])
            assert cutoff == datetime.fromisoformat(start), night
            days.append(day)
        assert {day.weekday() for day in days} == {night["weekday"]}
        gaps = {after - before for before, after in pairwise(days)}
        assert gaps == {timedelta(days=7)}, (night, days)
