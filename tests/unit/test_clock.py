"""What a local time means as a moment. Airflow's own answer: tests/dags/test_run_starts.py."""

from __future__ import annotations

import re
from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from daybreak.clock import (
    Slot,
    between,
    due_at,
    local_moment,
    scheduled_cutoff,
    shortest_night,
    slot_of_day,
    start_of_day,
)

MIDNIGHT = time(0)
PACKAGE = Path(__file__).parents[2] / "include" / "daybreak"


def test_a_business_date_gets_its_cutoff_in_one_place() -> None:
    makers = {
        path.relative_to(PACKAGE).as_posix(): len(made)
        for path in PACKAGE.rglob("*.py")
        if (made := re.findall(r"\bAsOf\(", path.read_text(encoding="utf-8")))
    }
    stored = {"jobs/addresses.py": 1, "scoring/snapshot_plan.py": 1}  # what a run took before
    # What was known at other moments too, to be compared: nothing that they make is published.
    compared = {
        "jobs/advising/knowledge.py": 1,
        "jobs/advising/replay.py": 1,
        "models/recommendations/learn/hindsight.py": 1,
    }
    assert makers == {"jobs/inputs.py": 1, **stored, **compared}


@pytest.mark.parametrize(
    ("day", "at", "zone", "utc"),
    [
        # Skipped: clocks went from 02:00 to 03:00.
        (date(2026, 3, 29), time(2, 30), "Europe/Berlin", "2026-03-29T01:30Z"),
        (date(2026, 3, 8), time(2), "America/New_York", "2026-03-08T07:00Z"),
        # Twice: the second time.
        (date(2026, 10, 25), time(2), "Europe/Berlin", "2026-10-25T01:00Z"),
        (date(2026, 10, 25), time(2, 59), "Europe/Berlin", "2026-10-25T01:59Z"),
        (date(2026, 10, 25), time(3), "Europe/Berlin", "2026-10-25T02:00Z"),
        (date(2026, 11, 1), time(1, 30), "America/New_York", "2026-11-01T06:30Z"),
        # At midnight, and by half an hour.
        (date(2026, 4, 24), time(0, 30), "Africa/Cairo", "2026-04-23T22:30Z"),
        (date(2026, 10, 29), time(23, 30), "Africa/Cairo", "2026-10-29T21:30Z"),
        (date(2026, 10, 4), time(2, 15), "Australia/Lord_Howe", "2026-10-03T15:45Z"),
        (date(2026, 4, 5), time(1, 45), "Australia/Lord_Howe", "2026-04-04T15:15Z"),
        # 23:30 did not come before the next day had begun.
        (date(2024, 3, 30), time(23, 30), "America/Nuuk", "2024-03-31T01:30Z"),
        # A whole day that was left out.
        (date(2011, 12, 30), time(2), "Pacific/Apia", "2011-12-30T12:00Z"),
    ],
)
def test_a_local_time_that_is_skipped_or_repeated_is_one_moment(
    day: date, at: time, zone: str, utc: str
) -> None:
    assert local_moment(day, at, zone) == datetime.fromisoformat(utc)
    assert scheduled_cutoff(day - timedelta(days=1), at, zone) == datetime.fromisoformat(utc)


@pytest.mark.parametrize(
    ("business_date", "due", "zone", "utc"),
    [
        # An ordinary winter and an ordinary summer day.
        (date(2026, 1, 5), time(6), "Europe/London", "2026-01-06T06:00Z"),
        (date(2026, 7, 5), time(6), "Europe/London", "2026-07-06T05:00Z"),
        # The morning after clocks went forward (29 March) and back (25 October) in that night.
        (date(2026, 3, 28), time(6), "Europe/London", "2026-03-29T05:00Z"),
        (date(2026, 10, 24), time(6), "Europe/London", "2026-10-25T06:00Z"),
        # 01:30 does not exist on 29 March (taken with the offset before) and is there twice on
        # 25 October (the second one is meant).
        (date(2026, 3, 28), time(1, 30), "Europe/London", "2026-03-29T01:30Z"),
        (date(2026, 10, 24), time(1, 30), "Europe/London", "2026-10-25T01:30Z"),
        # Far from Greenwich the due moment falls on another UTC date.
        (date(2026, 1, 5), time(6), "Pacific/Auckland", "2026-01-05T17:00Z"),
        (date(2026, 1, 5), time(20), "America/Los_Angeles", "2026-01-07T04:00Z"),
        (date(2025, 12, 31), time(6), "UTC", "2026-01-01T06:00Z"),
    ],
)
def test_due_is_local_time_on_the_day_after(
    business_date: date, due: time, zone: str, utc: str
) -> None:
    assert due_at(business_date, MIDNIGHT, due, zone) == datetime.fromisoformat(utc)


