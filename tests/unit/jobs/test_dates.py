"""One function says which day a run is about; every kind of run is asked here."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from daybreak.errors import NoBusinessDate
from daybreak.jobs.dates import left_out, resolve_business_date


def resolve(
    logical_date: datetime | None = None,
    conf: dict[str, Any] | None = None,
    run_type: str = "scheduled",
    timezone: str = "UTC",
    *,
    run_at: time | None = None,
    events: tuple[dict[str, Any], ...] = (),
) -> date:
    return resolve_business_date(
        logical_date=logical_date,
        conf=conf,
        run_type=run_type,
        timezone=timezone,
        run_at=run_at,
        events=events,
    )


@pytest.mark.parametrize("run_type", ["scheduled", "backfill"])
@pytest.mark.parametrize(
    "zone", ["UTC", "Europe/London", "America/Los_Angeles", "Pacific/Auckland", "Pacific/Apia"]
)
@given(
    day=st.dates(date(2015, 1, 1), date(2035, 1, 1)),
    minutes=st.integers(4 * 60, 24 * 60 - 1),  # past every hour that summer time can remove
)
def test_a_timetable_run_is_about_the_local_day_of_its_logical_date(
    run_type: str, zone: str, day: date, minutes: int
) -> None:
    local = datetime.combine(day, datetime.min.time(), ZoneInfo(zone)) + timedelta(minutes=minutes)
    assert resolve(local.astimezone(UTC), run_type=run_type, timezone=zone) == day


def test_a_timetable_run_at_midnight_utc_is_still_a_local_moment() -> None:
    midnight = datetime(2026, 1, 6, tzinfo=UTC)  # 19:00 on the 5th in New York
    assert resolve(midnight, timezone="America/New_York") == date(2026, 1, 5)


def test_a_run_time_that_the_clocks_moved_past_midnight_keeps_its_day() -> None:
    # Nuuk, 30 March 2024: clocks went from 23:00 to midnight, so the run of 23:30 came at 00:30.
    moved = datetime(2024, 3, 31, 1, 30, tzinfo=UTC)
    asked = {"run_type": "scheduled", "timezone": "America/Nuuk"}
    assert resolve(moved, run_at=time(23, 30), **asked) == date(2024, 3, 30)
    assert resolve(moved, run_at=time(0, 30), **asked) == date(2024, 3, 31)
    assert resolve(moved + timedelta(hours=23), run_at=time(23, 30), **asked) == date(2024, 3, 31)


def test_a_date_that_a_person_typed_is_that_date_in_every_zone() -> None:
    midnight = datetime(2026, 1, 6, tzinfo=UTC)
    for zone in ("America/New_York", "UTC", "Pacific/Auckland"):
        assert resolve(midnight, run_type="manual", timezone=zone) == date(2026, 1, 6)


def test_a_moment_that_a_person_typed_is_taken_in_the_local_zone() -> None:
    moment = datetime(2026, 1, 6, 3, 0, tzinfo=UTC)
    assert resolve(moment, run_type="manual", timezone="America/New_York") == date(2026, 1, 5)


def test_a_manual_run_says_its_day_in_the_configuration_with_or_without_a_logical_date() -> None:
    conf = {"business_date": "2026-01-31"}
    assert resolve(None, conf, "manual") == date(2026, 1, 31)
    assert resolve(datetime(2026, 3, 1, tzinfo=UTC), conf, "manual") == date(2026, 1, 31)


@pytest.mark.parametrize("conf", [None, {}, {"business_date": None}, {"business_date": ""}])
def test_an_empty_configuration_says_nothing(conf: dict[str, Any] | None) -> None:
    assert resolve(datetime(2026, 3, 1, tzinfo=UTC), conf, "manual") == date(2026, 3, 1)


@pytest.mark.parametrize("run_type", ["scheduled", "backfill"])
def test_one_configured_day_cannot_be_given_to_all_days_of_a_backfill(run_type: str) -> None:
    conf = {"business_date": "2026-01-31"}
    assert resolve(datetime(2026, 1, 31, 2, tzinfo=UTC), conf, run_type) == date(2026, 1, 31)
    with pytest.raises(NoBusinessDate, match=r"2026-01-31.*2026-01-30.*--from-date"):
        resolve(datetime(2026, 1, 30, 2, tzinfo=UTC), conf, run_type)


def test_an_asset_triggered_run_takes_the_day_of_its_events() -> None:
    event = {"business_date": "2026-01-31", "generation_id": 7}
    assert resolve(run_type="asset_triggered", events=(event,)) == date(2026, 1, 31)
    assert resolve(run_type="asset_triggered", events=(event, event, {})) == date(2026, 1, 31)


def test_of_events_about_several_days_the_newest_counts_and_the_others_are_known() -> None:
    events = (*({"business_date": f"2026-01-{day}"} for day in (30, 31, 29, 30)), {})
    assert resolve(run_type="asset_triggered", events=events) == date(2026, 1, 31)
    assert left_out(events, date(2026, 1, 31)) == (
        " Also published, and left to a backfill: 2026-01-29, 2026-01-30."
    )
    assert left_out((), date(2026, 1, 31)) == ""


@pytest.mark.parametrize("run_type", ["manual", "asset_triggered", "scheduled"])
def test_with_nothing_to_go_by_it_says_what_to_give_and_never_takes_today(run_type: str) -> None:
    with pytest.raises(NoBusinessDate, match=r"neither a logical date.*business_date"):
        resolve(None, {}, run_type)


@pytest.mark.parametrize(
    "value",
    [
        "31/01/2026",
        "yesterday",
        20,
        "2026-02-30",
        "20260131",
        20260131,
        "2026-W05-6",
        "1769817600",
        "2026-01-31T00:00:00",
    ],
)
def test_an_unreadable_day_is_named(value: object) -> None:
    with pytest.raises(NoBusinessDate, match=r"conf.business_date is .* not a date"):
        resolve(None, {"business_date": value}, "manual")
