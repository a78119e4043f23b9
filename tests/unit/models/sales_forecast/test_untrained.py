"""Versions without trees: promotions with prices, and what a young shop sees in its last weeks."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from daybreak.facts.panel import Panel
from daybreak.models.sales_forecast.features.assemble import assemble
from daybreak.models.sales_forecast.features.snapshot import snapshot
from daybreak.models.sales_forecast.formulas import FORMULAS, answers
from daybreak.models.sales_forecast.learn.untrained import of_panel
from daybreak.models.sales_forecast.link import link
from random_panels import plain_panel

ITEMS, AHEAD = 40, 28
LEAFLET, DEPTH, ELASTICITY = 1.6, 0.2, 1.5
"""A promotion is 20 % off and sells 1.6 times what its price alone would."""


def shop(days: int = 84, level: NDArray[np.float64] | None = None, **changes: Any) -> Panel:
    """Every third week of an item is promoted, from the first day ahead on for a week; regular
    prices move a little."""
    rng = np.random.default_rng(5)
    wide = (ITEMS, days + AHEAD)
    week = (np.arange(wide[1]) - days) // 7
    promoted = (week + np.arange(ITEMS)[:, None]) % 3 == 0
    regular = 10 * np.exp(rng.uniform(-0.1, 0.1, (ITEMS, 1 + wide[1] // 14)))
    regular = regular.repeat(14, axis=1)[:, : wide[1]]
    price = regular * np.where(promoted, 1 - DEPTH, 1.0)
    mean = 20 * (10 / price) ** ELASTICITY * np.where(promoted, LEAFLET, 1.0)
    mean = mean * (np.ones(wide[1]) if level is None else level)
    plain: dict[str, object] = {
        "first_date": date(2026, 1, 5),
        "price": price.astype(np.float32),
        "promotion": promoted.astype(np.float32),
        "planned": frozenset({"price", "promotion", "open", "holiday"}),
    }
    return plain_panel(rng.poisson(mean)[:, :days], AHEAD, **plain | changes)


def asked(panel: Panel, **overrides: Any) -> NDArray[np.float32]:
    """Features of all series on the day ahead."""
    series = np.arange(len(panel))
    rows = snapshot(panel, panel.days - 1)
    return assemble(rows, panel.business_date, np.ones(ITEMS, int), series, overrides)


def mean_of(features: NDArray[np.float32], formula: str) -> float:
    nothing = np.empty((len(features), 0), np.float32)
    return float(link(nothing, features, answers(formula, whole=False))["mean"].mean())


@pytest.mark.parametrize("formula", FORMULAS)
def test_with_prices_a_promotion_sells_what_promotions_do(formula: str) -> None:
    panel = shop()
    promoted = mean_of(asked(panel, promotion=1, price=8), formula)
    plain = mean_of(asked(panel, promotion=0, price=10), formula)
    assert promoted / plain == pytest.approx(LEAFLET * (1 / (1 - DEPTH)) ** ELASTICITY, rel=0.15)
    assert plain == pytest.approx(20, rel=0.15), "the level is that of days without one"
    # A regular price that is lower sells more, by its own effect alone.
    assert 1.05 < mean_of(asked(panel, promotion=0, price=9), formula) / plain < 1.35


def test_without_prices_the_factor_of_the_day_has_the_promotion() -> None:
    unpriced = shop(price=np.full((ITEMS, 84 + AHEAD), np.nan, np.float32))
    promoted, plain = (mean_of(asked(unpriced, promotion=p), "weekday_56") for p in (1, 0))
    assert promoted / plain == pytest.approx(LEAFLET * 1.25**ELASTICITY, rel=0.15)


def test_an_item_that_is_always_promoted_goes_on_as_it_sold() -> None:
    """Its level is one of promoted days: what others sell more in promotions is not added. It has
    been there for ten days, of which its own lift cannot be told."""
    panel = shop()
    always, units = panel.promotion.copy(), panel.units.copy()
    always[0], units[0, :-10] = 1, np.nan
    panel = replace(panel, promotion=always, units=units)
    usual = panel.price[0, panel.days - 10 : panel.days].mean()
    one = asked(panel, promotion=1, price=usual)[:1]
    sold = units[0, -10:].mean()
    assert mean_of(one, "weekday_56") == pytest.approx(sold, rel=0.25)


def test_a_young_shop_whose_level_moved_looks_at_fewer_days() -> None:
    steady = of_panel(shop(112)).trained.manifest
    moved = np.where(np.arange(112 + AHEAD) < 56, 0.4, 1.0)
    assert of_panel(shop(112, moved)).trained.manifest["baseline"] == "weekday_28"
    assert steady["baseline"] == "weekday_56"


def test_formulas_are_measured_on_the_days_before_as_many_as_are_ahead() -> None:
    """Of a week ahead the last week decides, when the month that was odd is over for three."""
    level = np.ones(112 + AHEAD)
    level[112 - 60 : 112 - 32] = 3.0
    panel = shop(112, level)
    wide = slice(112 + 7)
    week = replace(
        panel,
        **{n: getattr(panel, n)[:, wide] for n in ("price", "promotion", "open", "holiday")},
        public_holiday=panel.public_holiday[wide],
    )
    assert of_panel(week).trained.manifest["baseline"] == "weekday_28"


def test_a_shop_of_four_weeks_has_the_usual_formula() -> None:
    manifest = of_panel(shop(28)).trained.manifest
    assert (manifest["baseline"], manifest["effects"]) == ("weekday_56", {})
