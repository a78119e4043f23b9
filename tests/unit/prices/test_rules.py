"""The form of rules: what is refused and by which field, the ladder, the identity."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from daybreak.errors import ConfigError
from daybreak.prices.form import millionths
from daybreak.prices.rules import Rules, rules_of

LEAST = {"currency": "EUR", "ladder": {"points": [0.99, 1.49]}}
WHOLE = yaml.safe_load(
    """
    currency: EUR
    objective: revenue
    days: 14
    ladder: {endings: [0.49, 0.99], from: 0.99, to: 3}
    margin_floor: 0.10
    largest_rise: 0.15
    largest_fall: 0.30
    least_days: 7
    changes_a_night: 200
    competitor: {below: 0.10, above: 0.05, of: median, newest_days: 5}
    blocked: {items: [tea], stores: [S1], categories: [tobacco]}
    together:
      - {name: everywhere, across: stores, how: same_price}
      - {name: cups, items: [small, medium, large], how: ascending}
      - {name: juice, category: juice, across: both, how: same_step}
    markdowns: [{category: garden, ends: 2026-08-31, below_cost: true, floor: 0.50}]
    priority: [competitor, blocked, least_days, margin_floor, largest_change]
    approval: {changes: 50, share: 0.2, hours: 6}
    """
)


def test_rules_come_back_from_json_with_the_same_identity() -> None:
    for given_rules in (LEAST, WHOLE):
        rules = rules_of(given_rules)
        again = Rules.from_json(rules.to_json())

        assert again == rules
        assert again.sha256 == rules.sha256
        assert len(rules.sha256) == 64
    assert rules.priority[0] == "competitor"


def test_the_identity_is_of_what_is_said_and_not_of_how() -> None:
    said = rules_of(LEAST | {"days": 7, "largest_rise": 1, "blocked": {}})
    turned = rules_of(dict(reversed(LEAST.items())) | {"largest_rise": 1.0})

    assert said.sha256 == turned.sha256
    assert said.sha256 != rules_of(LEAST | {"days": 8, "largest_rise": 1}).sha256


@pytest.mark.parametrize(
    ("currency", "ladder", "points"),
    [
        ("EUR", {"points": [1.49, 0.99, 0.99]}, [99, 149]),
        ("EUR", {"endings": [0.99, 0.49], "from": 0.99, "to": 3}, [99, 149, 199, 249, 299]),
        ("EUR", {"endings": [0], "from": 0.5, "to": 2}, [100, 200]),
        ("EUR", {"step": 0.1, "from": 0.1, "to": 0.45}, [10, 20, 30, 40]),
        (
            "JPY",
            {"endings": [80, 98], "every": 100, "from": 98, "to": 298},
            [98, 180, 198, 280, 298],
        ),
        ("KWD", {"step": 0.005, "from": 1, "to": 1.01}, [1000, 1005, 1010]),
    ],
)
def test_ladders(currency: str, ladder: dict[str, Any], points: list[int]) -> None:
    found = rules_of({"currency": currency, "ladder": ladder}).points

    assert found.dtype == np.int64
    assert found.tolist() == points


@pytest.mark.parametrize(
    ("change", "field", "fault"),
    [
        ({"currency": "EU"}, "currency", "is no currency"),
        ({"colour": 1}, "colour", "not permitted"),
        ({"days": "7"}, "days", "valid integer"),
        ({"margin_floor": 1.0}, "margin_floor", "less than 1"),
        ({"largest_fall": 1.5}, "largest_fall", "less than or equal to 1"),
        ({"largest_rise": -0.1}, "largest_rise", "greater than or equal to 0"),
        ({"largest_rise": float("inf")}, "largest_rise", "finite"),
        ({"largest_rise": 0.1234567}, "largest_rise", "more than 6 decimals"),
        ({"changes_a_night": 1.5}, "changes_a_night", "integer"),
        ({"ladder": {}}, "ladder", "exactly one of"),
        ({"ladder": {"points": []}}, "ladder.points", "at least 1"),
        ({"ladder": {"points": [0.995]}}, "ladder", "more decimals than EUR"),
        ({"ladder": {"points": [0]}}, "ladder.points.0", "greater than 0"),
        ({"ladder": {"points": [1], "step": 1}}, "ladder", "exactly one of"),
        ({"ladder": {"step": 1, "from": 1}}, "ladder", "go with"),
        ({"ladder": {"points": [1], "from": 1, "to": 2}}, "ladder", "go with"),
        ({"ladder": {"step": 1, "every": 2, "from": 1, "to": 2}}, "ladder", "goes with `endings`"),
        ({"ladder": {"step": 1, "from": 3, "to": 2}}, "ladder", "no price is between"),
        ({"ladder": {"endings": [1.0], "from": 1, "to": 2}}, "ladder", "less than `every`"),
        ({"ladder": {"step": 0.01, "from": 1, "to": 1e5}}, "ladder", "more than 100,000"),
        ({"ladder": {"points": [200_000]}}, "ladder", "2^24"),
        ({"ladder": {"points": [1e300]}}, "ladder", "2^53"),
        ({"competitor": {}}, "competitor", "`below`, `above` or both"),
        ({"together": [{"name": "a", "how": "same_price"}]}, "together.0", "two `items` or more"),
        (
            {"together": [{"name": "a", "how": "same_step", "across": "both"}]},
            "together.0",
            "only `across: stores` is",
        ),
        (
            {"together": [{"name": "a", "items": ["x", "x"], "how": "same_price"}]},
            "together.0",
            "twice",
        ),
        (
            {"together": [{"name": "a", "category": "x", "how": "ascending"}]},
            "together.0",
            "list them",
        ),
        (
            {"together": [{"name": "a", "items": "xy", "across": "both", "how": "ascending"}]},
            "together.0.items",
            "tuple",
        ),
        (
            {"together": [{"name": "a", "category": "x", "how": "same_price"}] * 2},
            "together",
            "two groups are called 'a'",
        ),
        (
            {"together": [{"name": "a", "items": ["x"], "category": "c", "how": "same_price"}]},
            "together.0",
            "either `items` or `category`",
        ),
        (
            {
                "together": [
                    {"name": "a", "items": ["x", "y"], "across": "both", "how": "ascending"}
                ]
            },
            "together.0",
            "one store",
        ),
        ({"markdowns": [{"items": ["a"], "ends": "31.8.2026"}]}, "markdowns.0.ends", "2026-01-31"),
        ({"markdowns": [{"ends": "2026-08-31"}]}, "markdowns.0", "either `items` or"),
        (
            {"markdowns": [{"items": ["a"], "ends": "2026-08-31", "floor": 0.001}]},
            "markdowns",
            "`floor` of number 1",
        ),
        ({"priority": ["blocked"]}, "priority", "each of blocked, least_days"),
        ({"approval": {"hours": 1}}, "approval", "`changes`, `share` or both"),
    ],
)
def test_a_wrong_rule_is_named(change: dict[str, Any], field: str, fault: str) -> None:
    with pytest.raises(ConfigError) as caught:
        rules_of(LEAST | change)

    assert field in caught.value.details["faults"]
    assert fault in caught.value.details["faults"][field]
    assert field in caught.value.message


@given(st.integers(0, 100_000_000))
def test_a_share_is_exact(number: int) -> None:
    assert millionths(number / 1e6) == number
