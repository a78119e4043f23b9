"""The arithmetic of the SLA: due times over summer time, slack, and who is counted."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from daybreak.monitoring.sla import Status, due_at, is_counted, slack_seconds, status_of

DUE = datetime(2026, 1, 6, 6, 0, tzinfo=UTC)
SECOND = timedelta(seconds=1)
instants = st.integers(0, 4_000_000_000).map(lambda second: datetime.fromtimestamp(second, UTC))
offsets = st.integers(-14 * 60, 14 * 60).map(lambda m: timezone(timedelta(minutes=m)))


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
        # 25 October (the first one is meant).
        (date(2026, 3, 28), time(1, 30), "Europe/London", "2026-03-29T01:30Z"),
        (date(2026, 10, 24), time(1, 30), "Europe/London", "2026-10-25T00:30Z"),
        # Far from Greenwich the due moment falls on another UTC date.
        (date(2026, 1, 5), time(6), "Pacific/Auckland", "2026-01-05T17:00Z"),
        (date(2026, 1, 5), time(20), "America/Los_Angeles", "2026-01-07T04:00Z"),
        (date(2025, 12, 31), time(6), "UTC", "2026-01-01T06:00Z"),
    ],
)
def test_due_is_local_time_on_the_day_after(
    business_date: date, due: time, zone: str, utc: str
) -> None:
    assert due_at(business_date, due, zone) == datetime.fromisoformat(utc)


@given(
    st.dates(date(2000, 1, 1), date(2100, 1, 1)),
    st.sampled_from(["UTC", "Europe/London", "America/New_York", "Australia/Lord_Howe"]),
)
def test_due_moves_on_by_a_day_give_or_take_summer_time(day: date, zone: str) -> None:
    step = due_at(day + timedelta(days=1), time(6), zone) - due_at(day, time(6), zone)
    assert abs(step - timedelta(days=1)) <= timedelta(hours=1)


@given(instants, instants)
def test_slack_is_signed_and_antisymmetric(due: datetime, landed: datetime) -> None:
    assert slack_seconds(due, landed) == -slack_seconds(landed, due)
    assert (slack_seconds(due, landed) < 0) == (landed > due)


@given(instants, instants, offsets, offsets)
def test_slack_does_not_depend_on_the_zones_it_is_written_in(
    due: datetime, landed: datetime, one: timezone, other: timezone
) -> None:
    assert slack_seconds(due.astimezone(one), landed.astimezone(other)) == slack_seconds(
        due, landed
    )


@given(instants, instants)
def test_a_counted_run_is_met_exactly_when_it_has_slack(due: datetime, landed: datetime) -> None:
    met = status_of(due, landed, counted=True) is Status.MET
    assert met == (slack_seconds(due, landed) >= 0)
    assert status_of(due, landed, counted=False) is Status.NOT_COUNTED


def test_landing_at_the_due_moment_is_met_and_a_second_later_is_missed() -> None:
    assert status_of(DUE, DUE, counted=True) is Status.MET
    assert status_of(DUE, DUE + SECOND, counted=True) is Status.MISSED


@pytest.mark.parametrize("landed_before", [True, False])
@pytest.mark.parametrize("begun", [DUE - timedelta(hours=4), DUE + timedelta(days=400)])
def test_scheduled_runs_always_count_and_backfills_never(
    begun: datetime, landed_before: bool
) -> None:
    assert is_counted("scheduled", begun, DUE, landed_before=landed_before)
    assert not is_counted("backfill", begun, DUE, landed_before=landed_before)


@pytest.mark.parametrize("run_type", ["manual", "asset_triggered", "cli"])
def test_other_runs_count_when_they_bring_the_day_and_the_day_is_still_wanted(
    run_type: str,
) -> None:
    one_day = timedelta(days=1)
    assert is_counted(run_type, DUE + one_day - SECOND, DUE, landed_before=False)
    assert not is_counted(run_type, DUE + one_day, DUE, landed_before=False)
    assert not is_counted(run_type, DUE - one_day, DUE, landed_before=True)
