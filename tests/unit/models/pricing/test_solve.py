"""Prices under random rules: none is broken, nothing better exists, and what is refused is named.

``PRICING_CASES`` random shops (300) are held against an independent reading of the rules.
"""

from __future__ import annotations

import os
from itertools import product
from math import prod

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from daybreak.models.pricing.choice.programme import Limits
from daybreak.models.pricing.choice.solve import KEEP
from price_checker import allowed, broken, broken_groups, ladder, steps
from random_prices import Shop, random_shop
from solved_prices import final, misnamed, solved

CASES = int(os.environ.get("PRICING_CASES", "300"))
SEEDS = st.integers(0, 2**40)


def worth(shop: Shop, choice: list[int]) -> int:
    """The gain in thousandths, one by one."""
    return sum(
        round(shop.values[row, to] * 1000) - round(shop.keep[row] * 1000)
        for row, to in enumerate(choice)
        if to != KEEP
    )


@pytest.mark.slow
@settings(max_examples=CASES)
@given(SEEDS)
def test_no_rule_is_broken(seed: int) -> None:
    shop = random_shop(seed)
    rails, solution = solved(shop)

    assert broken(shop.rules, shop.offers, final(shop, solution)) == []
    choice = solution.choice.tolist()
    assert solution.gain == worth(shop, choice) >= 0
    assert solution.changes == sum(one != KEEP for one in choice)
    assert solution.optimal
    assert list(misnamed(shop, rails)) == []


@settings(max_examples=max(CASES // 3, 60))
@given(SEEDS)
def test_nothing_better_exists(seed: int) -> None:
    """Against every choice there is: none gains more, nor as much with fewer or shorter changes."""
    shop = random_shop(seed, stores=2, items=3)
    points = ladder(shop.rules)
    left = [
        [
            KEEP,
            *(
                points.index(p)
                for p in allowed(shop.rules, offer)
                if p != offer["price"]
                and np.isfinite(shop.values[row, points.index(p)])
                and np.isfinite(shop.keep[row])
            ),
        ]
        for row, offer in enumerate(shop.offers)
    ]
    assume(prod(map(len, left)) <= 1500)
    budget = shop.rules.get("changes_a_night", len(left))
    best = (0, 0, 0)
    for choice in product(*left):
        changes = sum(one != KEEP for one in choice)
        gain = worth(shop, list(choice))
        if changes > budget or (gain, -changes) < best[:2]:
            continue
        prices = [
            offer["price"] if one == KEEP else points[one]
            for offer, one in zip(shop.offers, choice, strict=True)
        ]
        if not broken_groups(shop.rules, shop.offers, prices):
            distance = sum(
                abs(steps(points, offer["price"], price))
                for offer, price in zip(shop.offers, prices, strict=True)
            )
            best = max(best, (gain, -changes, -distance))

    _, solution = solved(shop)

    way = sum(
        abs(steps(points, offer["price"], price))
        for offer, price in zip(shop.offers, final(shop, solution), strict=True)
    )
    assert (solution.gain, -solution.changes, -way) == best


@pytest.mark.slow
@settings(max_examples=max(CASES // 3, 60))
@given(SEEDS)
def test_programmes_find_the_same(seed: int) -> None:
    """HiGHS against the exact ways, for all that they can both do."""
    shop = random_shop(seed)
    _, exact = solved(shop)
    _, programmed = solved(shop, Limits(cells=0))

    assert (programmed.gain, programmed.changes) == (exact.gain, exact.changes)
    assert broken(shop.rules, shop.offers, final(shop, programmed)) == []
    assert programmed.optimal
    assert all(part.gap == 0 and part.bound >= part.gain for part in programmed.parts)
