"""By how much items move beside all: planted, of categories, of all alike, and of too little."""

from __future__ import annotations

from dataclasses import replace
from datetime import date

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from daybreak.facts.panel import Panel
from daybreak.models.sales_forecast.features.history import history
from daybreak.models.sales_forecast.features.layout import FEATURES, HISTORY
from daybreak.models.sales_forecast.features.trend import MOST, trend
from daybreak.models.sales_forecast.learn.untrained import of_panel
from random_panels import plain_panel

STORES, ITEMS, AHEAD = 10, 6, 28
SLOPE = HISTORY.index("item_slope")
RISING = np.array([0.15, -0.15, 0.1, -0.1, 0.05, -0.05])
"""Of each item, by 28 days."""

Floats = NDArray[np.float64]


def shop(rising: Floats, days: int = 84, sd: float = 0.2, **changes: object) -> Panel:
    """Six items in ten stores whose demand moves by a share every 28 days; the middle is 20."""
    rng = np.random.default_rng(3)
    item = np.tile(np.arange(ITEMS), STORES)
    wide = (STORES * ITEMS, days + AHEAD)
    mean = 20 * np.exp(rising[item][:, None] * (np.arange(wide[1]) - days) / 28)
    mean *= 1 + 0.3 * (np.arange(wide[1]) % 7 == 5)
    units = rng.poisson(mean * rng.gamma(1 / sd**2, sd**2, wide))[:, :days]
    plain: dict[str, object] = {
        "store_ids": np.repeat([f"S{n}" for n in range(STORES)], ITEMS).astype(object),
        "item_ids": np.array([f"I{n}" for n in item], object),
        "first_date": date(2026, 1, 5),
    }
    return plain_panel(units, AHEAD, **plain | changes)


def slopes(panel: Panel) -> Floats:
    """Of each item."""
    found = history(panel, panel.days - 1)[0][:, SLOPE]
    assert (found.reshape(STORES, ITEMS) == found[:ITEMS]).all(), "one item, one slope"
    return found[:ITEMS]


def learned(panel: Panel) -> dict[str, float]:
    """What the version without trees follows."""
    found: dict[str, float] = of_panel(panel).trained.manifest["effects"]
    return found


def test_planted_slopes_are_found() -> None:
    assert slopes(shop(RISING)) == pytest.approx(RISING, abs=0.05)


def test_what_all_items_have_in_common_is_left_out() -> None:
    assert abs(slopes(shop(np.full(ITEMS, 0.3)))).max() < 0.03
    assert slopes(shop(RISING + 0.2)) == pytest.approx(RISING, abs=0.06)


def test_items_that_do_not_move_have_no_slope() -> None:
    assert abs(slopes(shop(np.zeros(ITEMS)))).max() < 0.03


def test_a_category_moves_together() -> None:
    categories = np.where(np.arange(STORES * ITEMS) % ITEMS < 3, "a", "b").astype(object)
    found = slopes(shop(np.array([0.2] * 3 + [-0.2] * 3), categories=categories))
    assert found == pytest.approx([0.2] * 3 + [-0.2] * 3, abs=0.06)
    assert found[:3].std() < 0.02, "its items do not differ, so what they say is noise"


def test_of_less_than_four_weeks_nothing_is_said() -> None:
    assert (slopes(shop(RISING, days=27)) == 0).all()
    assert (slopes(shop(RISING, days=28)) != 0).any()


def test_one_large_series_does_not_decide_on_its_item() -> None:
    panel = shop(np.zeros(ITEMS))
    units = panel.units.copy()
    units[0] = 5000 * (1 + np.arange(panel.days) / 84)
    assert abs(slopes(replace(panel, units=units))[0]) < 0.15


def test_a_young_shop_follows_trends_as_far_as_its_last_weeks_did() -> None:
    assert learned(shop(RISING, days=70))["trend"] > 0.6
    assert learned(shop(np.zeros(ITEMS), days=70)).get("trend", 0) < 0.3
    back = shop(RISING, days=70)
    units = back.units.copy()
    units[:, -28:] = back.units[:, :28]  # what rose fell again
    assert learned(replace(back, units=units)) == {"trend": 0}


def test_a_shop_of_few_weeks_follows_nothing() -> None:
    assert learned(shop(RISING, days=28)) == {}
    assert learned(shop(RISING, days=50)) == {"trend": 0}


def test_weeks_have_no_slope() -> None:
    assert (slopes(shop(RISING, step=7)) == 0).all()


def test_one_item_has_no_trend_beside_itself() -> None:
    panel = shop(RISING, days=70)
    alone = replace(panel, item_ids=np.full(len(panel), "I", object))
    assert (history(alone, alone.days - 1)[0][:, SLOPE] == 0).all()
    assert learned(alone) == {"trend": 0}


@given(
    slope=st.floats(-100, 100, width=32),
    ahead=st.integers(1, 92),
    observed=st.integers(0, 56),
)
def test_a_trend_doubles_or_halves_a_level_at_most(slope: float, ahead: int, observed: int) -> None:
    found = trend(*(np.float32([value]) for value in (slope, ahead, observed)))
    assert found.dtype == np.float32
    assert 1 / MOST <= found.item() <= MOST
    assert (found.item() >= 1) == (slope >= 0) or observed == 0 or abs(slope) < 1e-6


def test_the_feature_is_where_the_link_looks_for_it() -> None:
    assert FEATURES.index("item_slope") == SLOPE