@given(
    st.dates(date(2000, 1, 1), date(2100, 1, 1)),
    st.sampled_from(["UTC", "Europe/London", "America/New_York", "Australia/Lord_Howe"]),
)
def test_due_moves_on_by_a_day_give_or_take_summer_time(day: date, zone: str) -> None:
    step = due_at(day + timedelta(days=1), MIDNIGHT, time(6), zone) - due_at(
        day, MIDNIGHT, time(6), zone
    )
    assert abs(step - timedelta(days=1)) <= timedelta(hours=1)


@given(
    st.dates(date(2026, 1, 1), date(2027, 12, 30)),
    st.times(),
    st.times(),
    st.sampled_from(
        ["UTC", "Europe/Berlin", "America/New_York", "Africa/Cairo", "Antarctica/Troll"]
    ),
)
def test_no_night_is_due_before_it_starts_or_is_shorter_than_the_shortest(
    day: date, one: time, other: time, zone: str
) -> None:
    run_at, due = min(one, other), max(one, other)
    if run_at == due:
        return
    time_left = due_at(day, run_at, due, zone) - scheduled_cutoff(day, run_at, zone)
    assert timedelta(0) < shortest_night(run_at, due, zone) <= time_left
    assert shortest_night(run_at, due, zone) <= between(run_at, due)


def test_a_night_whose_clocks_go_forward_is_the_shortest() -> None:
    assert shortest_night(time(2), time(6), "UTC") == timedelta(hours=4)
    assert shortest_night(time(1), time(6), "Europe/Berlin") == timedelta(hours=4)
    assert shortest_night(time(3, 30), time(6), "Europe/Berlin") == timedelta(hours=2.5)
    # 02:30 becomes 03:30, and 03:00 is over by then: the run gets its usual half hour.
    assert shortest_night(time(2, 30), time(3), "Europe/Berlin") == timedelta(minutes=30)


ZONES = ("Europe/London", "America/Sao_Paulo", "Australia/Lord_Howe", "Asia/Beirut", "UTC")


@pytest.mark.parametrize(
    ("day", "zone", "slots", "begins"),
    [
        (date(2026, 3, 28), "Europe/London", 96, "2026-03-28T00:00Z"),
        (date(2026, 3, 29), "Europe/London", 92, "2026-03-29T00:00Z"),
        (date(2026, 10, 25), "Europe/London", 100, "2026-10-24T23:00Z"),
        # By half an hour; at midnight, which is skipped, and which is shown twice.
        (date(2026, 4, 5), "Australia/Lord_Howe", 98, "2026-04-04T13:00Z"),
        (date(2026, 3, 29), "Asia/Beirut", 92, "2026-03-28T22:00Z"),
        (date(2018, 11, 4), "America/Sao_Paulo", 92, "2018-11-04T03:00Z"),
    ],
)
def test_a_day_has_as_many_slots_as_its_clocks_show(
    day: date, zone: str, slots: int, begins: str
) -> None:
    first, end = start_of_day(day, zone), start_of_day(day + timedelta(days=1), zone)
    assert first == datetime.fromisoformat(begins)
    assert (end - first) // timedelta(minutes=15) == slots
    assert slot_of_day(end - timedelta(seconds=1), timedelta(minutes=15), day, zone).ends == end


@given(
    st.dates(date(2000, 1, 1), date(2040, 1, 1)),
    st.sampled_from(ZONES),
    st.integers(1, 720),
    st.integers(0, 86_399),
)
def test_slots_leave_no_gap_and_end_with_the_day(
    day: date, zone: str, minutes: int, seconds: int
) -> None:
    length = timedelta(minutes=minutes)
    first, end = start_of_day(day, zone), start_of_day(day + timedelta(days=1), zone)
    moment = first + (end - first) * seconds / 86_400
    found = slot_of_day(moment, length, day, zone)
    assert found.begins <= moment < found.ends
    assert found == slot_of_day(found.begins, length, day, zone)
    assert found.ends == end or found.ends - found.begins == length
    if found.ends < end:
        assert slot_of_day(found.ends, length, day, zone).begins == found.ends


def test_a_moment_of_another_day_has_no_slot() -> None:
    noon = datetime(2026, 3, 28, 12, tzinfo=UTC)
    assert isinstance(slot_of_day(noon, timedelta(hours=1), date(2026, 3, 28), "UTC"), Slot)
    with pytest.raises(ValueError, match="is not on 2026-03-29"):
        slot_of_day(noon, timedelta(hours=1), date(2026, 3, 29), "UTC")
