"""A night of prices from offers and demand to the rows of its snapshot, worked by hand."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from daybreak.models.arrays import to_names
from daybreak.models.pricing.choice.programme import Limits
from daybreak.models.pricing.choice.rails import Rule
from daybreak.models.pricing.choice.stop import Stop
from daybreak.models.pricing.demand import value_of
from daybreak.models.pricing.judged import MOST, as_text, pack
from daybreak.models.pricing.layout import SOLVED
from daybreak.models.pricing.night import Interval, decide
from price_cases import offers, rules
from price_nights import PERIODS, column, demand, night, prices

# --- demand ----------------------------------------------------------------------------------


def test_units_follow_the_curve_and_the_planned_price_gives_the_forecast() -> None:
    found = demand(-2.0).at(np.array([[100.0, 200.0, 50.0]]))
    np.testing.assert_allclose(found[0, :, 0], [30, 7.5, 120])
    np.testing.assert_allclose(found[0, 0], [30, 12, 60])


@settings(max_examples=50)
@given(
    st.lists(st.floats(20, 500), min_size=PERIODS, max_size=PERIODS),
    st.lists(st.booleans(), min_size=PERIODS, max_size=PERIODS),
    st.floats(-3, 0),
    st.floats(20, 500),
)
def test_each_period_moves_by_itself_from_its_own_planned_price(
    planned: list[float], free: list[bool], elasticity: float, price: float
) -> None:
    asked = demand(elasticity, planned=np.array([planned]), free=np.array([free]))
    found = asked.at(np.array([[price]]))[0, 0, 0]
    if not any(free):
        assert np.isnan(found), "nothing is known of a price that may change in no period"
    else:
        each = [10 * (price / plan) ** elasticity for plan in planned]
        expected = sum(units for units, is_free in zip(each, free, strict=True) if is_free)
        np.testing.assert_allclose(found, expected, rtol=1e-9)


def test_no_more_is_sold_than_there_is() -> None:
    found = demand(-2.0, stock=np.array([15.0])).at(np.array([[100.0, 200.0]]))
    np.testing.assert_allclose(found[0, :, 0], [15, 7.5])


@pytest.mark.parametrize(
    ("objective", "value"), [("margin", 500), ("revenue", 1000), ("units", 1000)]
)
def test_what_an_objective_makes_of_a_price(objective: str, value: float) -> None:
    found = value_of(objective, np.array([[100.0]]), np.array([[10.0]]), np.array([50.0]))
    assert found.tolist() == [[value]]


# --- the choice ------------------------------------------------------------------------------


def test_elastic_prices_fall_and_inelastic_ones_rise() -> None:
    found = night(offers({}, {}), demand(-3.0, -0.5), rules())
    assert prices(found) == [80, 120]
    assert column(found, "lowest") == [80, 80]
    assert column(found, "highest") == [120, 120]
    points = np.array([100, 80, 90, 100, 110, 120])
    assert found.records[:6, 0].tolist() == points.tolist(), "the current price comes first"
    np.testing.assert_allclose(found.records[:6, 1], 30 * (points / 100) ** -3.0, rtol=1e-6)
    np.testing.assert_allclose(found.records[:6, 3], 60 * (points / 100) ** -3.0, rtol=1e-6)


def test_a_price_that_stays_has_no_other_point_and_says_why() -> None:
    asked = offers({"since": 1}, {"since": 30}, {})
    found = night(asked, demand(-3.0, -3.0, np.nan), rules(least_days=7))
    assert prices(found) == [100, 80, 100]
    assert np.diff(found.offsets).tolist() == [1, 6, 6]
    assert column(found, "rule") == [Rule.LEAST_DAYS, Rule.NONE, Rule.NO_VALUE]


def test_a_price_of_unknown_cost_says_so_where_margin_is_asked_for() -> None:
    found = night(offers({"cost": None}, {}), demand(-0.5, -0.5), rules(objective="margin"))
    assert prices(found) == [100, 120]
    assert column(found, "rule") == [Rule.NO_COST, Rule.NONE]


def test_a_price_that_is_promised_on_all_days_stays() -> None:
    found = night(offers({}), demand(-3.0, free=np.zeros((1, PERIODS), bool)), rules())
    assert (prices(found), column(found, "rule")) == ([100], [Rule.NO_VALUE])


def test_the_rule_that_stops_a_price_is_named() -> None:
    found = night(offers({}), demand(-0.5), rules(largest_rise=0.1))
    assert prices(found) == [110]
    assert column(found, "rule") == [Rule.LARGEST_CHANGE]


def test_where_margin_is_asked_for_the_cost_counts_unless_it_is_spent() -> None:
    """By an elasticity of -2 the margin is greatest at twice the cost, and revenue at the least."""
    said = rules(objective="margin")
    for cost, price in ((45, 90), (50, 100), (60, 120)):
        assert prices(night(offers({"cost": cost}), demand(-2.0), said)) == [price]
    gone = rules(objective="margin", markdowns=[{"items": ["a"], "ends": "2026-03-09"}])
    assert prices(night(offers({}), demand(-2.0), gone, spent=True)) == [80]


# --- how well it was solved, and by which days ------------------------------------------------


TANGLED = [
    {"name": "first", "items": ["a"], "across": "stores", "how": "same_price"},
    {"name": "last", "items": ["c"], "across": "stores", "how": "same_price"},
    {"name": "sizes", "items": ["a", "b", "c"], "how": "ascending"},
]


def test_a_night_that_ran_out_of_time_says_so_of_each_price() -> None:
    """a, b and c hold one another together, so that they are a programme; d is by itself."""
    shop = offers(*({"store": store, "item": item} for store in "ST" for item in "abcd"))
    wanted = demand(*[-0.5, -0.5, -3.0, -0.5] * 2)
    nobody = {"spent": np.zeros(8, bool)}
    interval = Interval(wanted.elasticity, wanted.elasticity)
    late = decide(
        shop, wanted, interval, rules(together=TANGLED), limits=Limits(seconds=0), **nobody
    )
    assert column(late, "gap") == [1, 1, 1, 0] * 2
    assert column(late, "stop") == [Stop.SECONDS] * 3 + [0] + [Stop.SECONDS] * 3 + [0]
    solved = json.loads(to_names(late.context[SOLVED])[0])
    assert (solved["stopped"], solved["gap"]) == ({"seconds": 1}, 1.0)
    done = decide(shop, wanted, interval, rules(together=TANGLED), **nobody)
    assert set(column(done, "gap")) == set(column(done, "stop")) == {0}
    assert json.loads(to_names(done.context[SOLVED])[0])["stopped"] == {}


@given(arrays(bool, st.tuples(st.integers(1, 4), st.integers(1, MOST))))
def test_days_are_the_same_as_bits_of_float32_and_as_text(free: Any) -> None:
    words = np.column_stack([*pack(free).values()]).astype(np.float32)
    expected = ["".join("01"[int(one)] for one in row).rstrip("0") for row in free]
    assert as_text(words).tolist() == expected


def test_more_days_than_there_are_bits_are_refused() -> None:
    with pytest.raises(ValueError, match="97 days"):
        pack(np.ones((1, MOST + 1), bool))


# --- places ----------------------------------------------------------------------------------


def test_places_count_changes_by_gain_and_groups_as_a_whole() -> None:
    """b and c move as one: together they gain more than a, and d does not change."""
    together = [{"name": "g", "items": ["b", "c"], "how": "same_step"}]
    wanted = demand(-0.5, -0.5, -0.5, -1.0, units=[15, 10, 10, 10])
    found = night(offers({}, {}, {}, {}), wanted, rules(together=together))
    assert prices(found) == [120, 120, 120, 100]
    assert column(found, "place") == [3, 2, 2, 0]
    assert column(found, "grouped") == [0, 1, 1, 0]


def test_places_keep_the_order_of_sizes_that_both_moved() -> None:
    together = [{"name": "sizes", "items": ["a", "b"], "how": "ascending"}]
    wanted = demand(-0.5, -0.5, -0.5, units=[30, 1, 10])
    found = night(offers({}, {}, {}), wanted, rules(together=together))
    assert prices(found) == [120, 120, 120]
    assert column(found, "place") == [2, 2, 3], "to raise a alone would make it dearer than b"


def test_equal_gains_stand_in_the_order_of_rows() -> None:
    found = night(offers({}, {}, {}), demand(-0.5, -0.5, -0.5), rules())
    assert column(found, "place") == [1, 2, 3]
