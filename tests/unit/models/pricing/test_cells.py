"""Cells of a panel: what was sold in a week at one price, against a loop over days."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from daybreak.facts.panel import Panel
from daybreak.models.pricing.elasticity.cells import CERTAINLY, FIRST_DAYS, cells_of
from price_panels import priced, shelf_by_loop
from random_panels import random_panel


def slow(panel: Panel) -> dict[tuple[int, int, int], list[float]]:
    """(series, week, half) to units, days, log price and promotion, by a loop over days."""
    found: dict[tuple[int, int, int], list[float]] = defaultdict(lambda: [0.0, 0.0, 0.0, 0.0])
    monday, shelf = panel.first_date.toordinal() - 1, shelf_by_loop(panel)
    for series in range(len(panel)):
        units = panel.units[series]
        said, age = [], 0
        for day in range(panel.days):
            age += not np.isnan(units[day])
            settled = not np.isnan(units[0]) or age * panel.step > FIRST_DAYS
            priced = shelf[series, day] > 0
            if settled and priced and panel.open[series, day] and not np.isnan(units[day]):
                said.append(day)
        usual = sum(float(units[day]) for day in said) / max(len(said), 1)
        runs: list[list[int]] = [[]]
        for day in said:
            runs[-1].append(day) if units[day] == 0 else runs.append([])
        gone = {day for run in runs if len(run) * usual >= CERTAINLY for day in run}
        half, before, week = 0, None, None
        for day in (day for day in said if day not in gone):
            at = (monday + day * panel.step) // 7 - monday // 7
            now = (float(np.log(shelf[series, day])), float(panel.promotion[series, day]))
            if at != week:
                half = 0
            elif abs(now[0] - before[0]) > 1e-4 or now[1] != before[1]:
                half = 1
            cell = found[series, at, half]
            for place, value in enumerate((float(units[day]), 1.0, *now)):
                cell[place] += value
            before, week = now, at
    return found


@pytest.mark.parametrize("step", [1, 7])
@given(seed=st.integers(0, 10_000))
def test_cells_are_what_a_loop_over_days_finds(step: int, seed: int) -> None:
    panel = random_panel(seed, days=60, stores=1, step=step)
    # Of weekday factors there is a test of its own; here each day is worth the same.
    if step == 1:
        panel = replace(panel, units=np.where(panel.units > 0, 1, panel.units).astype(np.float32))
    cells, wanted = cells_of(panel), slow(panel)
    keys = [*zip(cells.series.tolist(), cells.week.tolist(), strict=True)]
    halves = [int(n > 0 and keys[n - 1] == key) for n, key in enumerate(keys)]
    # The second half of a week may be all that there is of it.
    listed = sorted(wanted)
    assert [key[:2] for key in listed] == keys
    units = np.array([wanted[key][0] for key in listed])
    np.testing.assert_allclose(cells.units, units)
    assert len(halves) == len(listed)
    if step == 7:
        days = np.array([wanted[key][1] for key in listed])
        np.testing.assert_allclose(cells.exposure, days)
        np.testing.assert_allclose(
            cells.price, [wanted[key][2] for key in listed] / days, rtol=1e-6
        )
        promotion = np.array([wanted[key][3] for key in listed]) / days
        np.testing.assert_allclose(cells.promotion, promotion, rtol=1e-6)


def test_a_week_in_which_the_price_changes_has_two_cells() -> None:
    price = np.full(28, 2.0)
    price[10:] = 3.0  # the Thursday of the second week
    cells = cells_of(priced(np.full((1, 28), 4.0), price))
    assert cells.week.tolist() == [0, 1, 1, 2, 3]
    np.testing.assert_allclose(cells.units, [28, 12, 16, 28, 28])
    np.testing.assert_allclose(np.exp(cells.price), [2, 2, 3, 3, 3], rtol=1e-6)


def test_a_closed_saturday_is_worth_what_saturdays_are() -> None:
    units = np.tile([4.0, 4, 4, 4, 4, 20, 0], 20)[None]
    is_open = np.tile([True] * 6 + [False], 20)[None]
    is_open[0, 5] = False
    units[0, 5] = 0
    cells = cells_of(priced(units, open=is_open))
    rate = cells.units / cells.exposure
    assert rate[0] == pytest.approx(rate[1], rel=0.05)


def test_the_first_weeks_of_a_new_item_say_nothing() -> None:
    units = np.full((2, 84), 5.0)
    units[1, :42] = np.nan
    cells = cells_of(priced(units))
    assert cells.week[cells.series == 1].min() == 10
    assert (cells.series == 0).sum() == 12


def test_days_on_which_it_was_not_there_are_no_demand_of_nothing() -> None:
    units = np.full((2, 70), 10.0)
    units[0, 30:40] = 0  # a shortage
    units[1] = np.tile([1.0, 0, 0, 0, 0], 14)  # seldom sold
    cells = cells_of(priced(units))
    assert (cells.by_series(cells.exposure) < 61).tolist() == [True, False]
    np.testing.assert_allclose(
        cells.units[cells.series == 0] / cells.exposure[cells.series == 0], 10, rtol=0.1
    )


def test_without_a_price_there_is_no_cell() -> None:
    panel = priced(np.full((3, 28), 4.0))
    price = panel.price.copy()
    price[0], price[1] = np.nan, 0.0
    assert set(cells_of(replace(panel, price=price)).series.tolist()) == {2}
