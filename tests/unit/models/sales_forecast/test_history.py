"""History features: against a slow oracle, and blind to everything after the origin."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from daybreak.models.sales_forecast.features import recent
from daybreak.models.sales_forecast.features.assemble import assemble
from daybreak.models.sales_forecast.features.groups import code
from daybreak.models.sales_forecast.features.layout import (
    CHANNELS,
    FEATURES,
    HISTORY,
    channel_starts,
    features,
    layout,
)
from daybreak.models.sales_forecast.features.recent import gather, quantiles
from daybreak.models.sales_forecast.features.snapshot import snapshot
from daybreak.models.sales_forecast.options import DEFAULT_HORIZON as HORIZON
from feature_oracle import history_rows, seasons_of
from random_panels import ending_at, plain_panel, random_panel, series_of

LAYOUT = layout(HORIZON)


seeds = st.integers(0, 2**32 - 1)


def channel(rows: np.ndarray, name: str) -> np.ndarray:
    start = channel_starts(HORIZON)[CHANNELS.index(name)]
    return rows[:, start : start + HORIZON]


@settings(max_examples=12, deadline=None)
@given(
    seed=seeds,
    back=st.integers(0, 40),
    days=st.sampled_from([40, 120, 250, 430]),
    step=st.sampled_from([1, 7]),
)
def test_history_agrees_with_an_oracle_that_walks_day_by_day(
    seed: int, back: int, days: int, step: int
) -> None:
    panel = random_panel(seed, days, step=step)
    origin = max(panel.days - 1 - back, 0)

    rows = snapshot(panel, origin)

    expected = history_rows(panel, origin)
    for place, name in enumerate(HISTORY):
        np.testing.assert_allclose(
            rows[:, place], [row[name] for row in expected], rtol=2e-5, atol=1e-6, err_msg=name
        )


@pytest.mark.parametrize(("step", "days"), [(1, 430), (1, 460), (7, 130), (7, 70)])
@settings(max_examples=4, deadline=None)
@given(seed=seeds)
def test_seasons_agree_with_an_oracle_that_walks_day_by_day(
    step: int, days: int, seed: int
) -> None:
    panel = random_panel(seed, days=days, step=step)
    origin = panel.days - 5

    rows = snapshot(panel, origin)

    expected = np.array(seasons_of(panel, origin))
    for place, name in enumerate(("season", "item_season")):
        np.testing.assert_allclose(channel(rows, name), expected[:, :, place], rtol=2e-5)


@settings(max_examples=10, deadline=None)
@given(seed=seeds, back=st.integers(HORIZON, 60), step=st.sampled_from([1, 7]))
def test_nothing_after_the_origin_changes_a_bit(seed: int, back: int, step: int) -> None:
    panel = random_panel(seed, step=step)
    origin = panel.days - 1 - back
    before = snapshot(panel, origin)
    later = slice(origin + 1, None)
    rng = np.random.default_rng(seed)
    changed = replace(panel, units=panel.units.copy(), price=panel.price.copy())
    changed.units[:, later] = rng.poisson(100, changed.units[:, later].shape)
    far = origin + 1 + HORIZON  # what a plan says of the next 28 days is known, nothing further
    changed.price[:, far:] = 999
    changed.public_holiday[far:] ^= True

    assert snapshot(changed, origin).tobytes() == before.tobytes()


@pytest.mark.parametrize("name", ["price", "promotion", "holiday"])
def test_what_is_not_planned_is_not_read_ahead(name: str) -> None:
    panel = replace(random_panel(3), planned=frozenset())
    origin = panel.days - 20
    changed = replace(panel, **{name: getattr(panel, name).copy()})
    getattr(changed, name)[:, origin + 1 :] += 5

    assert snapshot(changed, origin).tobytes() == snapshot(panel, origin).tobytes()


@settings(max_examples=10, deadline=None)
@given(seed=seeds, back=st.integers(0, 60))
def test_an_earlier_origin_gives_the_bits_of_a_panel_that_ends_there(seed: int, back: int) -> None:
    panel = random_panel(seed)
    origin = panel.days - 1 - back

    assert snapshot(panel, origin).tobytes() == snapshot(ending_at(panel, origin)).tobytes()


def test_a_longer_panel_gives_the_same_bits() -> None:
    long = random_panel(5, days=recent.MEMORY + 60)
    cut = 60
    short = replace(
        long,
        first_date=long.first_date + timedelta(days=cut),
        units=long.units[:, cut:],
        price=long.price[:, cut:],
        promotion=long.promotion[:, cut:],
        open=long.open[:, cut:],
        holiday=long.holiday[:, cut:],
        public_holiday=long.public_holiday[cut:],
        covariates={name: values[:, cut:] for name, values in long.covariates.items()},
    )

    assert snapshot(long).tobytes() == snapshot(short).tobytes()


def test_chunks_of_series_change_no_bit(monkeypatch: pytest.MonkeyPatch) -> None:
    panel = random_panel(11, stores=3)
    whole = gather(panel, panel.days - 1)
    statistics = snapshot(panel)

    monkeypatch.setattr(recent, "SERIES_PER_CHUNK", 5)

    pieces = [gather(panel, panel.days - 1, rows) for rows in recent.chunks(len(panel))]
    assert np.concatenate([piece.units for piece in pieces]).tobytes() == whole.units.tobytes()
    # Sums over a category run across chunks; in float64 and back the float32 bits are the same.
    np.testing.assert_array_equal(snapshot(panel), statistics)


def test_a_series_without_history_takes_its_level_from_the_item_elsewhere() -> None:
    panel = random_panel(2)
    units = np.full_like(panel.units, np.nan)
    units[0] = 6.0  # the first item, in the first store only
    units[~panel.open[:, : panel.days]] = 0
    units[1:] = np.nan
    panel = replace(panel, units=units, promotion=np.zeros_like(panel.promotion))

    rows = dict(zip(LAYOUT, snapshot(panel).T, strict=True))

    assert rows["scale"][4] == pytest.approx(6.0, rel=0.01)  # the same item in the other store
    assert rows["age"][4] == rows["observed"][4] == rows["mean_28"][4] == 0
    assert rows["since_sale"][4] == 56
    assert rows["scale"][3] == pytest.approx(0.02)  # nothing is known of this category at all
    assert np.isfinite(snapshot(panel)[:, HISTORY.index("scale")]).all()


def test_closed_runs_holidays_and_selling_days() -> None:
    base = random_panel(1, stores=1, items=1)
    is_open = np.ones_like(base.open)
    origin = base.days - 1
    is_open[0, [origin + 2, origin + 3, origin + 6]] = False
    holidays = np.zeros_like(base.public_holiday)
    holidays[[origin - 1, origin + 5]] = True
    panel = replace(base, open=is_open, public_holiday=holidays)

    rows = snapshot(panel)

    assert channel(rows, "open")[0, :7].tolist() == [1, 0, 0, 1, 1, 0, 1]
    assert channel(rows, "selling_day")[0, :7].tolist() == [1, 1, 1, 2, 3, 3, 4]
    assert channel(rows, "closed_before")[0, :7].tolist() == [0, 0, 1, 2, 0, 0, 1]
    assert channel(rows, "closed_after")[0, :7].tolist() == [2, 1, 0, 0, 1, 0, 0]
    assert channel(rows, "public_holiday_since")[0, :6].tolist() == [2, 3, 4, 4, 0, 1]
    assert channel(rows, "public_holiday_in")[0, :6].tolist() == [4, 3, 2, 1, 0, 4]


def test_covariates_take_their_slots_in_the_order_of_the_panel() -> None:
    panel = random_panel(4)
    origin = panel.days - 1
    rain = panel.covariates["rain"]
    both = replace(panel, covariates={"rain": rain, "sun": rain + 1})

    rows = snapshot(both)

    np.testing.assert_array_equal(channel(rows, "covariate_1"), rain[:, origin + 1 :])
    np.testing.assert_array_equal(channel(rows, "covariate_2"), rain[:, origin + 1 :] + 1)
    assert np.isnan(channel(rows, "covariate_3")).all()


def test_more_covariates_come_after_everything_else() -> None:
    panel = random_panel(4)
    rain = panel.covariates["rain"]
    some = replace(panel, covariates={f"c{k}": rain + k for k in range(4)})
    more = replace(panel, covariates={f"c{k}": rain + k for k in range(6)}, slots=6)

    few, many = snapshot(some), snapshot(more)
    rows = np.arange(len(panel))

    ahead = len(LAYOUT)
    assert many[:, :ahead].tobytes() == few.tobytes()
    np.testing.assert_array_equal(many[:, ahead + HORIZON :], rain[:, panel.days :] + 5)
    of_few = assemble(few, panel.business_date, rows % HORIZON + 1, rows)
    of_many = assemble(many, panel.business_date, rows % HORIZON + 1, rows, slots=6)
    assert of_many[:, : len(FEATURES)].tobytes() == of_few.tobytes()
    assert features(6)[len(FEATURES) :] == ("covariate_5", "covariate_6")
    planned = rain[rows, panel.days + rows % HORIZON]
    np.testing.assert_array_equal(
        of_many[:, len(FEATURES) :], np.stack([planned + 4, planned + 5], 1)
    )


def test_what_is_known_with_the_sale_only_goes_on_as_it_was() -> None:
    panel = replace(random_panel(4), history_only=frozenset({"rain"}))
    origin = panel.days - 10
    changed = replace(panel, covariates={"rain": panel.covariates["rain"].copy()})
    changed.covariates["rain"][:, origin + 1 :] += 5

    rows = snapshot(panel, origin)

    last = panel.covariates["rain"][:, [origin]]
    np.testing.assert_array_equal(
        channel(rows, "covariate_1"), np.broadcast_to(last, (len(panel), HORIZON))
    )
    assert snapshot(changed, origin).tobytes() == rows.tobytes()


@pytest.mark.parametrize("name", ["price", "promotion", "holiday", "rain"])
def test_a_plan_that_was_not_known_yet_is_not_read(name: str) -> None:
    panel = replace(random_panel(1), planned=frozenset({"price", "promotion", "holiday", "open"}))
    origin, lead = panel.days - 40, 5
    columns = np.arange(panel.days + panel.ahead, dtype=np.float32)
    known_from = {name: np.broadcast_to(columns - lead, panel.price.shape)}
    panel = replace(panel, known_from=known_from)
    values = panel.covariates["rain"] if name == "rain" else getattr(panel, name)
    far = values.copy()
    far[:, origin + lead + 1 :] += 3
    changed = (
        replace(panel, covariates={"rain": far})
        if name == "rain"
        else replace(panel, **{name: far})
    )

    rows = snapshot(panel, origin)

    assert snapshot(changed, origin).tobytes() == rows.tobytes()
    shown = channel(rows, "covariate_1" if name == "rain" else name)
    np.testing.assert_array_equal(shown[:, :lead], values[:, origin + 1 : origin + 1 + lead])
    otherwise = {"price": values[:, [origin + lead]], "rain": np.nan}.get(name, 0)
    np.testing.assert_array_equal(
        shown[:, lead:], np.broadcast_to(otherwise, (len(panel), HORIZON - lead))
    )


@settings(max_examples=30, deadline=None)
@given(seed=seeds, n=st.integers(1, 9), width=st.integers(1, 60))
def test_quantiles_are_numpy_s(seed: int, n: int, width: int) -> None:
    rng = np.random.default_rng(seed)
    values = rng.poisson(3, (n, width)).astype(float)
    known = rng.random((n, width)) < 0.7
    known[:, 0] = True

    found = quantiles(values, known, (0.1, 0.5, 0.9))

    expected = [np.quantile(values[i][known[i]], (0.1, 0.5, 0.9)) for i in range(n)]
    np.testing.assert_allclose(found, expected, rtol=1e-12)


def test_codes_do_not_depend_on_which_other_names_there_are() -> None:
    assert code(np.array(["b", "a"], object))[1] == code(np.array(["a"], object))[0]


def test_names_are_unique() -> None:
    assert len(set(LAYOUT)) == len(LAYOUT)
    assert len(set(FEATURES)) == len(FEATURES)
    assert set(CHANNELS) < set(FEATURES)


def test_empty_panels_have_no_rows() -> None:
    panel = random_panel(1)
    none = series_of(panel, np.zeros(len(panel), bool))

    assert snapshot(none).shape == (0, len(LAYOUT))


@pytest.mark.parametrize(("step", "year"), [(1, 364), (7, 52)])
def test_last_year_is_the_same_weekday_or_week(step: int, year: int) -> None:
    panel = random_panel(6, days=430, step=step)
    rows = snapshot(panel)

    scale = np.maximum(rows[:, HISTORY.index("scale")], np.float32(0.02))
    then = slice(panel.days - year, panel.days - year + HORIZON)
    units = np.where(panel.open[:, then], panel.units[:, then], np.nan)
    np.testing.assert_allclose(channel(rows, "last_year"), units / scale[:, None], rtol=1e-6)


@pytest.mark.parametrize("weeks", [140, 104, 60])
def test_a_year_of_weeks_is_enough_to_know_seasons(weeks: int) -> None:
    """Twice as much in one part of a year as in the other, 70 and 35 a week."""
    week = np.arange(-weeks, HORIZON)
    wave = 1 + np.cos(2 * np.pi * week / 52) / 3
    panel = plain_panel(np.tile(52.5 * wave[:weeks], (3, 1)), step=7)

    season = channel(snapshot(panel), "season")
    # As beside that of 56 weeks, of which the last four count double.
    np.testing.assert_allclose(season, np.tile(wave[weeks:], (3, 1)), rtol=0.12)
    young = plain_panel(panel.units[:, -50:], step=7)
    assert np.isnan(channel(snapshot(young), "season")).all(), "the level is not of a year"


def test_weeks_more_than_a_year_ahead_have_no_last_year() -> None:
    panel = random_panel(6, days=200, ahead=60, step=7)
    origin = panel.days - 1 - panel.ahead
    rows = snapshot(panel, origin)

    assert rows.tobytes() == snapshot(ending_at(panel, origin)).tobytes()
    starts = dict(zip(CHANNELS, channel_starts(panel.ahead), strict=True))
    for name in ("last_year", "season", "item_season"):
        known = ~np.isnan(rows[:, starts[name] : starts[name] + panel.ahead])
        assert known[:, :52].any(axis=0).all(), name
        assert not known[:, 52:].any(), f"{name}: that week is ahead as well"
