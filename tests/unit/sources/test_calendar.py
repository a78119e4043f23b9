"""Open days, public holidays, and the clock of first knowledge."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from daybreak.interval import WEEKDAYS
from daybreak.sources.contract.calendar import Calendar
from daybreak.sources.contract.spec import load_spec
from daybreak.sources.merging.calendar import days, is_open
from daybreak.sources.merging.knowledge import Knowledge

SHOP = Calendar.model_validate(
    {
        "country": "GB",
        "subdivision": "ENG",
        "closed_weekdays": ["saturday"],
        "closed_dates": ["2010-12-24..2011-01-03", "12-25", "2011-05-30"],
    }
)


@pytest.mark.parametrize(
    ("day", "open_"),
    [
        (date(2011, 1, 4), True),
        (date(2011, 1, 3), False),
        (date(2010, 12, 23), True),
        (date(2011, 12, 25), False),
        (date(2011, 12, 24), False),  # a Saturday
        (date(2011, 12, 23), True),
        (date(2011, 5, 30), False),
        (date(2012, 5, 30), True),
    ],
)
def test_open_days(day: date, open_: bool) -> None:
    assert is_open(SHOP, day) is open_


def test_every_day_once_with_its_holiday() -> None:
    found = list(days(SHOP, date(2010, 12, 20), date(2011, 1, 5)))

    assert [day.business_date for day in found] == [
        date(2010, 12, 20) + timedelta(days=n) for n in range(17)
    ]
    named = {day.business_date: day.holiday for day in found if day.holiday}
    assert named[date(2010, 12, 25)] == "Christmas Day"
    assert date(2010, 12, 24) not in named


def test_without_a_country_there_are_no_holidays() -> None:
    assert not any(day.holiday for day in days(Calendar(), date(2010, 12, 1), date(2011, 1, 31)))


def test_online_retail_is_closed_on_the_days_without_invoices() -> None:
    calendar = load_spec("online_retail").calendar

    open_days = [d for d in days(calendar, date(2010, 12, 1), date(2011, 12, 9)) if d.open]

    assert len(open_days) == 305


NOW = datetime(2011, 7, 1, tzinfo=UTC)
LONDON = Knowledge(NOW, ZoneInfo("Europe/London"), timedelta(hours=1))


def test_history_is_known_an_hour_after_local_midnight() -> None:
    assert LONDON.of_fact(date(2011, 1, 5), closed=False) == datetime(2011, 1, 6, 1, tzinfo=UTC)
    assert LONDON.of_fact(date(2011, 6, 5), closed=False) == datetime(2011, 6, 6, 0, tzinfo=UTC)


def test_a_correction_is_known_now() -> None:
    assert LONDON.of_fact(date(2011, 1, 5), closed=True) == NOW
    assert LONDON.of_plan(date(2011, 1, 5), timedelta(days=28), closed=True) == NOW


def test_nothing_is_known_later_than_now() -> None:
    assert LONDON.of_fact(date(2011, 7, 1), closed=False) == NOW
    assert LONDON.of_plan(date(2011, 9, 1), timedelta(days=28), closed=False) == NOW


def test_a_plan_is_known_ahead_of_its_day() -> None:
    known = LONDON.of_plan(date(2011, 1, 29), timedelta(days=28), closed=False)

    assert known == datetime(2011, 1, 1, tzinfo=UTC)


def test_a_day_is_over_at_its_local_midnight() -> None:
    before = Knowledge(datetime(2011, 6, 30, 22, 59, tzinfo=UTC), LONDON.zone, timedelta(0))
    after = Knowledge(datetime(2011, 6, 30, 23, 0, tzinfo=UTC), LONDON.zone, timedelta(0))

    assert not before.is_over(date(2011, 6, 30))
    assert after.is_over(date(2011, 6, 30))


WEEKS = Calendar.model_validate(
    {
        "period": "week",
        "week_starts": "sunday",
        "country": "GB",
        "subdivision": "ENG",
        "closed_dates": ["2011-08-07..2011-08-13", "12-25"],
    }
)


@given(day=st.dates(date(1999, 1, 1), date(2040, 1, 1)), starts=st.sampled_from(WEEKDAYS))
def test_a_week_is_named_by_its_last_day(day: date, starts: str) -> None:
    calendar = Calendar.model_validate({"period": "week", "week_starts": starts})

    end = calendar.end_of(day)

    assert 0 <= (end - day).days < 7
    assert WEEKDAYS[(end + timedelta(days=1)).weekday()] == starts
    assert list(calendar.ends(day, end + timedelta(days=13))) == [end, end + timedelta(days=7)]
    assert calendar.end_of(end) == end
    assert Calendar().end_of(day) == day


def test_a_row_of_the_calendar_stands_for_its_week() -> None:
    found = {day.business_date: day for day in days(WEEKS, date(2010, 12, 20), date(2011, 8, 20))}

    assert set(found) == {date(2010, 12, 25) + timedelta(weeks=n) for n in range(35)}
    assert {day.days for day in found.values()} == {7}
    assert found[date(2010, 12, 25)].open, "one day of it is closed"
    assert found[date(2011, 1, 1)].holiday is not None
    assert "New Year's Day" in found[date(2011, 1, 1)].holiday
    assert not found[date(2011, 8, 13)].open
    assert found[date(2011, 8, 13)].holiday is None


def test_a_plan_for_a_week_was_known_before_it_began() -> None:
    now = datetime(2030, 1, 1, tzinfo=UTC)
    of_weeks = Knowledge(now, ZoneInfo("UTC"), timedelta(hours=1), 7)

    assert of_weeks.of_plan(date(2025, 3, 8), timedelta(days=28), False) == datetime(
        2025, 2, 2, tzinfo=UTC
    )
    assert of_weeks.of_fact(date(2025, 3, 8), False) == datetime(2025, 3, 9, 1, tzinfo=UTC)


def test_the_start_of_a_week_says_nothing_of_days() -> None:
    with pytest.raises(ValidationError, match="add `period: week`"):
        Calendar.model_validate({"week_starts": "monday"})
