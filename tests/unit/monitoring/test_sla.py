"""The arithmetic of the SLA: slack, and who is counted."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from daybreak.monitoring.sla import Status, is_counted, slack_seconds, status_of

DUE = datetime(2026, 1, 6, 6, 0, tzinfo=UTC)
SECOND = timedelta(seconds=1)
instants = st.integers(0, 4_000_000_000).map(lambda second: datetime.fromtimestamp(second, UTC))
offsets = st.integers(-14 * 60, 14 * 60).map(lambda m: timezone(timedelta(minutes=m)))


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


@pytest.mark.parametrize("run_type", ["scheduled", "manual", "asset_triggered", "cli"])
def test_no_run_counts_for_a_day_that_its_model_is_not_scored_on(run_type: str) -> None:
    assert not is_counted(run_type, DUE - SECOND, DUE, landed_before=False, expected=False)
