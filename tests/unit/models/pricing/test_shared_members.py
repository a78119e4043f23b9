"""Groups that share members, against every choice there is.

Shops in which one move would ask for two of the same price, or of the same group: rare, and found
by a search; and two groups of which neither holds the other.
"""

from __future__ import annotations

from itertools import product
from typing import Any

import numpy as np
import pytest

from daybreak.models.pricing.choice.groups import groups_of
from daybreak.models.pricing.choice.programme import Limits
from daybreak.models.pricing.choice.rails import rails_of
from daybreak.models.pricing.choice.solve import KEEP, solve
from daybreak.prices.rules import rules_of
from price_cases import PLAIN
from price_checker import broken_groups
from random_prices import as_offers

POINTS = [80, 90, 100, 110, 120, 130, 140, 150]


def group(how: str, items: str) -> dict[str, Any]:
    return {"name": f"{how} {items}", "items": list(items), "how": how}


CASES = [
    (
        [80, 90, 150, 120],
        [
            group("same_price", "ba"),
            group("same_price", "cb"),
            group("same_step", "dc"),
            group("same_price", "db"),
        ],
    ),
    (
        [100, 110, 100, 95],
        [group("same_price", "cb"), group("same_price", "bd"), group("same_step", "cda")],
    ),
    (
        [90, 140, 130, 80, 120],
        [group("same_price", "ea"), group("same_step", "ce"), group("same_price", "bac")],
    ),
    # b stands between a and c: each may come to it by itself, or both.
    ([90, 100, 110], [group("same_price", "ab"), group("same_price", "bc")]),
    # Out of order, and each step leaves them so.
    ([110, 100, 100], [group("same_step", "ab"), group("ascending", "ab")]),
    ([106, 101, 100], [group("same_step", "ab"), group("ascending", "ab")]),
]


@pytest.mark.parametrize(("prices", "together"), CASES)
@pytest.mark.parametrize("seed", range(3))
def test_all_groups_hold_and_nothing_gains_more(
    prices: list[int], together: list[dict[str, Any]], seed: int
) -> None:
    random = np.random.default_rng(seed)
    points = POINTS[: 8 if len(prices) < 5 else 6]
    said = {
        "currency": "EUR",
        "objective": "revenue",
        "ladder": {"points": [point / 100 for point in points]},
        "together": together,
    }
    offers = [
        PLAIN | {"item": chr(97 + number), "price": price} for number, price in enumerate(prices)
    ]
    gains = random.integers(-3, 12, (len(prices), len(points)))
    worth = np.array(  # in the order of the choices; those that break no group
        [
            sum(gains[row, to] for row, to in enumerate(choice) if to != KEEP)
            for choice in product(range(KEEP, len(points)), repeat=len(prices))
            if not broken_groups(
                said,
                offers,
                [p if to == KEEP else points[to] for p, to in zip(prices, choice, strict=True)],
            )
            and all(to == KEEP or points[to] != p for p, to in zip(prices, choice, strict=True))
        ]
    )
    rules, shop = rules_of(said), as_offers(offers)
    rails, groups = rails_of(shop, rules), groups_of(shop, rules)
    keep = np.zeros(len(prices))

    for limits in (Limits(), Limits(cells=0)):
        solution = solve(rails, groups, gains.astype(float), keep, limits=limits)
        final = [
            p if to == KEEP else points[to]
            for p, to in zip(prices, solution.choice.tolist(), strict=True)
        ]
        assert broken_groups(said, offers, final) == []
        assert solution.gain == 1000 * worth.max()
        assert solution.optimal
