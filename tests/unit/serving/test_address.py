"""A request by its address is the request that a body would be, and is as strictly taken."""

from __future__ import annotations

import json
from datetime import date
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel, ConfigDict, Field
from werkzeug.datastructures import MultiDict

from daybreak.errors import InvalidRequest
from daybreak.models import get_model, model_names
from daybreak.serving.address import address_parameters, asked_by_address
from daybreak.serving.http.body import parse


class Asked(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)

    store: str = Field(min_length=1)
    day: date
    price: float | None = None
    most: int | None = None
    again: bool = False
    seen: list[str] | None = None
    prices: list[float] | None = None
    inner: dict[str, int] | None = None


GOOD = {"store": "S1", "day": "2026-02-01"}


def asked(*pairs: tuple[str, str]) -> BaseModel:
    return asked_by_address(Asked, MultiDict([*GOOD.items(), *pairs]))


@pytest.mark.slow
@given(
    st.fixed_dictionaries(
        {"store": st.text(st.characters(exclude_characters="\0", codec="utf-8"), min_size=1)}
        | {"day": st.dates().map(str)},
        optional={
            "price": st.floats(allow_nan=False, allow_infinity=False) | st.integers(),
            "most": st.integers(),
            "again": st.booleans(),
            "seen": st.lists(st.sampled_from(["1", "true", "a", ""]), min_size=1),
            "prices": st.lists(st.floats(-9, 9), min_size=1),
        },
    )
)
def test_an_address_says_what_a_body_says(body: dict[str, Any]) -> None:
    said: MultiDict[str, str] = MultiDict()
    for name, value in body.items():
        for one in value if isinstance(value, list) else [value]:
            said.add(name, one if isinstance(one, str) else json.dumps(one))
    assert asked_by_address(Asked, said) == parse(Asked, json.dumps(body).encode())


@pytest.mark.parametrize(
    ("pair", "fault"),
    [
        (("store", "S2"), "store: It is given twice"),
        (("colour", "red"), "colour: There is no such field"),
        (("price", "cheap"), "price: Input should be a valid number"),
        (("price", "1_000"), "price: Input should be a valid number"),
        (("price", "NaN"), "price: Input should be a valid number"),
        (("price", ""), "price: Input should be a valid number"),
        (("price", "1e999"), "a number is too large"),
        (("most", "1.5"), "most: Input should be a valid integer"),
        (("again", "yes"), "again: Input should be a valid boolean"),
        (("prices", "x"), "prices.0: Input should be a valid number"),
        (("seen", "\0"), "NUL"),
        (("inner", "{}"), "inner: Input should be an object"),
    ],
)
def test_what_a_body_may_not_say_an_address_may_not(pair: tuple[str, str], fault: str) -> None:
    with pytest.raises(InvalidRequest) as raised:
        asked(pair)
    assert fault in str(raised.value.as_json())


def test_what_is_missing_is_named() -> None:
    with pytest.raises(InvalidRequest, match="day: Field required"):
        asked_by_address(Asked, MultiDict({"store": "S1"}))


def test_former_names_are_for_bodies() -> None:
    form = get_model("sales_forecast").endpoint.request
    said = MultiDict({"store": "S1", "item_id": "I1", "target_date": "2026-02-01"})
    with pytest.raises(InvalidRequest, match="store: There is no such field"):
        asked_by_address(form, said)


@pytest.mark.parametrize("name", [one for one in model_names() if not get_model(one).decides])
def test_every_model_that_does_not_decide_can_be_asked_by_an_address(name: str) -> None:
    endpoint = get_model(name).endpoint
    fields = {one["name"]: one["schema"] for one in address_parameters(endpoint.request)}
    assert fields
    assert all(schema["type"] != "object" for schema in fields.values())
    for example in endpoint.examples.values():
        said: MultiDict[str, str] = MultiDict()
        for field, value in example.request.items():
            for one in value if isinstance(value, list) else [value]:
                said.add(field, one if isinstance(one, str) else json.dumps(one))
        body = json.dumps(dict(example.request)).encode()
        assert asked_by_address(endpoint.request, said) == parse(endpoint.request, body)
