"""The backtest's numbers against fractions worked by hand, and baselines by hand."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, timedelta

import numpy as np
import pandas as pd
import pytest

from daybreak.models.sales_forecast.learn import evidence
from daybreak.models.sales_forecast.learn.backtest import bars, origins_of, volume_classes
from daybreak.models.sales_forecast.learn.baselines import baselines
from daybreak.models.sales_forecast.learn.measures import measure, measure_by
from random_panels import random_panel


def table() -> pd.DataFrame:
    return pd.DataFrame(
        {
            "y": [0.0, 4.0, 10.0, 2.0],
            "p10": [0.0, 1.0, 4.0, 3.0],
            "p50": [0.0, 3.0, 8.0, 3.0],
            "p90": [1.0, 6.0, 9.0, 5.0],
            "mean": [0.5, 4.0, 9.0, 3.5],
            "seasonal_naive": [2.0, 4.0, 2.0, 2.0],
            "mean_28": [1.0, 3.0, 6.0, 1.0],
            "median_56": [0.0, 2.0, 8.0, 0.0],
            "empirical_p10": [0.0, 0.0, 2.0, 0.0],
            "empirical_p50": [0.0, 2.0, 8.0, 0.0],
            "empirical_p90": [3.0, 5.0, 12.0, 4.0],
            "shop": ["x", "x", "y", "y"],
        }
    )


def test_every_measure_by_hand() -> None:
    found = measure(table())

    assert found["rows"] == 4
    # errors of p50: 0, 1, 2, 1 over 16 units
    assert found["wape"] == pytest.approx(
        {"model": 4 / 16, "seasonal_naive": 10 / 16, "mean_28": 7 / 16, "median_56": 6 / 16}
    )
    assert found["bias_mean"] == pytest.approx((17 - 16) / 16)
    # p10: .1*(0+3+6) + .9*1 = 1.8; p50: .5*4 = 2; p90: .1*(1+2+3) + .9*1 = 1.5
    assert found["pinball"]["model"] == pytest.approx((1.8 + 2.0 + 1.5) / 4 / 3)
    # p10: .1*(0+4+8+2) = 1.4; p50: .5*6 = 3; p90: .1*(3+1+2+2) = .8
    assert found["pinball"]["empirical"] == pytest.approx((1.4 + 3.0 + 0.8) / 4 / 3)
    assert found["calibration"] == {
        "p10": {"below": 1 / 4, "at_or_below": 2 / 4},
        "p50": {"below": 1 / 4, "at_or_below": 2 / 4},
        "p90": {"below": 3 / 4, "at_or_below": 3 / 4},
    }
    # of the mean: .25 + 0 + 1 + 2.25
    assert found["rmse"]["model"] == pytest.approx((3.5 / 4) ** 0.5)
    assert found["coverage"] == {"level": 80, "model": 2 / 4}


def test_groups_are_pooled_over_their_rows() -> None:
    found = measure_by(table(), "shop")

    assert list(found) == ["x", "y"]
    assert found["x"]["wape"]["model"] == pytest.approx(1 / 4)
    assert found["y"]["wape"]["model"] == pytest.approx(3 / 12)
    assert found["y"]["bias_mean"] == pytest.approx(0.5 / 12)


def test_a_group_that_sold_nothing_has_numbers_all_the_same() -> None:
    found = measure(table().assign(y=0.0, p50=0.0))

    assert found["wape"]["model"] == 0
    assert found["bias_mean"] == 0


def test_baselines_by_hand() -> None:
    base = random_panel(0, days=60, stores=1, items=1)
    is_open = np.ones_like(base.open)
    is_open[0, [59, 52]] = False  # the last day and the same weekday before it
    units = np.arange(60, dtype=np.float32)[None, :] + 1
    units[0, [59, 52]] = 0
    panel = replace(base, units=units, open=is_open)
    selling = [day + 1.0 for day in range(60) if day not in (59, 52)]

    found = baselines(panel)

    # Day 60 has the weekday of 53, 61 that of 54 ... and 66 that of 59 and 52, so of 45.
    assert found["seasonal_naive"][0, :8].tolist() == [54, 55, 56, 57, 58, 59, 46, 54]
    assert found["mean_28"][0, 0] == pytest.approx(np.mean(selling[-28:]))
    assert found["median_56"][0, 27] == pytest.approx(np.median(selling[-56:]))
    for name, tau in (("p10", 0.1), ("p90", 0.9)):
        expected = np.quantile(selling[-56:], tau)
        assert found[f"empirical_{name}"][0, 3] == pytest.approx(expected)


def test_baselines_see_nothing_after_the_origin() -> None:
    panel = random_panel(8)
    changed = replace(panel, units=panel.units.copy())
    changed.units[:, -30:] = 1000

    for name, values in baselines(panel, panel.days - 31).items():
        np.testing.assert_array_equal(baselines(changed, panel.days - 31)[name], values)


def test_the_seasonal_naive_of_weeks_is_the_latest_one() -> None:
    panel = random_panel(8, days=60, step=7)
    sold = panel.open[:, : panel.days] & ~np.isnan(panel.units)
    latest = panel.days - 1 - sold[:, ::-1].argmax(axis=1)
    # A long run of zeros that sales ended is left out of the selling weeks.
    recent, known = np.nan_to_num(panel.units)[:, -14:], sold[:, -14:]
    plain = sold.any(axis=1) & (recent > 0).all(axis=1, where=known)

    naive = baselines(panel)["seasonal_naive"]

    expected = panel.units[np.arange(len(panel)), latest]
    assert plain.any()
    np.testing.assert_array_equal(naive[plain], expected[plain, None].repeat(panel.ahead, axis=1))


def test_volume_classes_cut_at_shares_of_all_units() -> None:
    base = random_panel(0, days=60, stores=1, items=4)
    units = np.zeros_like(base.units)
    units[:, 0] = [1, 79, 15, 5]

    assert volume_classes(replace(base, units=units)).tolist() == ["C", "A", "A", "B"]


def test_origins_are_horizon_selling_days_apart() -> None:
    is_open = np.array([True] * 6 + [False]).repeat(1)
    is_open = np.tile(is_open, 4)  # 28 days, 24 of them selling; the last is closed

    found = origins_of(date(2026, 3, 28), is_open, 3, 6)

    assert found == [date(2026, 3, 6), date(2026, 3, 13), date(2026, 3, 20)]


def test_bars_name_what_is_missed() -> None:
    found = measure(table())
    passed = bars(found)

    assert passed["wape_under_seasonal_naive"]
    assert passed["bias_of_mean"]
    assert not passed["calibrated_p10"]  # a quarter lies below
    assert not passed["calibrated_p90"]  # only three quarters lie at or below
    assert not passed["pinball_under_empirical"]


def test_the_standard_error_of_a_share_is_that_of_weeks() -> None:
    """Where all weeks have as many rows it is that of the mean of their shares."""
    shares = np.array([0.2, 0.9, 0.5, 0.6, 0.1])
    zero = dict.fromkeys(terms(), 0.0)
    days = {
        (date(2026, 1, 5) + timedelta(days=7 * n + n % 3)).isoformat(): zero
        | {"rows": 40.0, "volume": 1.0, "at_or_below.p90": 40 * share}
        for n, share in enumerate(shares, 1)
    }
    found = evidence.measures(days)
    assert found["calibration"]["p90"]["at_or_below"] == pytest.approx(shares.mean())
    expected = shares.std(ddof=1) / np.sqrt(len(shares))
    assert found["standard_error"]["p90"]["at_or_below"] == pytest.approx(expected)
    assert found["standard_error"]["p90"]["below"] == 0
    sums = days["2026-01-13"]
    one = evidence.measures({"2026-01-13": sums})
    assert one["standard_error"]["p90"] == {"below": None, "at_or_below": None}


def test_days_of_a_week_that_are_alike_are_one_observation() -> None:
    """Three weeks from Monday to Sunday, all days of each with the same share."""
    zero = dict.fromkeys(terms(), 0.0) | {"rows": 10.0, "volume": 1.0}
    days = {
        (date(2026, 1, 5) + timedelta(days=7 * week + n)).isoformat(): zero
        | {"at_or_below.p90": share}
        for week, share in enumerate((2.0, 5.0, 8.0))
        for n in range(7)
    }
    found = evidence.measures(days)["standard_error"]["p90"]["at_or_below"]
    assert found == pytest.approx(0.3 / 3**0.5)


def test_where_weeks_agree_by_chance_days_are_observations() -> None:
    """Two weeks of the same share, whose days have 0.2 and 0.8 of their rows each."""
    zero = dict.fromkeys(terms(), 0.0) | {"rows": 10.0, "volume": 1.0}
    days = {
        f"2026-01-{day:02}": zero | {"at_or_below.p90": share}
        for day, share in ((5, 2.0), (6, 8.0), (12, 2.0), (13, 8.0))
    }
    found = evidence.measures(days)["standard_error"]["p90"]["at_or_below"]
    assert found == pytest.approx(0.3 * (4 / 3) ** 0.5 / 2)
    one_week = {day: sums for day, sums in days.items() if day < "2026-01-10"}
    found = evidence.measures(one_week)["standard_error"]["p90"]["at_or_below"]
    assert found == pytest.approx(0.3)


def test_a_rival_is_compared_week_by_week_on_the_same_rows() -> None:
    ours, theirs = np.array([2.0, 5.0, 3.0, 4.0]), np.array([3.0, 4.0, 6.0, 6.0])
    days = {
        (date(2026, 1, 5) + timedelta(days=7 * n)).isoformat(): dict.fromkeys(terms(), 0.0)
        | {"rows": 10.0, "volume": 20.0, "error.model": ours[n], "error.mean_28": theirs[n]}
        | {"pinball.model.p10": ours[n], "pinball.weekday_28.p10": theirs[n]}
        for n in range(4)
    }
    gap = ours - theirs

    found = evidence.measures(days)["behind"]

    for name, per in (("mean_28", 20), ("weekday_28", 30)):
        assert found[name]["difference"] == pytest.approx(gap.mean() / per)
        assert found[name]["standard_error"] == pytest.approx(gap.std(ddof=1) / 2 / per)
    of_one_week = evidence.measures({"2026-01-05": days["2026-01-05"]})["behind"]["mean_28"]
    assert of_one_week == {"difference": pytest.approx(-0.05), "standard_error": None}


def terms() -> list[str]:
    """Names of the sums of a day."""
    whose = ("model", *evidence.POINTS)
    rivals = (f"pinball.{name}" for name in evidence.RIVALS)
    of_quantiles = ("below", "at_or_below", "pinball.model", *rivals)
    return [
        *("rows", "volume", "mean"),
        *(f"error.{name}" for name in whose),
        *(f"{what}.{name}" for what in of_quantiles for name in evidence.QUANTILE_NAMES),
    ]
