"""What each rule cuts, by hand; random rules are in ``test_solve.py``."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from daybreak.models.pricing.choice.rails import Rule, rails_of
from price_cases import offers, rules

N = Rule.NONE


@pytest.mark.parametrize(
    ("said", "offer", "span", "set_by"),
    [
        ({}, {}, (80, 120), ("ladder", "ladder")),
        ({}, {"cost": 81}, (90, 120), ("loss_floor", "ladder")),
        ({"margin_floor": 0.1}, {"cost": 90}, (100, 120), ("margin_floor", "ladder")),
        ({"margin_floor": 0.1}, {"cost": 91}, (110, 120), ("margin_floor", "ladder")),
        ({"largest_rise": 0.1}, {}, (80, 110), ("ladder", "largest_change")),
        ({"largest_rise": 0.099999}, {}, (80, 100), ("ladder", "largest_change")),
        ({"largest_fall": 0.1}, {}, (90, 120), ("largest_change", "ladder")),
        ({"largest_fall": 0.1}, {"cost": 89}, (90, 120), ("loss_floor", "ladder")),  # both; by rank
        ({}, {"cost": None}, (100, 120), ("no_cost", "ladder")),
        (
            {"competitor": {"below": 0.1, "above": 0.05}},
            {"competitor": 100},
            (90, 100),
            ("competitor", "competitor"),
        ),
        (
            {"competitor": {"above": 0}},
            {"competitor": 100, "age": 4},
            (80, 120),
            ("ladder", "ladder"),
        ),
        (
            {"largest_fall": 0.0, "markdowns": [{"items": ["a"], "ends": "2026-03-01"}]},
            {"cost": 85},
            (90, 120),
            ("loss_floor", "ladder"),
        ),
        (
            {"markdowns": [{"items": ["a"], "ends": "2026-03-01", "below_cost": True}]},
            {"cost": 500},
            (80, 120),
            ("ladder", "ladder"),
        ),
        (
            {
                "margin_floor": 0.5,
                "markdowns": [
                    {"category": "x", "ends": "2026-03-09", "below_cost": True, "floor": 0.85}
                ],
            },
            {"cost": None, "category": "x"},
            (90, 120),
            ("markdown_floor", "ladder"),
        ),
    ],
)
def test_a_rule_cuts_an_interval(
    said: dict[str, Any],
    offer: dict[str, Any],
    span: tuple[int, int],
    set_by: tuple[str, str],
) -> None:
    rails = rails_of(offers(offer), rules(**said))

    found = tuple(rails.points[[rails.low[0], rails.high[0]]].tolist())
    labels = tuple(Rule(code[0]).label for code in (rails.low_rule, rails.high_rule))
    assert (found, labels) == (span, set_by)
    assert rails.kept[0] == N
    assert rails.points[rails.admissible[0]].tolist() == list(range(span[0], span[1] + 1, 10))


@pytest.mark.parametrize(
    ("said", "offer", "kept"),
    [
        ({"blocked": {"stores": ["S"]}}, {}, "blocked"),
        ({"blocked": {"categories": ["x"]}}, {"category": "x"}, "blocked"),
        ({"least_days": 7}, {"since": 6}, "least_days"),
        ({"least_days": 7, "blocked": {"items": ["a"]}}, {"since": 6}, "blocked"),
        (
            {
                "least_days": 7,
                "blocked": {"items": ["a"]},
                "priority": [
                    *("least_days", "blocked", "competitor", "margin_floor", "largest_change")
                ],
            },
            {"since": 6},
            "least_days",
        ),
        ({"objective": "margin"}, {"cost": None}, "no_cost"),
        ({}, {"price": 0}, "no_price"),
        ({}, {"price": 2**24}, "too_large"),
    ],
)
def test_why_a_price_stays(said: dict[str, Any], offer: dict[str, Any], kept: str) -> None:
    rails = rails_of(offers(offer), rules(**said))

    assert Rule(rails.kept[0]).label == kept
    assert not rails.admissible.any()
    assert rails.conflict[0].tolist() == [N, N]


@pytest.mark.parametrize(
    ("said", "offer", "stronger", "weaker"),
    [
        ({}, {"cost": 121}, "ladder", "loss_floor"),
        ({"largest_rise": 0.05}, {"cost": 105}, "loss_floor", "largest_change"),
        (
            {"largest_rise": 0.05, "margin_floor": 0.1},
            {"cost": 99},
            "margin_floor",
            "largest_change",
        ),
        (
            {"competitor": {"above": 0.1}},
            {"competitor": 80, "cost": 90},
            "loss_floor",
            "competitor",
        ),
        ({"largest_rise": 0.01, "largest_fall": 0.01}, {"price": 95}, "ladder", "largest_change"),
        ({"competitor": {"above": 0.1}}, {"competitor": 1}, "ladder", "competitor"),  # absurd
        ({"competitor": {"below": 0.1}}, {"competitor": 2**53}, "ladder", "competitor"),
        ({}, {"cost": None, "price": 130}, "ladder", "no_cost"),
        (
            {
                "competitor": {"above": 0.0},
                "largest_fall": 0.1,
                "priority": [
                    *("competitor", "largest_change", "blocked", "least_days", "margin_floor")
                ],
            },
            {"competitor": 80},
            "competitor",
            "largest_change",
        ),
    ],
)
def test_two_rules_that_leave_nothing_are_named(
    said: dict[str, Any], offer: dict[str, Any], stronger: str, weaker: str
) -> None:
    rails = rails_of(offers(offer), rules(**said))

    assert Rule(rails.kept[0]) is Rule.CONFLICT
    assert [Rule(code).label for code in rails.conflict[0]] == [stronger, weaker]
    assert rails.low[0] > rails.high[0]


@pytest.mark.parametrize(
    ("said", "offer", "outside"),
    [
        ({}, {}, ""),
        ({}, {"price": 101, "cost": 200}, "ladder"),
        ({}, {"cost": 101}, "loss_floor"),
        ({"margin_floor": 0.1}, {"cost": 95}, "margin_floor"),
        ({"competitor": {"above": 0.1}}, {"competitor": 90}, "competitor"),
        ({"competitor": {"below": 0.1}}, {"competitor": 120}, "competitor"),
        (
            {
                "markdowns": [
                    {"items": ["a"], "ends": "2026-03-01", "below_cost": True, "floor": 1.1}
                ]
            },
            {"cost": 200},
            "markdown_floor",
        ),
    ],
)
def test_what_a_price_breaks_as_it_is(
    said: dict[str, Any], offer: dict[str, Any], outside: str
) -> None:
    rails = rails_of(offers(offer), rules(**said))

    assert Rule(rails.outside[0]).label == outside
    assert rails.at[0] == (-1 if offer.get("price") == 101 else 2)


def test_a_markdown_ends_with_its_day_and_its_stock() -> None:
    said = {"largest_fall": 0.0, "markdowns": [{"category": "x", "ends": "2026-02-28"}]}
    over = rails_of(offers({"category": "x"}), rules(**said))
    said["markdowns"] = [{"category": "x", "ends": "2026-03-01"}]
    sold = rails_of(offers({"category": "x", "stock": 0}), rules(**said))
    holds = rails_of(offers({"category": "x", "stock": 5}), rules(**said))

    assert [rails.low[0] for rails in (over, sold, holds)] == [2, 2, 0]


def test_no_offers_are_no_rails() -> None:
    rails = rails_of(offers(), rules(largest_rise=0.1, blocked={"items": ["a"]}))

    assert rails.admissible.shape == (0, 5)
    assert rails.conflict.shape == (0, 2)
    assert rails.low.dtype == np.int64


def test_the_numbers_of_rules_stay() -> None:
    """They are stored with published prices."""
    assert {rule.name: rule.value for rule in Rule} == {
        "NONE": 0,
        "LADDER": 1,
        "LOSS_FLOOR": 2,
        "NO_COST": 3,
        "MARKDOWN_FLOOR": 4,
        "BLOCKED": 5,
        "LEAST_DAYS": 6,
        "MARGIN_FLOOR": 7,
        "LARGEST_CHANGE": 8,
        "COMPETITOR": 9,
        "TOGETHER": 10,
        "ASCENDING": 11,
        "CHANGES_A_NIGHT": 12,
        "CONFLICT": 13,
        "NO_PRICE": 14,
        "TOO_LARGE": 15,
        "NO_VALUE": 16,
        "OUT_OF_TIME": 17,
    }
