"""The link: worked cases, the order of quantiles, and bits that no batch changes."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from numpy.typing import NDArray

from daybreak.errors import ArtifactAltered
from daybreak.models.sales_forecast.features.layout import FEATURES
from daybreak.models.sales_forecast.link import SCORES, link

MARGINS = st.floats(-(2.0**20), 2.0**20, width=32, allow_nan=False, allow_subnormal=False)
NONE: dict[str, Any] = {"calibration": {"round": False}}
BOTH = {"season": 1.0, "item_season": 0.5}


def features(
    scale: float | list[float], horizon: int | list[int] = 1, is_open: float | list[float] = 1
) -> NDArray[np.float32]:
    columns = np.broadcast_arrays(scale, horizon, is_open, 1)
    X = np.full((columns[0].size, len(FEATURES)), np.nan, np.float32)
    for name, values in zip(("scale", "horizon", "open", "day_factor"), columns, strict=True):
        X[:, FEATURES.index(name)] = values
    return X


def one(margins: list[float], manifest: dict[str, Any] = NONE, **known: Any) -> list[float]:
    scores = link(np.array([margins], np.float32), features(**{"scale": 2, **known}), manifest)
    return [scores[name].item() for name in SCORES]


def test_margins_are_multiples_of_the_scale() -> None:
    assert one([0.5, 1, 2, 1.5]) == [1, 2, 4, 3]


def test_margins_are_of_a_usual_day() -> None:
    row = features(2)
    row[:, FEATURES.index("day_factor")] = 1.5
    scores = link(np.array([[0.5, 1, 2, 1.5]], np.float32), row, NONE)
    assert [scores[name].item() for name in SCORES] == [1.5, 3, 6, 4.5]


def test_a_margin_follows_the_seasons_as_far_as_the_version_says() -> None:
    row = features(2)
    row[:, FEATURES.index("season")] = 1.5
    row[:, FEATURES.index("item_season")] = 0.5
    for effects, expected in (({"season": 0.5}, 1.25), ({"item_season": 1.0}, 0.5), (BOTH, 1.125)):
        scores = link(np.ones((1, 4), np.float32), row, NONE | {"effects": effects})
        assert scores["mean"].item() == 2 * expected
    row[:, FEATURES.index("item_season")] = np.nan
    scores = link(
        np.ones((1, 4), np.float32), row, NONE | {"effects": {"season": 1, "item_season": 1.0}}
    )
    assert scores["mean"].item() == 3, "what is unknown changes nothing"


def test_a_margin_follows_the_trend_of_its_item_as_far_as_the_version_says() -> None:
    """A tenth more every 28 days: the middle of 57 selling days is 28 before the origin."""
    row = features(2, [1, 28])
    row[:, FEATURES.index("item_slope")] = 0.1
    row[:, FEATURES.index("observed")] = 57
    row[:, FEATURES.index("selling_day")] = [14, 28]
    for effect, expected in ((1.0, [1.15, 1.2]), (0.5, [1.075, 1.1]), (0.0, [1, 1])):
        scores = link(np.ones((2, 4), np.float32), row, NONE | {"effects": {"trend": effect}})
        assert scores["mean"] / 2 == pytest.approx(expected)
    row[:, FEATURES.index("item_slope")] = [9, -9]
    scores = link(np.ones((2, 4), np.float32), row, NONE | {"effects": {"trend": 1}})
    assert [*scores["mean"]] == [4, 1], "no trend doubles or halves a level"


@pytest.mark.parametrize(
    "effects",
    [
        [0.5],
        {"seasons": 1},
        {"season": float("nan")},
        {"trend": -0.1},
        {"trend": "1"},
        {"season": 2},
        {"item_season": True},
        {"trend": None},
    ],
)
def test_effects_that_are_none(effects: object) -> None:
    with pytest.raises(ArtifactAltered, match="effects are not numbers from 0 to 1 by name"):
        one([1, 2, 3, 4], NONE | {"effects": effects})


def test_nothing_is_negative() -> None:
    assert one([-3, -2, -1, -0.5]) == [0, 0, 0, 0]


@pytest.mark.parametrize(
    "order", [(1, 2, 3), (1, 3, 2), (2, 1, 3), (2, 3, 1), (3, 1, 2), (3, 2, 1)]
)
def test_crossing_quantiles_are_put_in_order(order: tuple[int, int, int]) -> None:
    assert one([*order, 9])[:3] == [2, 4, 6]


def test_offsets_are_by_day_ahead_and_output() -> None:
    p90 = [0.0] * 27 + [0.5]
    manifest = {"calibration": {"p90": p90, "mean": [-0.25] * 28}}
    assert one([1, 1, 1, 1], manifest, horizon=27) == [2, 2, 2, 1.5]
    assert one([1, 1, 1, 1], manifest, horizon=28) == [2, 2, 3, 1.5]


def test_counted_units_round_half_up_but_the_mean_does_not() -> None:
    manifest = {"calibration": {"round": True}}
    assert one([0.5, 1.25, 2.2, 1.3], manifest, scale=1) == [1, 1, 2, np.float32(1.3)]


def test_the_mean_agrees_with_the_quantiles() -> None:
    assert one([1, 4, 5, 0.5]) == [2, 8, 10, 4]  # half of P50
    assert one([0, 0, 30, 1]) == [0, 0, 60, pytest.approx(6, rel=1e-5)]  # a tenth of P90
    assert one([0, 0, 30, 4]) == [0, 0, 60, 8]
    rounded = {"calibration": {"round": True}}
    assert one([0, 0.25, 0.25, 0.05], rounded) == [0, 1, 1, 0.5]  # rounding lifted P50 from 0.5


def test_closed_days_sell_nothing() -> None:
    assert one([1, 2, 3, 4], {"calibration": {"p10": [5.0] * 28}}, is_open=0) == [0, 0, 0, 0]


def test_a_manifest_without_a_calibration() -> None:
    with pytest.raises(ArtifactAltered, match="no calibration"):
        one([1, 2, 3, 4], {})


@pytest.mark.parametrize("offsets", [[], [[0.0]] * 28, [float("nan")] * 28, [1e39] * 28])
def test_a_calibration_that_is_no_calibration(offsets: list[object]) -> None:
    with pytest.raises(ArtifactAltered, match="calibration of p50 is no list of finite numbers"):
        one([1, 2, 3, 4], {"calibration": {"p50": offsets}})


@given(
    margins=hnp.arrays(np.float32, (7, 4), elements=MARGINS),
    scale=st.floats(0.0078125, 2.0**20, width=32),
    rounded=st.booleans(),
    season=st.floats(0.125, 8, width=32),
)
def test_a_row_alone_has_the_bits_it_has_in_a_batch(
    margins: NDArray[np.float32], scale: float, rounded: bool, season: float
) -> None:
    calibration = {"p10": [-0.1] * 28, "p90": [0.3] * 28, "round": rounded}
    manifest = {"calibration": calibration, "effects": {**BOTH, "trend": 0.3}}
    X = features(scale, [1, 2, 3, 4, 5, 6, 28], [1, 1, 0, 1, 1, 1, 1])
    X[:4, FEATURES.index("season")] = season
    X[:3, FEATURES.index("item_season")] = 1 / season
    X[:, FEATURES.index("item_slope")] = season / 8
    together = link(margins, X, manifest)
    assert (together["p10"] <= together["p50"]).all()
    assert (together["p50"] <= together["p90"]).all()
    wide = {name: values.astype(np.float64) for name, values in together.items()}
    assert (wide["mean"] >= 0.5 * wide["p50"]).all()
    assert (wide["mean"] >= 0.1 * wide["p90"]).all()
    for name in SCORES:
        assert together[name].dtype == np.float32
        alone = [link(margins[i : i + 1], X[i : i + 1], manifest)[name] for i in range(7)]
        assert np.concatenate(alone).tobytes() == together[name].tobytes()
