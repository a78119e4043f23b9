"""What a person would expect of odd series, from the panel through trees and link to units.

One model learns from plain Poisson series in two stores, every third with a better Saturday. The
odd ones stand among them, and an item that sells a million a day; each is asked for all 28 days.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import date, timedelta

import numpy as np
import pytest
import xgboost as xgb
from numpy.typing import NDArray

from daybreak.facts.panel import Panel
from daybreak.models.base import Trained
from daybreak.models.sales_forecast.features.assemble import assemble
from daybreak.models.sales_forecast.features.snapshot import snapshot
from daybreak.models.sales_forecast.learn.booster import Learning
from daybreak.models.sales_forecast.learn.train import Options, train_panel
from daybreak.models.sales_forecast.link import SCORES, link
from daybreak.models.sales_forecast.options import DEFAULT_HORIZON as HORIZON

pytestmark = pytest.mark.slow  # it fits a model

DAYS = 400
FIRST, SATURDAY = date(2025, 1, 6), 5  # a Monday, and the first column that is a Saturday
PLAIN = 60
SMALL = Options(
    origins=24,
    rows=12_000,
    held_out_rows=3000,
    learning=Learning(rounds=60, least_rounds=40, patience=5, eta=0.15),
    threads=1,
)

Units = NDArray[np.float32]
Odd = tuple[Callable[[np.random.Generator], Units], dict[str, tuple[float, float]]]


def at(level: float, first: int = 0) -> Callable[[np.random.Generator], Units]:
    """Poisson sales with a first row on the day ``first``."""

    def units(rng: np.random.Generator) -> Units:
        sold = rng.poisson(level, DAYS).astype(np.float32)
        sold[:first] = np.nan
        return sold

    return units


def but(
    units: Callable[[np.random.Generator], Units], first: int, last: int, value: float
) -> Callable[[np.random.Generator], Units]:
    """The same with ``value`` from ``first`` days before the end to before ``last``."""

    def changed(rng: np.random.Generator) -> Units:
        sold = units(rng)
        sold[DAYS - first : DAYS - last] = value
        return sold

    return changed


def weekly(rng: np.random.Generator) -> Units:
    sold = rng.poisson(8, DAYS).astype(np.float32)
    sold[SATURDAY::7] = rng.poisson(30, len(sold[SATURDAY::7]))
    return sold


NOTHING = dict.fromkeys(SCORES, (0.0, 0.0))
ALMOST_NOTHING = {"p10": (0, 0), "p50": (0, 0), "p90": (0, 0), "mean": (0, 0.1)}
# Bounds of each output on average over the days ahead.
ODD: dict[str, Odd] = {
    "rows of 0": (at(0), NOTHING),
    "five weeks of rows of 0": (at(0, DAYS - 35), NOTHING),
    "a week of rows of 0": (at(0, DAYS - 7), ALMOST_NOTHING | {"p90": (0, 1), "mean": (0, 0.3)}),
    "one sale ever": (but(at(0), 150, 149, 3), ALMOST_NOTHING),
    "one sale ever, of thousands, this month": (but(at(0), 12, 11, 5000), ALMOST_NOTHING),
    "constant": (
        but(at(0), DAYS, 0, 10),
        {"p10": (8, 10), "p50": (9, 11), "p90": (10, 13), "mean": (9, 11)},
    ),
    "dead for 100 days": (but(at(10), 100, 0, 0), ALMOST_NOTHING),
    "one huge order": (
        but(at(10), 20, 19, 10_000),
        {"p50": (7, 13), "p90": (10, 18), "mean": (7, 13)},
    ),
    "a million elsewhere": (at(2), {"p50": (1, 3), "p90": (2, 6), "mean": (1.3, 3)}),
    "new, a few days": (at(12, DAYS - 5), {"p50": (7, 17), "mean": (7, 17)}),
    "closed for months, as rows of 0": (
        but(at(20), 126, 6, 0),
        {"p50": (14, 26), "mean": (14, 26)},
    ),
    "opened a week ago, rows of 0 before": (
        but(at(20), DAYS, 7, 0),
        {"p50": (14, 26), "mean": (14, 26)},
    ),
    "closed for months, as planned": (at(20), {"p50": (14, 26), "mean": (14, 26)}),
    "a gap in the rows": (but(at(15), 30, 10, 0), {"p50": (11, 19), "mean": (11, 19)}),
    "weekly pattern": (weekly, {"p50": (8, 14), "mean": (8, 14)}),
}
GIANT = 1e6


@pytest.fixture(scope="module")
def panel() -> Panel:
    rng = np.random.default_rng(11)
    levels = rng.gamma(0.8, 8, PLAIN) + 0.02
    plain = [at(level)(rng) for level in levels for _ in range(2)]
    for sold in plain[::3]:
        sold[SATURDAY::7] *= 2
    giants = [rng.normal(GIANT, GIANT / 20, DAYS).round().astype(np.float32) for _ in range(2)]
    odd = [make(rng) for make, _ in ODD.values()]
    n = len(plain) + len(giants) + len(odd)
    names = [f"{k // 2:03}" for k in range(len(plain))] + ["a million elsewhere", "giant"]
    is_open = np.ones((n, DAYS + HORIZON), bool)
    shut = len(plain) + len(giants) + list(ODD).index("closed for months, as planned")
    is_open[shut, DAYS - 180 : DAYS] = False
    units = np.stack([*plain, *giants, *odd])
    units[~is_open[:, :DAYS]] = 0
    wide = np.zeros(is_open.shape, np.float32)
    return Panel(
        store_ids=np.array(["A", "B"] * (n // 2) + ["A"] * (n % 2), object),
        item_ids=np.array([*names, *ODD], object),
        categories=np.full(n, "food", object),
        first_date=FIRST,
        units=units,
        price=np.full_like(wide, np.nan),
        promotion=wide,
        open=is_open,
        holiday=wide,
        public_holiday=np.zeros(DAYS + HORIZON, bool),
        covariates={},
        planned=frozenset(),
    )


@pytest.fixture(scope="module")
def trained(panel: Panel) -> Trained:
    # By seed, the mean of the only series with such Saturdays is 30 to 39 after so few trees.
    return train_panel(panel, seed=1, options=SMALL)


def forecast(panel: Panel, trained: Trained) -> dict[str, Units]:
    """Each output (n, HORIZON)."""
    rows = np.repeat(np.arange(len(panel)), HORIZON)
    days = np.tile(np.arange(1, HORIZON + 1), len(panel))
    features = assemble(snapshot(panel), panel.business_date, days, rows)
    booster = xgb.Booster(model_file=bytearray(trained.booster))
    margins = booster.inplace_predict(features, predict_type="margin")
    scores = link(margins, features, trained.manifest)
    return {name: values.reshape(-1, HORIZON) for name, values in scores.items()}


@pytest.fixture(scope="module")
def units(panel: Panel, trained: Trained) -> dict[str, Units]:
    return forecast(panel, trained)


@pytest.mark.parametrize("name", ODD)
def test_an_odd_series_is_forecast_as_a_person_would(
    panel: Panel, units: dict[str, Units], name: str
) -> None:
    row = panel.item_ids.tolist().index(name, -len(ODD))

    for output, (low, high) in ODD[name][1].items():
        found = units[output][row]
        assert low <= found.mean() <= high, f"{output}: {found}"
        # Sixty trees are rough, and a week has its pattern: a single day may be further off.
        assert low / 3 <= found.min() <= found.max() <= high * 3, f"{output}: {found}"


def test_a_weekly_pattern_is_seen(panel: Panel, units: dict[str, Units]) -> None:
    row = panel.item_ids.tolist().index("weekly pattern")
    dates = [panel.business_date + timedelta(days=day) for day in range(1, HORIZON + 1)]
    saturday = np.array([day.weekday() == 5 for day in dates])

    for output in ("p50", "mean"):
        found = units[output][row]
        assert 20 <= found[saturday].mean() <= 38
        assert 6 <= found[~saturday].mean() <= 11


def test_the_giant_is_forecast_too(panel: Panel, units: dict[str, Units]) -> None:
    row = panel.item_ids.tolist().index("giant")

    np.testing.assert_allclose(units["p50"][row], GIANT, rtol=0.15)
    np.testing.assert_allclose(units["mean"][row], GIANT, rtol=0.15)


def test_mean_and_quantiles_agree(units: dict[str, Units]) -> None:
    mean = units["mean"].astype(np.float64)

    assert (mean >= 0.5 * units["p50"]).all()
    assert (mean >= 0.1 * units["p90"]).all()


def test_a_giant_neighbour_moves_no_other_level(panel: Panel) -> None:
    """With the giants cut to 10 a day, levels stay what they are."""
    cut = panel.units.copy()
    giants = np.nanmedian(cut, axis=1) > GIANT / 2
    cut[giants] = 10
    with_giants, without = (snapshot(p)[~giants, 0] for p in (panel, replace(panel, units=cut)))

    np.testing.assert_allclose(with_giants, without, rtol=0.25, atol=0.05)
