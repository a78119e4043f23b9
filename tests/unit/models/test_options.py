"""Options by name: defaults, bounds, whole numbers, and what an error says."""

from __future__ import annotations

import math

import pytest

from daybreak.errors import InvalidRequest
from daybreak.models import get_learning, model_names
from daybreak.models.options import Option, chosen
from daybreak.models.recommendations.numbers import DEFAULT, LEARNED, OPTIONS, Numbers
from daybreak.models.sales_forecast.options import Scope
from daybreak.settings import Settings

KNOWN = {"listed": Option(20, 1, 100, whole=True), "half_life": Option(14.0, 0.5), "windows": 4}


def test_what_is_not_given_is_the_default() -> None:
    assert chosen({}, KNOWN) == {"listed": 20, "half_life": 14.0, "windows": 4}
    taken = chosen({"listed": 30.0, "half_life": 7}, KNOWN)
    assert taken == {"listed": 30, "half_life": 7.0, "windows": 4}
    assert [type(one) for one in taken.values()] == [int, float, int]


@pytest.mark.parametrize(
    ("name", "value", "bound"),
    [
        ("listed", 0, "a whole number from 1 to 100"),
        ("listed", 100.5, "a whole number from 1 to 100"),
        ("listed", 20.5, "a whole number from 1 to 100"),
        ("half_life", 0.25, "a number, 0.5 or more"),
        ("half_life", math.nan, "a number, 0.5 or more"),
        ("half_life", math.inf, "a number, 0.5 or more"),
        ("windows", 1.5, "a whole number"),
    ],
)
def test_a_value_out_of_bounds_is_named_with_its_bounds(
    name: str, value: float, bound: str
) -> None:
    with pytest.raises(InvalidRequest) as caught:
        chosen({name: value}, KNOWN)
    assert caught.value.message == f"The option {name} is {value}; it has to be {bound}."
    assert "default" in caught.value.remedy
    assert caught.value.details == {"field": name, "given": str(value)}


def test_an_unknown_name_is_answered_with_those_there_are() -> None:
    with pytest.raises(InvalidRequest, match="There is no option lenght here") as caught:
        chosen({"lenght": 3}, KNOWN)
    assert "listed (a whole number from 1 to 100, default 20)" in caught.value.remedy
    with pytest.raises(InvalidRequest) as caught:
        chosen({"lenght": 3}, {})
    assert caught.value.remedy == "There are none; leave it out."


def test_every_option_of_the_recommendations_has_bounds_around_its_default() -> None:
    for name, option in OPTIONS.items():
        assert math.isfinite(option.most - option.least), name
        assert option.check(name, option.default) == option.default
    assert {name: option.default for name, option in LEARNED.items()} == DEFAULT.to_json()
    assert Numbers.chosen({"long_half_life": 45.5}).long_half_life == 45.5
    assert Numbers.of({}) == DEFAULT
    assert Numbers.of({"options": Numbers(window_days=14).to_json()}).window_days == 14


def test_settings_keep_numbers_as_they_are_written(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(
        "DAYBREAK_MODEL_OPTIONS",
        '{"recommendations": {"listed": 30, "has_weight": 0.1, "exclude_purchased": true}}',
    )
    given = Settings().model_options["recommendations"]
    assert given == {"listed": 30, "has_weight": 0.1, "exclude_purchased": 1}
    assert isinstance(given["listed"], int)
    assert chosen(given, OPTIONS)["exclude_purchased"] == 1


@pytest.mark.docs
def test_every_option_is_documented() -> None:
    from pathlib import Path

    page = (Path(__file__).parents[3] / "docs" / "recommendation-model.md").read_text()
    rows = {line.split("|")[1].strip(" `") for line in page.splitlines() if line.startswith("| `")}
    assert set(OPTIONS) <= rows
    for name, option in OPTIONS.items():
        (line,) = (one for one in page.splitlines() if one.startswith(f"| `{name}` |"))
        default, bounds = (part.strip() for part in line.split("|")[2:4])
        assert float(default) == option.default, name
        assert bounds == f"{option.least:g} to {option.most:g}", name


def test_models_refuse_options_that_they_do_not_have() -> None:
    for name in model_names():
        with pytest.raises(InvalidRequest, match="no option nonsense"):
            get_learning(name).train(None, None, options={"nonsense": 1})  # type: ignore[arg-type]


def test_a_version_s_period_has_to_be_the_data_set_s() -> None:
    assert Scope.of({}, 7) == Scope(13, 7), "a quarter of a year"
    assert Scope.of({"horizon": 4}, 7).to_options() == {"horizon": 4, "period_days": 7}
    assert Scope.of(Scope(13, 7, 6).to_options(), 7) == Scope(13, 7, 6)
    assert Scope.of({}).to_options() == {"horizon": 28}
    with pytest.raises(InvalidRequest, match="period_days is 7; the data set has periods of 1"):
        Scope.of({"horizon": 13, "period_days": 7}, 1)
    with pytest.raises(InvalidRequest, match="horizon is 93"):
        Scope.of({"horizon": 93})
