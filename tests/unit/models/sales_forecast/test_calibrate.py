"""Offsets: shares around tau, whole units, and totals that agree."""

from __future__ import annotations

import numpy as np
import pytest

from daybreak.models.sales_forecast.learn.calibrate import (
    TOLERANCE,
    by_horizon,
    in_units,
    mean_offset,
    pinball,
    quantile_offset,
    violation,
)

TAUS = (0.1, 0.5, 0.9)


def floats(*values: float) -> np.ndarray:
    return np.array(values, np.float32)


def test_pinball_by_hand() -> None:
    # 3 above by 2 costs 0.9 * 2, 1 below by 4 costs 0.1 * 4: (1.8 + 0.4) / 2.
    assert pinball(floats(5, 1), floats(3, 5), 0.9) == pytest.approx(1.1)


def test_violation_by_hand() -> None:
    actual, forecast = floats(0, 0, 1, 4), floats(0, 1, 1, 1)
    # 1 of 4 lies below, 3 of 4 at or below.
    assert violation(actual, forecast, 0.5, 0.0) == 0
    assert violation(actual, forecast, 0.1, 0.0) == pytest.approx(0.25 - 0.1)
    assert violation(actual, forecast, 0.9, 0.0) == pytest.approx(0.9 - 0.75)
    assert violation(actual, forecast, 0.9, 0.2) == 0


def test_units_are_rounded_half_up_and_never_negative() -> None:
    margin, scale = floats(-1, 0.1, 0.25, 0.6), floats(2, 2, 2, 2)

    assert in_units(margin, 0.0, scale, True).tolist() == [0, 0, 1, 1]
    assert in_units(margin, 0.5, scale, False).tolist() == pytest.approx([0, 1.2, 1.5, 2.2])


@pytest.mark.parametrize("tau", TAUS)
@pytest.mark.parametrize("level", [0.3, 4.0])
@pytest.mark.parametrize("shift", [-0.4, 0.0, 0.7])
def test_a_shifted_quantile_is_brought_back(tau: float, level: float, shift: float) -> None:
    rng = np.random.default_rng(3)
    actual = rng.poisson(level, 20_000).astype(np.float32)
    scale = np.full(len(actual), level, np.float32)
    margin = np.full(len(actual), np.quantile(actual, tau) / level + shift, np.float32)

    offset = quantile_offset(margin, actual, scale, tau, whole=True)

    assert violation(actual, in_units(margin, offset, scale, True), tau, TOLERANCE) == 0


def test_an_offset_that_gains_nothing_stays_at_zero() -> None:
    actual = np.random.default_rng(1).poisson(0.05, 5000).astype(np.float32)
    margin, scale = np.zeros(5000, np.float32), np.ones(5000, np.float32)

    for tau in TAUS:
        assert quantile_offset(margin, actual, scale, tau, whole=True) == 0


def test_half_of_what_the_mean_s_total_lacks_is_added() -> None:
    rng = np.random.default_rng(5)
    scale = rng.uniform(0.1, 9, 4000).astype(np.float32)
    margin = rng.normal(0.8, 0.3, 4000).astype(np.float32)
    actual = rng.poisson(scale).astype(np.float32)

    offset = 2 * mean_offset(margin, actual, scale)

    assert in_units(margin, offset, scale, False).sum() == pytest.approx(actual.sum(), rel=1e-4)


def test_without_held_out_rows_nothing_moves() -> None:
    none = floats()
    assert quantile_offset(none, none, none, 0.5, whole=True) == 0
    assert mean_offset(none, none, none) == 0


def test_the_manifest_holds_one_number_a_day_ahead() -> None:
    assert by_horizon(0.25, 42) == [0.25] * 42
