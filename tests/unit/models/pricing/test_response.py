"""Responses to prices: the planted ones are found, and nothing that is beside them moves them."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import truncnorm

from daybreak.facts.panel import Panel
from daybreak.models.arrays import pack
from daybreak.models.pricing.elasticity.fit import Fitter
from daybreak.models.pricing.elasticity.hyper import Hyper
from daybreak.models.pricing.elasticity.pooling import Level
from daybreak.models.pricing.response import (
    REFUSED,
    Basis,
    Responses,
    _estimates,
    gathered,
    responses,
    statistics,
)
from daybreak.sources.synthetic import ShopOptions, generate
from price_panels import responding_panel, shop_panel
from random_panels import random_panel

FIELDS = ("elasticity", "low", "high", "own_weight", "basis")


def of(panel: Panel, hyper: Hyper | None = None) -> Responses:
    return responses([statistics([panel])], hyper or Hyper())


def fitter(panel: Panel) -> Fitter:
    cells, tree, _ = gathered([statistics([panel])])
    return Fitter(cells, tree)


def middle(panel: Panel) -> float:
    return float(np.median(of(panel).series.elasticity))


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"elasticity": -0.7},
        {"elasticity": -3.5},
        {"level": 0.3},  # most days and many weeks without a sale
        {"level": 2000.0},
        {"uplift": 1.0},
        {"uplift": 3.0},
        {"step": 7, "days": 104},
        {"season": 0.4},  # the price is raised when demand is high
        {"stores": 1, "items": 30},
        {"stores": 40, "items": 1},
    ],
    ids=str,
)
def test_the_planted_response_is_found(changes: dict[str, float]) -> None:
    wanted = changes.get("elasticity", -2.0)
    found = np.mean([middle(responding_panel(seed, **changes)) for seed in (1, 2, 3)])
    assert found == pytest.approx(wanted, rel=0.1)


@pytest.mark.parametrize("seed", [7, 8, 9])
@pytest.mark.parametrize(("stores", "items", "within"), [(3, 20, 0.25), (8, 60, 0.12)])
def test_the_planted_response_of_the_shop_is_found(
    seed: int, stores: int, items: int, within: float
) -> None:
    """Launches, shortages, school holidays, waves of the year: all but prices is in the way."""
    shop = generate(ShopOptions(seed=seed, stores=stores, items=items))
    found = of(shop_panel(shop))
    true = shop.catalogue.elasticity[shop.truth.item]
    given = ~found.series.refused
    assert given.mean() > 0.9
    assert (found.series.elasticity[given] < 0).all()
    off = found.series.elasticity[given] / true[given] - 1
    assert abs(np.median(off)) < within
    inside = (found.series.low <= true) & (true <= found.series.high)
    assert inside[given].mean() > 0.7  # of 80 %


def test_intervals_hold_what_they_promise() -> None:
    """Elasticities that differ by the variances told: of 80 % intervals 80 % hold the true one."""
    hyper = Hyper(stores=0.01, items=0.5, categories=0.5, noise=0.01, design=1.0)
    held = []
    for seed in range(30):
        rng = np.random.default_rng(seed)
        true = rng.normal(-2.5, 0.5, 6)
        parts = [
            responding_panel(100 * seed + k, e, stores=2, items=1, days=210, level=1.0)
            for k, e in enumerate(true)
        ]
        names = [np.full(2, f"I{k}", object) for k in range(6)]
        panels = [
            replace(part, item_ids=name, store_ids=np.array([f"{k}a", f"{k}b"], object))
            for k, (part, name) in enumerate(zip(parts, names, strict=True))
        ]
        found = responses([statistics(panels)], hyper).series
        held += [*((found.low <= np.repeat(true, 2)) & (np.repeat(true, 2) <= found.high))]
    assert np.mean(held) == pytest.approx(0.8, abs=0.08)


@pytest.mark.parametrize("shards", [1, 4, 13])
def test_the_cut_does_not_show(shards: int) -> None:
    panel = random_panel(3, days=200, stores=8)
    whole = of(panel)
    rows = np.array_split(np.arange(len(panel)), shards)
    parts = [statistics([panel.of_series(some)]) for some in rows]
    found = responses(parts, Hyper())
    for one, other in ((found.series, whole.series), (found.categories, whole.categories)):
        for name in FIELDS:
            assert getattr(one, name).tobytes() == getattr(other, name).tobytes(), name
    halves = [panel.of_series(rows) for rows in np.array_split(np.arange(len(panel)), 2)]
    assert pack(statistics(halves)) == pack(statistics([panel]))


@settings(max_examples=40)
@given(seed=st.integers(0, 10_000), step=st.sampled_from([1, 7]))
def test_demand_never_rises_with_the_price(seed: int, step: int) -> None:
    panel = random_panel(seed, days=150, stores=3, step=step)
    found = of(panel)
    for one in (found.series, found.categories):
        given = ~one.refused
        assert (one.elasticity[given] < 0).all()
        assert (one.low[given] <= one.elasticity[given]).all()
        assert (one.elasticity[given] <= one.high[given]).all()
        assert (one.high[given] <= 0).all()
        for values in (one.elasticity, one.low, one.high):
            assert np.isnan(values[one.refused]).all()
        assert ((one.own_weight >= 0) & (one.own_weight <= 1)).all()
    assert len(found.series.basis) == len(panel)


def test_where_no_price_moved_the_reason_is_said() -> None:
    panel = responding_panel(1)
    still = np.repeat(panel.price[:, :1], panel.price.shape[1], axis=1)
    found = of(replace(panel, price=still))
    assert (found.series.basis == Basis.NOT_MOVED).all()
    assert (found.categories.basis == Basis.NOT_MOVED).all()
    without = of(replace(panel, price=np.full_like(panel.price, np.nan)))
    assert (without.series.basis == Basis.NOT_MOVED).all()


def test_where_prices_hardly_moved_it_is_not_told() -> None:
    panel = responding_panel(1, stores=2, items=3)
    jitter = 1 + 0.002 * np.random.default_rng(1).normal(size=panel.price.shape)
    found = of(replace(panel, price=(2 * jitter).astype(np.float32)))
    assert (found.series.basis >= REFUSED).all()


def test_where_demand_rises_with_the_price_it_is_refused() -> None:
    found = of(responding_panel(1, 1.0))
    assert (found.series.basis == Basis.NOT_FALLING).all()


def test_an_item_whose_price_stays_is_as_its_category() -> None:
    panel = responding_panel(1, -2.5)
    price = panel.price.copy()
    still = panel.item_ids == "I00"
    price[still] = price[still][:, :1]
    found = of(replace(panel, price=price))
    category = found.names.tolist().index("c0")
    assert found.series.own_weight[still].max() == 0
    assert (found.series.basis[still] == Basis.CATEGORY).all()
    assert found.series.elasticity[still][0] == pytest.approx(
        found.categories.elasticity[category], abs=0.15
    )
    assert (found.series.own_weight[~still] > 0.5).all()


def test_a_category_whose_prices_stay_is_as_all() -> None:
    panel = responding_panel(1, -2.5)
    price = panel.price.copy()
    still = panel.categories == "c0"
    price[still] = price[still][:, :1]
    found = of(replace(panel, price=price), Hyper(categories=0.2))
    assert (found.series.basis[still] == Basis.SHOP).all()


def test_an_item_that_is_new_since_a_week_is_answered() -> None:
    panel = responding_panel(1, -2.5)
    units = panel.units.copy()
    new = panel.item_ids == "I03"
    units[new, :-7] = np.nan
    found = of(replace(panel, units=units))
    assert (found.series.own_weight[new] == 0).all()
    assert found.series.elasticity[new][0] == pytest.approx(-2.5, abs=0.5)


def test_what_all_items_of_a_category_do_at_once_may_be_the_weeks() -> None:
    panel = responding_panel(1, -2.0, stores=1, items=8, uplift=1.0)
    together = replace(
        panel,
        price=np.repeat(panel.price[:1], 8, axis=0),
        promotion=np.repeat(panel.promotion[:1], 8, axis=0),
    )
    alone, shared = (
        fitter(one).fit(Hyper(weeks=0.3)).price.items_of_category.common
        for one in (panel, together)
    )
    assert (shared > 5 * alone).all()


def test_rounds_suffice() -> None:
    made = fitter(responding_panel(5))
    short, long = made.fit(Hyper()), made.fit(Hyper(), 64)
    np.testing.assert_allclose(short.price.series.mean, long.price.series.mean, atol=0.01)


def test_answers_are_the_posterior_below_zero() -> None:
    mean, variance = np.array([-3.0, -1.0, -0.5]), np.array([0.1, 0.4, 0.12])
    found = _estimates(Level(mean, variance, np.ones(3)), np.ones(3), np.zeros(3, int))
    deviation = np.sqrt(variance)
    wanted = truncnorm(-np.inf, -mean / deviation, mean, deviation)
    np.testing.assert_allclose(found.elasticity, wanted.mean())
    np.testing.assert_allclose(found.low, wanted.ppf(0.1))
    np.testing.assert_allclose(found.high, wanted.ppf(0.9))


def test_variances_travel_as_options() -> None:
    hyper = Hyper(stores=0.2, items=0.4, noise=0.01)
    assert Hyper.of({**hyper.to_options(), "horizon": 14}) == hyper
    assert Hyper.of({}) == Hyper()
