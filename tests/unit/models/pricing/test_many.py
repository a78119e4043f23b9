"""Some hundred prices with groups and a budget: the exact ways against HiGHS."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from daybreak.models.pricing.choice.groups import groups_of
from daybreak.models.pricing.choice.programme import Limits
from daybreak.models.pricing.choice.rails import rails_of
from daybreak.models.pricing.choice.solve import solve
from price_cases import offers, rules


@pytest.mark.slow
@settings(max_examples=8)
@given(st.integers(0, 2**40))
def test_many_prices_under_a_budget(seed: int) -> None:
    """Families of sizes and groups across stores: tables against HiGHS, some hundred prices."""
    random = np.random.default_rng(seed)
    stores, items = 6, [f"item {n}" for n in range(30)]
    groups = [
        {"name": f"sizes {n}", "items": items[n : n + 5], "how": "ascending"} for n in (0, 5, 10)
    ]
    groups += [
        {"name": f"line {n}", "items": items[n : n + 3], "how": "same_step"} for n in (15, 18)
    ]
    groups += [
        {"name": name, "items": [name], "across": "stores", "how": "same_price"}
        for name in (items[21], items[22], items[5], items[8])  # two of them are sizes, too
    ]
    said = rules(together=groups, largest_rise=0.25, largest_fall=0.25)
    shop = offers(
        *(
            {
                "store": f"store {store}",
                "item": item,
                "price": int(random.choice([80, 90, 100, 110, 120, 95])),
                "cost": int(random.choice([50, 50, 50, 95])),
            }
            for store in range(stores)
            for item in items
        )
    )
    rails, found = rails_of(shop, said), groups_of(shop, said)
    values = random.integers(-30, 60, (len(shop), 5)).astype(float)
    keep = random.integers(0, 30, len(shop)).astype(float)
    for budget in (None, 70, 12):
        exact, programmed = (
            solve(rails, found, values, keep, budget=budget, limits=limits)
            for limits in (Limits(), Limits(cells=0))
        )
        assert exact.optimal
        assert programmed.optimal
        assert (exact.gain, exact.changes) == (programmed.gain, programmed.changes)
        assert budget is None or exact.changes <= budget
        again = solve(rails, found, values, keep, budget=budget)
        assert again.choice.tolist() == exact.choice.tolist()
