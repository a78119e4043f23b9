"""Questions about many days and prices are the rows of as many questions about one."""

from __future__ import annotations

from datetime import date, timedelta
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from daybreak.errors import InvalidRequest, OutsideHorizon
from daybreak.models.base import Questions
from daybreak.models.sales_forecast.asked import MOST_ROWS, Asked, asked_rows
from daybreak.models.sales_forecast.request import ForecastRequest

DAY = date(2026, 2, 1)
PUBLISHED = 9
days = st.integers(1, PUBLISHED).map(lambda ahead: DAY + timedelta(days=ahead))
prices = st.integers(0, 50).map(float)


@st.composite
def requests(draw: st.DrawFn) -> ForecastRequest:
    """Of every kind that a form allows and a day publishes."""
    first, last = sorted([draw(days), draw(days)])
    which: dict[str, Any] = draw(
        st.sampled_from(
            [
                {"target_date": first},
                {"horizon": "all"},
                {"first_date": first},
                {"last_date": last},
                {"first_date": first, "last_date": last},
            ]
        )
    )
    what: dict[str, Any] = draw(
        st.sampled_from(
            [{}, {"price": draw(prices)}, {"prices": draw(st.lists(prices, min_size=1))}]
        )
    )
    promotion = draw(st.none() | st.sampled_from([0.0, 1.0]))
    return ForecastRequest(store_id="S", item_id="I", promotion=promotion, **which, **what)


def one_by_one(request: ForecastRequest) -> list[ForecastRequest]:
    first = request.target_date or request.first_date or DAY + timedelta(days=1)
    last = request.target_date or request.last_date or DAY + timedelta(days=PUBLISHED)
    return [
        ForecastRequest(
            store_id="S",
            item_id="I",
            target_date=first + timedelta(days=later),
            price=price,
            promotion=request.promotion,
        )
        for later in range((last - first).days + 1)
        for price in (request.prices or [request.price])
    ]


def asked(some: list[ForecastRequest], entity: list[int], step: int = 1) -> Asked:
    questions = Questions.of(some, np.array(entity, np.int64))
    return asked_rows(questions, DAY, step, PUBLISHED // step)


def rows(of: Asked) -> list[tuple[Any, ...]]:
    overrides = [
        of.overrides.get(name, np.full(len(of.place), np.nan)) for name in ("price", "promotion")
    ]
    return [tuple(map(str, row)) for row in zip(of.place, of.horizon, *overrides, strict=True)]


@given(st.lists(requests(), min_size=1, max_size=5))
def test_are_the_rows_of_questions_about_one_day_at_one_price(some: list[ForecastRequest]) -> None:
    together = asked(some, list(range(len(some))))
    alone = [one_by_one(request) for request in some]
    entity = [number for number, each in enumerate(alone) for _ in each]
    assert rows(together) == rows(asked([one for each in alone for one in each], entity))
    for number, each in enumerate(alone):
        these = together.rows(number)
        assert these.stop - these.start == len(each)
        assert set(together.place[these]) == {number}


def test_any_day_of_a_week_is_that_week() -> None:
    def weeks(**which: Any) -> list[int]:
        request = ForecastRequest(store_id="S", item_id="I", **which)
        return asked_rows(Questions.of([request]), DAY, 7, 3).horizon.tolist()

    assert weeks(target_date=DAY + timedelta(days=8)) == [2]
    assert weeks(horizon="all") == [1, 2, 3]
    assert weeks(first_date=DAY + timedelta(days=14), last_date=DAY + timedelta(days=15)) == [2, 3]


@pytest.mark.parametrize(
    ("which", "field"),
    [
        ({"target_date": DAY}, "target_date"),
        ({"target_date": DAY + timedelta(days=PUBLISHED + 1)}, "target_date"),
        ({"first_date": DAY}, "first_date"),
        ({"last_date": DAY + timedelta(days=PUBLISHED + 1)}, "last_date"),
        (
            {"last_date": DAY + timedelta(days=1), "first_date": DAY + timedelta(days=2)},
            "first_date",
        ),
    ],
)
def test_days_that_are_not_published_are_named(which: dict[str, date], field: str) -> None:
    request = ForecastRequest(store_id="S", item_id="I", **which)  # type: ignore[arg-type]
    with pytest.raises(OutsideHorizon, match="2026-02-02 to 2026-02-10") as error:
        asked([request], [0])
    assert error.value.details["field"] == field
    assert str(next(iter(which.values()))) in error.value.message


def test_a_question_has_so_many_rows() -> None:
    request = ForecastRequest(
        store_id="S", item_id="I", horizon="all", prices=[1.0] * 100, promotion=None
    )
    with pytest.raises(InvalidRequest, match=f"{MOST_ROWS} forecasts at most"):
        asked_rows(Questions.of([request]), DAY, 1, 11)
