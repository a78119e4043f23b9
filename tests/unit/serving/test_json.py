"""What comes in is taken strictly; what goes out is read back bit for bit."""

from __future__ import annotations

import datetime as dt
import json
from contextlib import suppress
from datetime import date

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel, ConfigDict, Field

from daybreak.errors import InvalidRequest
from daybreak.models import get_model, model_names
from daybreak.serving.http.body import DEEPEST, parse
from daybreak.serving.http.encoding import (
    encoded,
    encoded_answer,
    json_response,
    json_values,
)


class Overrides(BaseModel):
    model_config = ConfigDict(extra="forbid")
    price: float | None = Field(None, gt=0)


class Asked(BaseModel):
    model_config = ConfigDict(extra="forbid")
    store: str = Field(min_length=1)
    day: date
    overrides: Overrides | None = None


GOOD = {"store": "S1", "day": "2026-02-01", "overrides": {"price": 2.5}}


def nested(levels: int) -> bytes:
    return b'{"store":' + b"[" * levels + b"]" * levels + b"}"


def test_a_body_becomes_a_typed_request() -> None:
    asked = parse(Asked, json.dumps(GOOD).encode())
    assert asked == Asked(store="S1", day=date(2026, 2, 1), overrides=Overrides(price=2.5))


@pytest.mark.parametrize(
    ("body", "fault"),
    [
        (b"", "line 1, column 1"),
        (b"{", "line 1, column 2"),
        (b'{"store": "S1",}', "line 1, column 16"),
        (b'{"store": 1} x', "Extra data"),
        (b"[]", "not an object"),
        (b'"text"', "not an object"),
        (b"null", "not an object"),
        (b'\xff{"store": 1}', "byte 0 is not UTF-8"),
        (b'\xef\xbb\xbf{"store": 1}', "BOM"),
        (b'{"store": "a", "store": "b"}', '"store" is given twice'),
        (b'{"overrides": {"price": 1, "price": 2}}', '"price" is given twice'),
        (b'{"store": NaN}', "NaN is not JSON"),
        (b'{"store": -Infinity}', "-Infinity is not JSON"),
        (b'{"store": 1e999}', "a number is too large"),
        (b'{"store": ' + b"9" * 5000 + b"}", "too many digits"),
        (b'{"store": "a\\u0000b"}', "NUL"),
        (b'{"\\u0000": 1}', "NUL"),
        (b'{"store": "\\ud800"}', "surrogate"),
        (nested(DEEPEST + 1), "nested deeper"),
        (b'{"store":' * 30_000, "nested deeper"),
        (b"[" * 60_000, "nested deeper"),
    ],
)
def test_what_two_parsers_could_read_differently_is_refused(body: bytes, fault: str) -> None:
    with pytest.raises(InvalidRequest) as caught:
        parse(Asked, body)
    assert fault in caught.value.message
    assert caught.value.status == 400
    assert "field" in caught.value.details


def test_every_wrong_field_is_named_and_no_value_is_repeated() -> None:
    body = {"day": "31st of May", "overrides": {"price": -77}, "shop": "S1"}
    with pytest.raises(InvalidRequest) as caught:
        parse(Asked, json.dumps(body).encode())
    named = {fault["field"] for fault in caught.value.details["fields"]}
    assert named == {"store", "day", "overrides.price", "shop"}
    for field in named:
        assert field in caught.value.message
    shown = json.dumps(caught.value.as_json())
    assert "31st" not in shown
    assert "-77" not in shown


class Moments(BaseModel):
    """As a model of another package may ask, with what pydantic allows by default."""

    day: dt.date | None = None
    at: dt.datetime | None = None
    time: dt.time | None = None
    lasts: dt.timedelta | None = None
    days: list[dt.date] = []
    by_name: dict[str, dt.datetime] = {}
    inner: Asked | None = None
    text_or_day: str | dt.date | None = None
    count: int = 0
    share: float = 0
    ready: bool = False


WRITTEN: dict[str, object] = {
    "day": "2026-02-01",
    "at": "2026-02-01T06:00:00Z",
    "time": "06:00",
    "lasts": "PT6H",
    "days": ["2026-02-01"],
    "by_name": {"a": "2026-02-01 06:00"},
    "inner": GOOD,
    "text_or_day": "1793491200",
    "count": 5,
    "share": 1,
    "ready": True,
}


def test_dates_and_times_as_the_schema_writes_them() -> None:
    asked = parse(Moments, json.dumps(WRITTEN).encode())

    assert asked.model_fields_set == WRITTEN.keys()
    assert (asked.day, asked.days, asked.time) == (date(2026, 2, 1), [date(2026, 2, 1)], dt.time(6))
    assert (asked.lasts, asked.text_or_day) == (dt.timedelta(hours=6), "1793491200")


digits = st.from_regex(r"-?[0-9]{1,13}(\.0)?", fullmatch=True) | st.integers(-(10**13), 10**13)
"""What pydantic takes for seconds since 1970, for seconds of a day, or for a length of time."""


