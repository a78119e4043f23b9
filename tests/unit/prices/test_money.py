"""Money in minor units: right values, half to even, there and back."""

from __future__ import annotations

from decimal import Decimal

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from daybreak.errors import ConfigError, DatasetError
from daybreak.prices.money import (
    MOST_UNITS,
    decimals,
    exact_minor,
    from_minor,
    to_minor,
    to_minor_array,
    written,
)

CURRENCIES = st.sampled_from(["EUR", "JPY", "KWD"])


def test_decimals_are_those_of_iso_4217() -> None:
    found = {code: decimals(code) for code in ("EUR", "JPY", "KWD", "HUF", "ISK", "IQD", "CLP")}

    assert found == {"EUR": 2, "JPY": 0, "KWD": 3, "HUF": 2, "ISK": 0, "IQD": 3, "CLP": 0}


@pytest.mark.parametrize("code", ["eur", "ERU", "€", "XAU", ""])
def test_what_is_no_currency_is_refused(code: str) -> None:
    with pytest.raises(ConfigError, match="is no currency of ISO 4217"):
        decimals(code)


@pytest.mark.parametrize(
    ("amount", "currency", "units"),
    [
        (12.34, "EUR", 1234),
        ("0.29", "USD", 29),
        (1.005, "EUR", 100),  # a half goes to the even one, though float64 holds 1.00499…
        (1.015, "EUR", 102),
        (2.675, "EUR", 268),
        (-1.015, "EUR", -102),
        (980, "JPY", 980),
        (980.5, "JPY", 980),
        (Decimal("0.0015"), "KWD", 2),
        (2**53 / 100, "EUR", 9007199254740992),
    ],
)
def test_an_amount_in_minor_units(amount: Decimal | float | str, currency: str, units: int) -> None:
    assert to_minor(amount, currency) == units
    assert to_minor_array(np.array([1.0, float(amount)]), currency)[1] == units


@pytest.mark.parametrize("amount", [2.0**53, -1e300, float("nan"), float("inf")])
def test_what_is_beyond_or_no_amount_is_refused(amount: float) -> None:
    with pytest.raises(DatasetError, match="EUR is"):
        to_minor(amount, "EUR")
    with pytest.raises(DatasetError, match="EUR is"):
        to_minor_array(np.array([1.0, amount]), "EUR")


def test_words_are_no_amount() -> None:
    with pytest.raises(DatasetError, match="is not a number"):
        to_minor("12,34", "EUR")


@given(st.integers(-MOST_UNITS, MOST_UNITS), CURRENCIES)
def test_there_and_back_is_the_same(units: int, currency: str) -> None:
    amount = from_minor(units, currency)

    assert to_minor(amount, currency) == exact_minor(amount, currency) == units
    assert -amount.as_tuple().exponent == decimals(currency)  # type: ignore[operator]
    assert written(units, currency) == f"{amount:f} {currency}"


@given(
    st.lists(
        st.floats(-9e12, 9e12)
        | st.decimals(-1000, 1000, places=3).map(float)
        | st.decimals(-1000, 1000, places=4).map(float),
        max_size=20,
    ),
    CURRENCIES,
)
def test_many_are_as_one_by_one(amounts: list[float], currency: str) -> None:
    many = to_minor_array(np.array(amounts), currency)

    assert many.dtype == np.int64
    assert many.tolist() == [to_minor(amount, currency) for amount in amounts]


@pytest.mark.parametrize(
    ("amount", "fault"),
    [
        (0.995, "has more decimals than EUR, 2"),
        ("a", "is not a number"),
        (float("nan"), "is beyond 2\\^53"),
    ],
)
def test_what_has_to_be_exact_is_not_rounded(amount: float | str, fault: str) -> None:
    with pytest.raises(ValueError, match=fault):
        exact_minor(amount, "EUR")
