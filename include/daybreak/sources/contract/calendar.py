"""The calendar of a data set file: time zone, holidays and the days without business."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import date, timedelta
from typing import Annotated, Literal, Self
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import holidays
from pydantic import AfterValidator, BeforeValidator, Field, model_validator

from daybreak.interval import WEEKDAYS, Weekday
from daybreak.sources.contract.section import Strict

_CLOSED = re.compile(r"(\d{4}-)?\d{2}-\d{2}(\.\.\d{4}-\d{2}-\d{2})?")


def _known_zone(name: str) -> str:
    try:
        ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError) as error:
        raise ValueError(f"{name!r} is not an IANA time zone such as Europe/London") from error
    return name


def _known_country(code: str) -> str:
    if code not in holidays.list_supported_countries():
        raise ValueError(f"{code!r} has no public holidays known here; write an ISO code like GB")
    return code


def _closed_dates(value: object) -> str:
    text = str(value)  # YAML reads a bare 2011-12-25 as a date
    if not _CLOSED.fullmatch(text):
        raise ValueError(
            f"{text!r} is none of 2011-12-25, 12-25 (every year), 2011-12-24..2012-01-03"
        )
    try:
        for part in text.split(".."):
            date.fromisoformat(part if len(part) == 10 else f"2000-{part}")
    except ValueError as error:
        raise ValueError(f"{text!r} holds a date that does not exist") from error
    return text


class Calendar(Strict):
    """On which days the business as a whole is open, and the holidays of which country it has.

    ``period``: what a row of facts and a business date stand for. A week is named by its last day.
    """

    period: Literal["day", "week"] = "day"
    week_starts: Weekday = Field("monday", description="first day of a week, for `period: week`")
    timezone: Annotated[str, AfterValidator(_known_zone)] = "UTC"
    country: Annotated[str, AfterValidator(_known_country)] | None = None
    subdivision: str | None = Field(None, description="state or province, for its own holidays")
    closed_weekdays: list[Weekday] = Field([])
    closed_dates: list[Annotated[str, BeforeValidator(_closed_dates)]] = Field(
        [], description="2011-12-25, 12-25 (every year) or 2011-12-24..2012-01-03"
    )

    @model_validator(mode="after")
    def _known_subdivision(self) -> Self:
        if self.subdivision is not None:
            known = holidays.list_supported_countries().get(self.country or "", [])
            if self.subdivision not in known:
                raise ValueError(f"`subdivision` {self.subdivision!r} is none of {sorted(known)}")
        return self

    @model_validator(mode="after")
    def _weeks_have_starts(self) -> Self:
        if self.period == "day" and "week_starts" in self.model_fields_set:
            raise ValueError("`week_starts` says nothing of days: add `period: week`")
        return self

    @property
    def days(self) -> int:
        """Days of a period."""
        return 7 if self.period == "week" else 1

    @property
    def last_weekday(self) -> int:
        """On which weekday a week ends, 0 is Monday."""
        return (WEEKDAYS.index(self.week_starts) - 1) % 7

    def end_of(self, day: date) -> date:
        """The last day of the period that ``day`` belongs to: its business date."""
        ahead = (self.last_weekday - day.weekday()) % 7
        return day + timedelta(days=ahead) if self.period == "week" else day

    def ends(self, first: date, last: date) -> Iterator[date]:
        """The business dates from ``first`` to ``last`` inclusive; none where that is earlier."""
        end = self.end_of(first)
        while end <= last:
            yield end
            end += timedelta(days=self.days)

    @property
    def zone(self) -> ZoneInfo:
        """The time zone in which a business day begins and ends."""
        return ZoneInfo(self.timezone)