@given(digits)
def test_no_digits_are_a_date_or_a_time(number: str | int) -> None:
    wrong = {
        **dict.fromkeys(("day", "at", "time", "lasts"), number),
        "days": ["2026-02-01", number],
        "by_name": {"a": number},
        "inner": {"store": "S1", "day": number},
    }

    with pytest.raises(InvalidRequest) as caught:
        parse(Moments, json.dumps(wrong).encode())

    named = {fault["field"] for fault in caught.value.details["fields"]}
    assert named == {"day", "at", "time", "lasts", "days.1", "by_name.a", "inner.day"}


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("day", "2026-02-01T00:00:00"),
        ("day", "2026-W05-7"),
        ("at", "2026-02-01"),
        ("lasts", "1 day, 0:00:00"),
        ("count", "5"),
        ("count", True),
        ("share", "0.5"),
        ("share", True),
        ("ready", "yes"),
        ("ready", 1),
    ],
)
def test_another_type_is_not_guessed_at(field: str, value: object) -> None:
    with pytest.raises(InvalidRequest) as caught:
        parse(Moments, json.dumps({field: value}).encode())

    assert [fault["field"] for fault in caught.value.details["fields"]] == [field]


@pytest.mark.parametrize("name", model_names())
def test_no_field_of_a_model_takes_another_type(name: str) -> None:
    form = get_model(name).endpoint.request
    for field, schema in form.model_json_schema()["properties"].items():
        branches = schema.get("anyOf", [schema])
        kinds = {branch.get("format", branch["type"]) for branch in branches}
        for wrong in ("1793491200", "1", 1, True):
            json_type = {str: "string", bool: "boolean", int: "integer"}[type(wrong)]
            if kinds & {json_type, "number" if json_type == "integer" else json_type}:
                continue
            with pytest.raises(InvalidRequest) as caught:
                parse(form, json.dumps({field: wrong}).encode())
            assert field in {fault["field"] for fault in caught.value.details["fields"]}


@given(st.binary(max_size=200) | st.text(max_size=100).map(str.encode))
def test_no_body_breaks_the_parser(body: bytes) -> None:
    with pytest.raises(InvalidRequest):
        parse(Asked, body)


json_like = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)


@given(st.dictionaries(st.sampled_from([*GOOD, "x"]), json_like))
def test_every_json_object_is_taken_or_refused(value: dict[str, object]) -> None:
    with suppress(InvalidRequest):
        assert isinstance(parse(Asked, json.dumps(value).encode()), Asked)


@given(st.lists(st.integers(0, 2**32 - 1), max_size=50))
def test_float32_comes_back_bit_for_bit_from_its_shortest_decimal(bits: list[int]) -> None:
    column = np.array(bits, np.uint32).view(np.float32)
    column = column[np.isfinite(column)]
    text = encoded_answer({"values": json_values(column)})
    assert json.loads(text) == json.loads(encoded({"values": json_values(column)}))
    back = np.array(json.loads(text)["values"], np.float32)
    assert back.view(np.uint32).tolist() == column.view(np.uint32).tolist()


bracketed = st.recursive(
    st.none() | st.text("ab{[]}:,", max_size=3),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text("{[", max_size=2), inner),
    max_leaves=30,
)


def levels(value: object) -> int:
    if not isinstance(value, dict | list):
        return 0
    return 1 + max(map(levels, value.values() if isinstance(value, dict) else value), default=0)


@given(value=bracketed, more=st.integers(0, DEEPEST + 2), escaped=st.booleans())
def test_brackets_within_texts_are_no_levels(value: object, more: int, escaped: bool) -> None:
    for _ in range(more):
        value = [value]
    body = {"unknown": value, "text": "\n" if escaped else ""}
    with pytest.raises(InvalidRequest) as raised:
        parse(Asked, json.dumps(body).encode())
    assert ("nested deeper" in raised.value.message) == (levels(body) > DEEPEST)


def test_float32_is_written_short() -> None:
    column = np.array([0.1, 16777216, 1e-45, -0.0, 3.4028235e38], np.float32)
    written = b'{"values":[0.1,16777216.0,1e-45,-0.0,3.4028235e+38]}'
    assert encoded({"values": json_values(column)}) == written
    assert encoded_answer({"values": json_values(column)}) == written


def test_what_is_no_text_of_unicode_is_written_all_the_same() -> None:
    value = {"item_id": "\ud800", "p50": np.float32(0.1)}
    assert encoded_answer(value) == encoded(value) == b'{"item_id":"\\ud800","p50":0.1}'
    with pytest.raises(TypeError, match="int8 is no JSON"):
        encoded({"horizon": np.int8(1)})


def test_identity_columns_become_plain_json() -> None:
    days = np.array(["2026-02-01"], "datetime64[D]")
    assert json_values(days) == ["2026-02-01"]
    assert json_values(np.array([date(2026, 2, 1)], object)) == ["2026-02-01"]
    assert json_values(np.array([3], np.int16)) == [3]
    assert json_values(np.array(["S1"], object)) == ["S1"]


def test_nan_is_never_written() -> None:
    with pytest.raises(ValueError, match="Out of range float values"):
        json_response({"values": json_values(np.array([np.nan], np.float32))})
