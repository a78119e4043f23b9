"""The share of the trees in a forecast, where they are right, wrong or absent."""

from __future__ import annotations

import numpy as np
import pytest

from daybreak.models.sales_forecast.features.layout import FEATURES
from daybreak.models.sales_forecast.formulas import FORMULAS, USUAL, blended, margins_of
from daybreak.models.sales_forecast.learn.blend import blend_of
from daybreak.models.sales_forecast.learn.sampling import Sample
from daybreak.models.sales_forecast.link import SCORES, link

ROWS = 4000
SIZE = 5.0


def sample(seed: int = 1) -> Sample:
    """Days whose units are spread around a level; the last 56 days saw it twice as high."""
    random = np.random.default_rng(seed)
    features = np.zeros((ROWS, len(FEATURES)), np.float32)
    for name, value in (
        ("scale", SIZE),
        ("open", 1),
        ("horizon", 1),
        ("day_factor", 1),
        ("p10_56", 1.2),
        ("p50_56", 2),
        ("p90_56", 2.8),
        ("mean_56", 2),
    ):
        features[:, FEATURES.index(name)] = value
    features[:, FEATURES.index("reference_price")] = np.nan
    units = (SIZE * random.normal(1, 0.3, ROWS)).clip(0).astype(np.float32)
    of_row = np.zeros(ROWS, np.int64)
    return Sample(features, units, of_row, of_row + np.arange(ROWS) % 28, of_row)


RIGHT = np.float32([0.62, 1, 1.38, 1])


def test_trees_that_are_right_stand_alone() -> None:
    margins = np.tile(RIGHT, (ROWS, 1))
    assert blend_of(margins, sample()) == {"baseline": USUAL, "trees": [1.0] * 4}


def test_trees_that_are_wrong_leave_the_formula_alone() -> None:
    found = sample()
    for name, value in zip(("p10_56", "p50_56", "p90_56", "mean_56"), RIGHT, strict=True):
        found.features[:, FEATURES.index(name)] = value
    assert blend_of(np.tile(3 * RIGHT, (ROWS, 1)), found)["trees"] == [0.0] * 4


def test_two_that_err_on_both_sides_are_mixed() -> None:
    low = np.tile(np.float32([0.0, 0.0, 0.0, 0.0]), (ROWS, 1))  # the formula says twice the level
    assert blend_of(low, sample())["trees"][1] == pytest.approx(0.5)
    assert blend_of(low, sample())["trees"][3] == pytest.approx(0.5), "of the mean, too"


def test_each_output_has_a_share_of_its_own() -> None:
    features, margins = sample().features[:5], np.tile(RIGHT, (5, 1))
    shares = np.float32([1, 0.5, 1, 0])
    mixed = blended(margins, features, {"blend": {"baseline": USUAL, "trees": shares.tolist()}})
    of_formula = np.float32([1.2, 2, 2.8, 2])
    np.testing.assert_allclose(mixed[0], RIGHT * shares + of_formula * (1 - shares), rtol=1e-6)
    alone = {"blend": {"baseline": USUAL, "trees": [1.0] * 4}}
    assert blended(margins, features, alone) is margins


def test_what_one_day_says_is_not_enough() -> None:
    found = sample()
    for name, value in (("p10_56", 0.7), ("p50_56", 1.1), ("p90_56", 1.5)):
        found.features[:, FEATURES.index(name)] = value
    # Far above both, so that the higher one saves more on this day than it loses on all others.
    found.units[found.horizon == 3] = 8 * SIZE
    right = np.tile(RIGHT, (ROWS, 1))
    assert blend_of(right, found)["trees"] == [1.0] * 4


def test_without_days_to_judge_by_the_trees_stand_alone() -> None:
    nothing = sample()
    none = Sample(
        nothing.features[:0],
        nothing.units[:0],
        *(getattr(nothing, name)[:0] for name in ("origin", "horizon", "series")),
    )
    assert blend_of(np.empty((0, 4), np.float32), none)["trees"] == [1.0] * 4


def test_a_mixture_is_the_same_in_any_batch() -> None:
    random = np.random.default_rng(3)
    features = random.random((50, len(FEATURES)), np.float32)
    features[:, FEATURES.index("horizon")] = 1
    margins = random.random((50, len(SCORES)), np.float32)
    manifest = {
        "calibration": {"round": False},
        "blend": {"baseline": USUAL, "trees": [0.75, 0.5, 0.25, 0.0]},
    }
    whole = link(margins, features, manifest)
    for n in range(50):
        alone = link(margins[n : n + 1], features[n : n + 1], manifest)
        assert all(alone[name][0] == whole[name][n] for name in SCORES)
    mixed = blended(margins, features, manifest)
    assert np.array_equal(mixed[:, 3], margins_of(features, manifest["blend"])[:, 3])
    assert np.array_equal(blended(margins, features, {}), margins)


def test_each_formula_has_each_output() -> None:
    assert all(len(outputs) == len(SCORES) for outputs in FORMULAS.values())
