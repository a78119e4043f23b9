"""What a request may say, and how its numbers become float32."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from daybreak.errors import NotFound
from daybreak.models import get_model, model_names
from daybreak.models.base import Questions
from daybreak.models.sales_forecast.features.layout import OVERRIDABLE
from daybreak.models.sales_forecast.request import ForecastRequest

PLAIN = {"store_id": "S1", "item_id": "tea", "target_date": "2026-03-11"}


def parse(**fields: Any) -> ForecastRequest:
    return ForecastRequest.model_validate_json(json.dumps({**PLAIN, **fields}))


def test_a_plain_request_overrides_nothing() -> None:
    asked = parse()
    assert (asked.store_id, asked.item_id, str(asked.target_date)) == ("S1", "tea", "2026-03-11")
    questions = Questions.of([asked, parse(price=None)])
    assert all(np.isnan(questions.number(name)).all() for name in OVERRIDABLE)


def test_overrides_are_float32_already() -> None:
    asked = parse(price=8.99, promotion=0)
    assert (asked.price, asked.promotion) == (float(np.float32(8.99)), 0.0)
    questions = Questions.of([asked])
    assert questions.number("price").tolist() == [np.float32(8.99)]
    assert questions.number("promotion").tolist() == [0.0]


@pytest.mark.parametrize(
    ("fields", "field"),
    [
        ({"price": "8.99"}, "price"),
        ({"price": True}, "price"),
        ({"price": -1}, "price"),
        ({"price": 1e39}, "price"),
        ({"promotion": [1]}, "promotion"),
        ({"target_date": "11.03.2026"}, "target_date"),
        ({"target_date": 20260311}, "target_date"),
        ({"target_date": "2026-03-11T10:00:00"}, "target_date"),
        ({"store_id": ""}, "store_id"),
        ({"item_id": 7}, "item_id"),
        ({"item_id": "x" * 201}, "item_id"),
        ({"prize": 1}, "prize"),
        ({"store": "S1"}, "store"),
    ],
)
def test_a_wrong_field_is_named(fields: dict[str, Any], field: str) -> None:
    with pytest.raises(ValidationError) as error:
        parse(**fields)
    assert {fault["loc"] for fault in error.value.errors()} == {(field,)}


@pytest.mark.parametrize(
    ("fields", "fault"),
    [
        ({"target_date": None}, "which days"),
        ({"horizon": "all"}, "which days"),
        ({"first_date": "2026-03-11"}, "which days"),
        ({"target_date": None, "horizon": "all", "last_date": "2026-03-12"}, "which days"),
        ({"price": 1, "prices": [2]}, "either price or prices"),
    ],
)
def test_fields_that_do_not_go_together(fields: dict[str, Any], fault: str) -> None:
    with pytest.raises(ValidationError, match=fault):
        parse(**fields)


def test_former_names_are_the_same_request() -> None:
    former = {"store": "S1", "item": "tea", "date": "2026-03-11"}
    assert ForecastRequest.model_validate_json(json.dumps(former)) == parse()


@pytest.mark.parametrize("number", ["NaN", "Infinity", "-Infinity", "1e999"])
def test_numbers_that_are_none(number: str) -> None:
    body = json.dumps(PLAIN)[:-1] + f', "price": {number}}}'
    with pytest.raises(ValidationError, match="price"):
        ForecastRequest.model_validate_json(body)


@given(st.floats(0, 1e30) | st.floats(0, 2**99, width=32) | st.integers(0, 2**40))
def test_a_number_rounds_as_a_whole_column_of_facts_does(value: float) -> None:
    price = parse(price=value).price
    assert price == np.array([value], np.float64).astype(np.float32)[0]


def test_models_by_name() -> None:
    assert {"sales_forecast", "recommendations"} <= set(model_names())
    model = get_model("sales_forecast")
    assert model is get_model("sales_forecast")
    assert model.name == "sales_forecast"
    with pytest.raises(NotFound, match="no model 'weather'") as error:
        get_model("weather")
    assert error.value.details["models"] == list(model_names())
