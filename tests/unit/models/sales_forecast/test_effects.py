"""How far units follow last year and the trend of their item, where it is planted, where it is
not, and on little evidence."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from daybreak.models.sales_forecast.features.layout import FEATURES
from daybreak.models.sales_forecast.learn.effects import effects_of, effects_of_one_origin
from daybreak.models.sales_forecast.learn.sampling import Sample
from random_panels import plain_panel

LEVEL, SEASON, OF_ITEM = (FEATURES.index(n) for n in ("scale", "season", "item_season"))


def sample(followed: tuple[float, float], days: int = 280, series: int = 40) -> Sample:
    """Series of 20 items whose seasons last year were waves; units follow that much of them."""
    rng = np.random.default_rng(1)
    row, day = (grid.ravel() for grid in np.meshgrid(range(series), range(days), indexing="ij"))
    features = np.full((len(row), len(FEATURES)), np.nan, np.float32)
    for name in ("day_factor", "mean_56", "open"):
        features[:, FEATURES.index(name)] = 1
    features[:, LEVEL] = rng.lognormal(3, 1, series)[row]
    features[:, SEASON] = 1 + 0.3 * np.sin(day / 40)
    features[:, OF_ITEM] = 1 + 0.3 * np.sin(day / 60 + row % 20)
    both = [1 + f * (features[:, p] - 1) for f, p in zip(followed, (SEASON, OF_ITEM), strict=True)]
    mean = features[:, LEVEL] * both[0] * both[1]
    units = rng.poisson(mean * rng.gamma(10, 0.1, len(row))).astype(np.float32)
    return Sample(features, units, day - 1, np.ones_like(day), row)


def effects(found: Sample, step: int = 1) -> tuple[float, float]:
    """Of the season of the category, and of what an item deviates from it."""
    learned = effects_of(found, step, priced=False)
    return learned["season"], learned["item_season"]


@pytest.mark.parametrize("followed", [(1.0, 0.0), (0.6, 1.0), (0.0, 0.4)])
def test_what_is_followed_is_found(followed: tuple[float, float]) -> None:
    assert effects(sample(followed)) == pytest.approx(followed, abs=0.1)


def test_a_season_that_does_not_come_again_is_not_followed() -> None:
    assert effects(sample((0.0, 0.0))) == pytest.approx((0, 0), abs=0.03)
    assert effects(sample((-0.5, 0.0)))[0] == 0, "nor where units go the other way"


def test_of_one_month_nothing_is_learned() -> None:
    assert effects(sample((1.0, 1.0), days=27)) == (0, 0)


def test_of_two_months_that_disagree_little_is_learned() -> None:
    follows, against = (sample((way, 0.0), days=56) for way in (1.0, -0.5))
    first = follows.origin + 1 < 28
    found = replace(follows, units=np.where(first, follows.units, against.units))
    assert effects(found)[0] < 0.3


def test_two_months_that_agree_by_chance_are_not_certain() -> None:
    """Days follow 1, give or take 5; both months follow 1 in the mean, to the last digit."""
    found = sample((0.0, 0.0), days=56, series=1)
    found.features[:, [SEASON, OF_ITEM]] = 1.2, 1
    swing = np.random.default_rng(4).normal(0, 5, 56).reshape(2, 28)
    follows = 1 + (swing - swing.mean(axis=1, keepdims=True)).ravel()
    units = found.features[:, LEVEL] * (1 + 0.2 * follows)
    month = replace(found, units=units.astype(np.float32), origin=np.arange(56), horizon=1)
    assert 0.2 < effects(month)[0] < 0.8


def test_where_no_row_knows_a_year_the_trend_of_the_item_is_followed() -> None:
    """What an item deviates from its category is planted as its trend instead."""
    found = sample((0.0, 1.0))
    found.features[:, FEATURES.index("item_slope")] = found.features[:, OF_ITEM] - 1
    for name, value in (("selling_day", 14), ("observed", 29)):  # together a span of 28 days
        found.features[:, FEATURES.index(name)] = value
    found.features[:, [SEASON, OF_ITEM]] = np.nan
    for priced in (False, True):
        assert effects_of(found, 1, priced=priced) == {"trend": pytest.approx(1, abs=0.1)}
    found.features[0, [SEASON, OF_ITEM]] = 1
    assert set(effects_of(found, 1, priced=False)) == {"season", "item_season"}
    assert effects_of(found, 1, priced=True) == {}
    assert set(effects_of(found, 7, priced=True)) == {"season", "item_season"}, "trees see no weeks"


def of_items(moved: list[float], ratio: list[float]) -> float:
    """The trend that is followed: slopes of items in 20 stores, and units beside those expected."""
    item = np.tile(np.arange(len(moved)), 20)
    found = sample((0.0, 0.0), days=1, series=len(item))
    for name, value in (("selling_day", 14), ("observed", 29)):  # together a span of 28 days
        found.features[:, FEATURES.index(name)] = value
    found.features[:, FEATURES.index("item_slope")] = np.array(moved)[item]
    units = (found.features[:, LEVEL] * np.array(ratio)[item]).astype(np.float32)
    panel = plain_panel(np.ones((len(item), 1)), item_ids=np.array([f"I{n}" for n in item], object))
    return effects_of_one_origin(panel, replace(found, units=units))["trend"]


def test_what_all_items_did_is_no_trend_of_theirs() -> None:
    assert of_items([0.1, 0.2, 0.3], [1.5, 1.5, 1.5]) == pytest.approx(0, abs=1e-6)
    assert of_items([0.2, 0.0, -0.2], [1.5 * r for r in (1.2, 1.0, 0.8)]) == pytest.approx(
        1, abs=0.1
    )


def test_the_stores_of_an_item_are_one_observation() -> None:
    """They followed 2, -1/2, 1/2 and 1 of their trends: 3/4 in the mean, give or take 1/2."""
    assert 0.2 < of_items([0.2, 0.2, -0.2, -0.2], [1.4, 0.9, 0.9, 0.8]) < 0.6


def test_where_nothing_was_sold_nothing_is_followed() -> None:
    nothing_sold = replace(sample((1.0, 1.0)), units=np.zeros(40 * 280, np.float32))
    assert effects(nothing_sold) == (0, 0)


def test_what_the_category_explains_is_not_the_item_s() -> None:
    found = sample((1.0, 0.0))
    found.features[:, OF_ITEM] = found.features[:, SEASON]
    assert effects(found) == pytest.approx((1, 0), abs=0.1)


def test_one_huge_order_is_no_season() -> None:
    found = sample((1.0, 0.0))
    units = found.units.copy()
    units[np.argmin(found.features[:, SEASON])] = 1e6
    assert effects(replace(found, units=units))[0] == pytest.approx(1, abs=0.1)


def test_weeks_are_blocks_of_four() -> None:
    found = sample((1.0, 1.0), days=24)
    assert effects(found, 7) == pytest.approx((1, 1), abs=0.2)
    assert effects(found) == (0, 0)
