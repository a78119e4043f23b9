"""The one function of batch, online and training gives a row the same bits in any company."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, timedelta

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from daybreak.models.sales_forecast.features.assemble import assemble
from daybreak.models.sales_forecast.features.layout import (
    CHANNELS,
    FEATURES,
    HISTORY,
    PROMOTED_FACTOR,
    STATISTICS,
    channel_starts,
    horizon_of,
    layout,
)
from daybreak.models.sales_forecast.features.snapshot import snapshot
from daybreak.models.sales_forecast.options import DEFAULT_HORIZON as HORIZON
from random_panels import random_panel

LAYOUT = layout(HORIZON)


DAY = date(2026, 2, 20)
ROWS = snapshot(random_panel(7))
COLUMN = {name: place for place, name in enumerate(FEATURES)}
pairs = st.lists(
    st.tuples(st.integers(0, len(ROWS) - 1), st.integers(1, HORIZON)), min_size=1, max_size=40
)


def ask(chosen: list[tuple[int, int]], **overrides: object) -> np.ndarray:
    rows, horizons = (np.array(values) for values in zip(*chosen, strict=True))
    return assemble(ROWS, DAY, horizons, rows, overrides or None)  # type: ignore[arg-type]


@settings(max_examples=40, deadline=None)
@given(chosen=pairs, price=st.none() | st.floats(0, 1e6, width=32))
def test_a_row_has_the_same_bits_alone_and_in_any_batch(
    chosen: list[tuple[int, int]], price: float | None
) -> None:
    overrides = {} if price is None else {"price": price}

    together = ask(chosen, **overrides)

    assert together.dtype == np.float32
    for place, pair in enumerate(chosen):
        assert ask([pair], **overrides).tobytes() == together[place].tobytes()


def test_every_value_comes_from_its_place_in_the_snapshot() -> None:
    values = np.arange(2 * len(LAYOUT), dtype=np.float32).reshape(2, -1)

    for horizon in range(1, HORIZON + 1):
        row = dict(
            zip(FEATURES, assemble(values, DAY, np.array([horizon]), np.array([1]))[0], strict=True)
        )
        held = dict(zip(LAYOUT, values[1], strict=True))
        assert [row[name] for name in STATISTICS] == [held[name] for name in STATISTICS]
        dearer = held[f"price_{horizon}"] / held["reference_price"] - 1
        less = 1 / (1 + held["price_effect"] * dearer)
        assert dearer > 0
        assert row["day_factor"] == held[f"promoted_factor_{horizon % 7}"] * less
        assert row["group_factor"] == held[f"promoted_group_factor_{horizon % 7}"]
        assert [row[name] for name in CHANNELS] == [held[f"{name}_{horizon}"] for name in CHANNELS]
        target = DAY + timedelta(days=horizon)
        assert row["weekday"] == target.weekday()
        assert row["horizon"] == horizon
        assert row["price_ratio"] == np.float32(held[f"price_{horizon}"]) / np.float32(
            held["reference_price"]
        )
        assert row["price_change"] == np.float32(held[f"price_{horizon}"]) / np.float32(
            held["price_now"]
        )


def test_an_override_replaces_the_plan_and_what_follows_from_it() -> None:
    values = ROWS.copy()
    values[:, HISTORY.index("reference_price")] = 4
    values[:, HISTORY.index("price_now")] = 5
    price = channel_starts(HORIZON)[CHANNELS.index("price")]
    values[:, price : price + HORIZON] = 4
    values[:, HISTORY.index("price_effect")] = 2
    for name in PROMOTED_FACTOR:
        values[:, HISTORY.index(name)] = 3

    out = assemble(
        values, DAY, np.array([1, 2]), np.array([0, 0]), {"price": [3.0, np.nan], "promotion": 1}
    )

    assert out[:, COLUMN["price"]].tolist() == [3, 4]
    assert out[:, COLUMN["price_ratio"]].tolist() == [0.75, 1]
    assert out[:, COLUMN["price_change"]].tolist() == [np.float32(0.6), np.float32(0.8)]
    assert out[:, COLUMN["promotion"]].tolist() == [1, 1]
    # A quarter cheaper, at an effect of 2: half as much again as on a promoted day.
    assert out[:, COLUMN["day_factor"]].tolist() == [4.5, 3]


@pytest.mark.parametrize("reference", [0.0, np.nan])
def test_a_price_without_a_reference_is_unknown_and_never_infinite(reference: float) -> None:
    values = ROWS.copy()
    values[:, HISTORY.index("reference_price")] = reference

    out = assemble(values, DAY, np.array([1]), np.array([0]), {"price": 2.0})

    assert np.isnan(out[0, COLUMN["price_ratio"]])
    assert out[0, COLUMN["day_factor"]] == values[0, HISTORY.index("day_factor_1")]
    assert not np.isinf(out).any()


def test_what_cannot_be_assembled_is_refused() -> None:
    one = np.array([1])
    with pytest.raises(ValueError, match="'weather' cannot be overridden; price, promotion can"):
        assemble(ROWS, DAY, one, one, {"weather": 1.0})
    with pytest.raises(ValueError, match="Horizons are 1 to 28"):
        assemble(ROWS, DAY, np.array([29]), one)
    with pytest.raises(ValueError, match="Horizons are 1 to 28"):
        assemble(ROWS, DAY, np.array([0]), one)
    with pytest.raises(ValueError, match="A snapshot is float32"):
        assemble(ROWS[:, :-1], DAY, one, one)


def test_no_row_is_asked_for() -> None:
    none = np.empty(0, np.int64)
    assert assemble(ROWS, DAY, none, none).shape == (0, len(FEATURES))


@pytest.mark.parametrize("ahead", [1, 42, 92])
def test_a_longer_horizon_says_the_same_of_its_first_days(ahead: int) -> None:
    panel = random_panel(7, ahead=92)
    shorter = replace(
        panel,
        **{
            name: getattr(panel, name)[..., : panel.days + ahead]
            for name in ("price", "promotion", "open", "holiday", "public_holiday")
        },
        covariates={k: values[:, : panel.days + ahead] for k, values in panel.covariates.items()},
    )
    rows, horizons = np.repeat(np.arange(len(panel)), ahead), np.arange(1, ahead + 1)
    horizons = np.tile(horizons, len(panel))

    short, long = (assemble(snapshot(each), DAY, horizons, rows) for each in (shorter, panel))

    # A holiday, or a closed day, just after the shorter horizon is in the longer one's sight.
    seen = [COLUMN[name] for name in FEATURES if name not in {"closed_after", "public_holiday_in"}]
    assert short[:, seen].tobytes() == long[:, seen].tobytes()
    assert horizon_of(snapshot(shorter)) == ahead


def test_weeks_know_their_place_in_the_year_and_nothing_of_weekdays() -> None:
    values = np.arange(len(LAYOUT), dtype=np.float32)[None]
    values[:, HISTORY.index("price_effect")] = 0
    held = dict(zip(LAYOUT, values[0], strict=True))
    end = date(2025, 12, 20)
    horizons = np.arange(1, 5)

    out = assemble(values, end, horizons, np.zeros(4, int), step=7)

    assert out[:, COLUMN["weekday"]].tolist() == [52, 1, 2, 3], "27 December to 17 January"
    assert out[:, COLUMN["day_factor"]].tolist() == [held["promoted_factor_0"]] * 4
    assert out[:, COLUMN["group_factor"]].tolist() == [held["promoted_group_factor_0"]] * 4
    usual = assemble(values, end, horizons, np.zeros(4, int), {"promotion": 0}, step=7)
    assert usual[:, COLUMN["day_factor"]].tolist() == [held["day_factor_0"]] * 4
    assert usual[:, COLUMN["group_factor"]].tolist() == [held["group_factor_0"]] * 4
    assert out[:, COLUMN["price"]].tolist() == [held[f"price_{n}"] for n in horizons]


def test_covariates_are_found_where_the_snapshot_has_them() -> None:
    panel = random_panel(7)
    rain = panel.covariates["rain"]
    trained = replace(panel, covariates={"rain": rain, "sun": rain + 1})
    grown = replace(panel, covariates={"fog": rain + 2, "rain": rain, "wind": rain + 3})
    horizons, rows = np.arange(1, 9), np.arange(8)

    of_trained = assemble(snapshot(trained), DAY, horizons, rows)
    of_grown = assemble(snapshot(grown), DAY, horizons, rows, covariates=(1, -1))

    same = [COLUMN[name] for name in FEATURES if name != "covariate_2"]
    assert of_grown[:, same].tobytes() == of_trained[:, same].tobytes()
    assert np.isnan(of_grown[:, COLUMN["covariate_2"]]).all()
