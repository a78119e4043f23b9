"""The effect of prices, where it is planted, where there is none, and where it cannot be known."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from daybreak.facts.panel import Panel
from daybreak.models.sales_forecast.features.history import history
from daybreak.models.sales_forecast.features.layout import HISTORY
from daybreak.models.sales_forecast.features.prices import MOST_LOWER, lower_by, multiplier
from random_panels import plain_panel

DAYS, ITEMS, AHEAD = 420, 60, 7
EFFECT = HISTORY.index("price_effect")
REFERENCE = HISTORY.index("reference_price")
PRICED = frozenset({"price", "promotion", "open", "holiday"})


def shop(elasticity: dict[str, float], **changes: object) -> Panel:
    """Items whose price changes every six weeks, of two categories with an elasticity of each."""
    random = np.random.default_rng(4)
    wide = (ITEMS, DAYS + AHEAD)
    categories = np.where(np.arange(ITEMS) % 2, "a", "b").astype(object)
    level = np.exp(random.uniform(-0.2, 0.2, (ITEMS, 1 + wide[1] // 42)))
    price = 10 * level.repeat(42, axis=1)[:, : wide[1]]
    power = np.array([elasticity[name] for name in categories])[:, None]
    units = random.poisson(20 * (price / 10) ** -power)[:, :DAYS]
    plain: dict[str, object] = {
        "categories": categories,
        "price": price.astype(np.float32),
        "planned": PRICED,
    }
    return plain_panel(units, AHEAD, **plain | changes)


def effects(panel: Panel) -> np.ndarray:
    """Of each series."""
    return history(panel, panel.days - 1)[0][:, EFFECT]


def test_planted_effects_are_found_for_each_category() -> None:
    panel = shop({"a": 2.0, "b": 0.5})
    found = effects(panel)
    of_a = panel.categories == "a"
    assert found[of_a].mean() == pytest.approx(2.0, rel=0.1)
    assert found[~of_a].mean() == pytest.approx(0.5, rel=0.25)
    assert found[of_a].std() < 0.2, "items of a category do not differ, so what they say is noise"


def test_where_prices_do_nothing_the_effect_is_none() -> None:
    assert effects(shop({"a": 0.0, "b": 0.0})).max() < 0.05
    assert effects(shop({"a": -1.5, "b": -1.5})).max() == 0, "of higher prices nobody buys more"
    mixed = shop({"a": 2.0, "b": -1.5})
    assert (effects(mixed)[mixed.categories == "b"] == 0).all()


def test_prices_that_are_known_with_the_sale_only_have_no_effect() -> None:
    assert (effects(shop({"a": 2.0, "b": 2.0}, planned=frozenset({"open"}))) == 0).all()


def test_levels_are_those_at_the_usual_price() -> None:
    """Half of the days at a lower price: the level is the same at the price of each series."""
    panel = shop({"a": 2.0, "b": 2.0})
    block, _ = history(panel, panel.days - 1)
    at_ten = block[:, HISTORY.index("scale")] * (block[:, REFERENCE] / 10) ** 2
    np.testing.assert_allclose(at_ten, 20, rtol=0.1)
    # Seven days at the latest price, seen at the usual one.
    np.testing.assert_allclose(block[:, HISTORY.index("mean_7")], 1, atol=0.35)


shares = st.floats(-MOST_LOWER, MOST_LOWER, width=32)


@given(effect=st.floats(0, 10, width=32), lower=shares, other=shares)
def test_a_lower_price_never_sells_less(effect: float, lower: float, other: float) -> None:
    of_one, of_other = multiplier(np.float32(effect), np.float32([lower, other]))
    assert of_one > 0
    assert of_one.dtype == np.float32
    assert (of_one >= of_other) or lower < other


@pytest.mark.parametrize(
    ("price", "usual", "share"),
    [(8, 10, 0.2), (12, 10, -0.2), (1, 10, 0.5), (99, 10, -0.5), (1, 0, 0), (np.nan, 1, 0)],
)
def test_a_share_is_bounded_and_0_where_it_is_unknown(
    price: float, usual: float, share: float
) -> None:
    assert lower_by(np.float32([price]), np.float32([usual])) == pytest.approx([share])
