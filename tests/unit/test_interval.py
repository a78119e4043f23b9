"""Which business dates an interval includes, and whose interval a model has."""

from __future__ import annotations

from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from daybreak import models
from daybreak.errors import ConfigError
from daybreak.interval import DAILY, ON_DATA, WEEKDAYS, Interval, weekly
from daybreak.models.schedule import Schedule, ScoresOf
from daybreak.settings import Settings

SUNDAY = date(2026, 1, 4)
INTERVALS = st.sampled_from([DAILY, ON_DATA, *map(weekly, WEEKDAYS)])


def test_the_weekday_is_that_of_the_business_date() -> None:
    assert weekly("sunday").includes(SUNDAY)
    assert not weekly("sunday").includes(SUNDAY + timedelta(days=1))
    assert DAILY.includes(SUNDAY)
    assert ON_DATA.includes(SUNDAY)


def test_monitoring_knows_after_how_many_days_the_next_one_is_expected() -> None:
    assert [one.days for one in (DAILY, weekly("friday"), ON_DATA)] == [1, 7, 0]


@given(interval=INTERVALS)
def test_an_interval_reads_as_it_is_written(interval: Interval) -> None:
    assert Interval.parse(str(interval)) == interval


@given(interval=INTERVALS, day=st.dates(date(2020, 1, 1), date(2030, 1, 1)))
def test_the_last_day_is_the_nearest_that_is_included(interval: Interval, day: date) -> None:
    last = interval.last(day)

    assert interval.includes(last)
    assert last <= day
    between = (last + timedelta(days=n) for n in range(1, (day - last).days + 1))
    assert not any(map(interval.includes, between))


@pytest.mark.parametrize("text", ["", "weekly", "weekly:", "weekly:sun", "daily:sunday", "hourly"])
def test_anything_else_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="as weekly:sunday"):
        Interval.parse(text)


@pytest.fixture
def interval_of(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Of four models, two of which stand on others."""
    known = {
        "weekly": Schedule(interval=weekly("monday")),
        "daily": Schedule(),
        "on_weekly": Schedule(inputs=(ScoresOf("daily"), ScoresOf("weekly"))),
        "on_that": Schedule(inputs=(ScoresOf("on_weekly"), ScoresOf("on_that"))),
    }
    monkeypatch.setattr(models, "schedules", lambda: known)

    def ask(model: str, **overrides: str) -> Interval:
        given: dict[str, Any] = {"schedule_by_model": overrides}
        return models.interval_of(model, Settings(**given))

    return ask


def test_the_setting_overrides_the_schedule(interval_of: Any) -> None:
    assert interval_of("weekly") == weekly("monday")
    assert interval_of("weekly", weekly="on_data") == ON_DATA
    assert interval_of("daily", weekly="on_data") == DAILY
    assert interval_of("not_scored_by_night") == DAILY


def test_who_stands_on_a_weekly_model_is_weekly_but_for_an_own_interval(interval_of: Any) -> None:
    assert interval_of("on_that") == interval_of("on_weekly") == weekly("monday")
    assert interval_of("on_that", weekly="daily") == DAILY
    assert interval_of("on_that", on_that="weekly:friday") == weekly("friday")


def test_where_the_data_set_has_weeks_a_daily_model_is_scored_on_their_last_day(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    known = {"daily": Schedule(), "tuesdays": Schedule(interval=weekly("tuesday"))}
    monkeypatch.setattr(models, "schedules", lambda: known)
    file = tmp_path / "mine.yaml"
    settings = Settings(dataset=str(file))

    file.write_text("calendar: {period: week, week_starts: friday}\n")
    assert models.interval_of("daily", settings) == weekly("thursday")
    with pytest.raises(ConfigError, match=r"the weeks of .* end on a thursday") as caught:
        models.interval_of("tuesdays", settings)
    assert "weekly:thursday or on_data" in caught.value.remedy
    file.write_text("calendar: {period: week}\n")
    assert models.interval_of("daily", settings) == weekly("sunday")
    for days in ("calendar: {period: day}\n", "calendar: {timezone: UTC}\n", "name: mine\n", "- 1"):
        file.write_text(days)
        assert models.interval_of("tuesdays", settings) == weekly("tuesday")
