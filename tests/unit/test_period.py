"""Periods by their names, and the last whole week up to a day."""

from __future__ import annotations

from datetime import date, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from daybreak.errors import InvalidRequest
from daybreak.period import Period

DAYS = st.dates(date(1, 2, 1), date(9999, 11, 30))


def test_a_day_a_week_and_a_month() -> None:
    for name, first, last in (
        ("2026-07-20", date(2026, 7, 20), date(2026, 7, 20)),
        ("2026-W30", date(2026, 7, 20), date(2026, 7, 26)),
        ("2026-W01", date(2025, 12, 29), date(2026, 1, 4)),
        ("2026-W53", date(2026, 12, 28), date(2027, 1, 3)),
        ("2026-07", date(2026, 7, 1), date(2026, 7, 31)),
        ("2024-02", date(2024, 2, 1), date(2024, 2, 29)),
        ("2026-12", date(2026, 12, 1), date(2026, 12, 31)),
    ):
        period = Period.parse(name)
        assert (period.name, period.first, period.last) == (name, first, last)


@pytest.mark.parametrize(
    "name",
    [
        *("", "2026", "2025-W53", "2026-W00", "2026-w30", "2026-00", "2026-7", "20260720"),
        *("2026-02-30", "2026-07-20\n", " 2026-07", "２０２６-07", "0000-01", "9999-12"),
        "../2026-07",
    ],
)
def test_anything_else_is_no_period(name: str) -> None:
    with pytest.raises(InvalidRequest, match="not a period"):
        Period.parse(name)


@given(DAYS)
def test_the_last_week_is_over_and_there_is_none_later(day: date) -> None:
    week = Period.last_week(day)
    assert Period.parse(week.name) == week
    assert (week.last - week.first).days == 6
    assert week.first.isoweekday() == 1
    assert week.last <= day < week.last + timedelta(days=7)


@given(DAYS)
def test_the_days_of_a_period_are_those_from_the_first_to_the_last(day: date) -> None:
    for name in (day.isoformat(), f"{day:%Y-%m}".rjust(7, "0")):
        days = list(Period.parse(name).days)
        assert day in days
        assert len(set(days)) == len(days) == (days[-1] - days[0]).days + 1
