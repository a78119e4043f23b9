"""Prices between sales: those of an offer end with it."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from daybreak.facts.panel import Panel
from daybreak.facts.pivot import carried_forward
from daybreak.models.pricing.elasticity.hyper import Hyper
from daybreak.models.pricing.inputs import part_of
from daybreak.models.pricing.response import responses, statistics
from daybreak.models.pricing.shelf import shelf_price
from price_panels import responding_panel, shelf_by_loop
from random_panels import random_panel


def known_by_sales(panel: Panel) -> Panel:
    """Where a price is known only by a sale or, of an offer, by a plan."""
    known = (panel.units > 0) | (panel.promotion[:, : panel.days] > 0)
    price = np.where(known, panel.price[:, : panel.days], np.float32(np.nan))
    return replace(panel, price=carried_forward(price))


@given(st.integers(0, 10_000))
def test_the_shelf_is_what_a_loop_over_days_finds(seed: int) -> None:
    for panel in (random_panel(seed, days=60), known_by_sales(responding_panel(seed, days=60))):
        np.testing.assert_array_equal(shelf_price(panel), shelf_by_loop(panel))


def test_the_price_in_force_is_not_that_of_an_offer_that_ended() -> None:
    plain = responding_panel(1, stores=1, items=3, days=30)
    units, promotion = np.ones((3, 30), np.float32), np.zeros((3, 30), np.float32)
    price = np.full((3, 30), 10, np.float32)
    promotion[:, 20:25], price[:, 20:] = 1, 8  # of two of them nobody bought anything since
    units[:2, 25:] = 0
    price[2, 20:25], promotion[2] = 10, 0  # and one became cheaper for good
    units[1, 28:], price[1, 28:] = 1, 9
    found = part_of([replace(plain, units=units, promotion=promotion, price=price)])
    assert found["usual"].tolist() == [10, 9, 8]
    assert found["since"].tolist() == [-1, 2, 5]


def test_offers_that_are_carried_on_do_not_hide_what_demand_does() -> None:
    """Items that seldom sell, and a plan of offers alone."""
    whole = responding_panel(3, -2.0, stores=12, items=10, level=0.7)
    sparse = responses([statistics([known_by_sales(whole)])], Hyper())
    full = responses([statistics([whole])], Hyper())
    np.testing.assert_allclose(sparse.categories.elasticity, full.categories.elasticity, atol=0.35)
