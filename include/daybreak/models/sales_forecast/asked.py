"""From questions to the rows that answer them: days of series, each at a price."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

import numpy as np
from numpy.typing import NDArray

from daybreak.errors import InvalidRequest, OutsideHorizon
from daybreak.models.base import Float32, Questions, rows_of
from daybreak.models.sales_forecast.features.layout import OVERRIDABLE

MOST_ROWS = 1000
"""Forecasts of one question: a year of days at a few prices, or a month at many."""

_NO_DAY = np.iinfo(np.int64).min
"""In place of the periods ahead of no date."""


@dataclass(frozen=True)
class Asked:
    """The ``m`` rows that answer ``q`` questions.

    ``place``: which series, int64 (m,). ``horizon``: periods ahead, int16 (m,). ``overrides``: by
    channel, float32 (m,), NaN where the plan holds; only those that were given. ``offsets``: int64
    (q + 1,), whose rows they are; None where each question has one.
    """

    place: NDArray[np.int64]
    horizon: NDArray[np.int16]
    overrides: Mapping[str, Float32]
    offsets: NDArray[np.int64] | None = None

    def rows(self, question: int) -> slice:
        """Which rows answer one question."""
        return rows_of(self.offsets, question)


def asked_rows(questions: Questions, business_date: date, step: int, published: int) -> Asked:
    """The rows of all questions, by day and then by price.

    ``step``: days a period; a day within one is that period. ``published``: how many periods are.
    Columns of ``questions``: ``target_date``; where that is None, ``first_date`` and ``last_date``,
    of which None means the first and last that is published; those of ``OVERRIDABLE``; and
    ``prices``, a list or None each. Raises ``OutsideHorizon``, and ``InvalidRequest`` for a
    question of more than ``MOST_ROWS`` rows.
    """
    first, last = _periods(questions, business_date, step, published)
    given = {name: questions.number(name) for name in OVERRIDABLE if name in questions.columns}
    asked = Asked(questions.entity, first.astype(np.int16), given)
    if "prices" not in questions.columns and first is last:
        return asked
    prices = list(questions.columns.get("prices", [None] * len(first)))
    return _several(asked, last - first + 1, prices)


def _periods(
    questions: Questions, business_date: date, step: int, published: int
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """First and last period ahead of each question, int64 (q,); the same array where each asks
    about one day."""
    ahead = {
        name: _ahead(questions.columns[name], business_date, step)
        for name in ("target_date", "first_date", "last_date")
        if name in questions.columns
    }
    first = last = ahead.get("target_date", np.full(len(questions), _NO_DAY))
    several = first == _NO_DAY
    if several.any():
        since, until = (ahead.get(name, first) for name in ("first_date", "last_date"))
        last = np.where(several, np.where(until == _NO_DAY, published, until), first)
        first = np.where(several, np.where(since == _NO_DAY, 1, since), first)
    outside = (first < 1) | (last > published) | (first > last)
    if outside.any():
        wrong = int(outside.argmax())
        said = {name: questions.columns[name][wrong] for name in ahead}
        asked = {name: str(day) for name, day in said.items() if day is not None}
        raise _outside(asked, business_date, published * step)
    return first, last


def _ahead(days: NDArray[Any], business_date: date, step: int) -> NDArray[np.int64]:
    """Periods ahead of dates, or of None, int64 (q,); a day within a period is that period."""
    if days.dtype == object:  # of requests, where single dates are quicker by themselves
        known = business_date.toordinal()
        return np.array(
            [_NO_DAY if day is None else -(-(day.toordinal() - known) // step) for day in days]
        )
    return np.asarray(-(-(days - np.datetime64(business_date, "D")).astype(np.int64) // step))


def _several(asked: Asked, days: NDArray[np.int64], prices: Sequence[Any]) -> Asked:
    """Each question as all its days, each day at all its prices.

    ``asked`` has the first day of each; ``days``, int64 (q,), is how many.
    """
    at = [np.array([np.nan] if each is None else each, np.float32) for each in prices]
    each_day = np.array([*map(len, at)])
    counts = days * each_day
    if counts.max() > MOST_ROWS:
        raise InvalidRequest(
            f"The request asks for {counts.max()} forecasts, days by prices.",
            remedy=f"Ask for fewer days or prices: {MOST_ROWS} forecasts at most.",
            field="prices",
            limit=MOST_ROWS,
        )
    question = np.repeat(np.arange(len(days)), counts)
    offsets = np.concatenate([[0], np.cumsum(counts)])
    later = (np.arange(len(question)) - offsets[question]) // each_day[question]
    overrides = {name: values[question] for name, values in asked.overrides.items()}
    listed = np.concatenate([np.tile(each, count) for each, count in zip(at, days, strict=True)])
    if not np.isnan(listed).all():
        alone = overrides.get("price", listed)
        overrides["price"] = np.where(np.isnan(listed), alone, listed)
    return Asked(
        asked.place[question],
        (asked.horizon[question] + later).astype(np.int16),
        {name: overrides[name] for name in OVERRIDABLE if name in overrides},
        offsets,
    )


def _outside(asked: Mapping[str, str], business_date: date, days: int) -> OutsideHorizon:
    first, last = (business_date + timedelta(days=ahead) for ahead in (1, days))
    if "target_date" in asked:
        fault = f"The date {asked['target_date']} is not within {first} to {last}."
    else:
        range_ = ", ".join(f"{name} {day}" for name, day in asked.items())
        fault = f"The days asked for ({range_}) are none, or not all within {first} to {last}."
    return OutsideHorizon(
        fault,
        remedy=f"What is published covers {days} days after {business_date}.",
        field=next(iter(asked)),
        business_date=business_date.isoformat(),
        first=first.isoformat(),
        last=last.isoformat(),
    )
