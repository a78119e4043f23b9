"""One day number by number has the bits of the arrays: features, units, plan and source."""

from __future__ import annotations

from datetime import date, timedelta
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from daybreak.models.base import Day, Given, Questions, RowScorer, SnapshotRows
from daybreak.models.sales_forecast.features.layout import HISTORY, channel_starts, channels
from daybreak.models.sales_forecast.features.snapshot import snapshot
from daybreak.models.sales_forecast.link import SCORES
from daybreak.models.sales_forecast.options import DEFAULT_HORIZON as HORIZON
from daybreak.models.sales_forecast.request import ForecastRequest
from daybreak.models.sales_forecast.scorer import ForecastScorer
from random_panels import random_panel

DAY = date(2026, 2, 20)
ROWS = snapshot(random_panel(7))
OFFSETS = {name: [0.01 * day - 0.1 for day in range(HORIZON)] for name in SCORES}
MANIFESTS: dict[str, dict[str, Any]] = {
    "plain": {"calibration": {}},
    "whole": {"calibration": {**OFFSETS, "round": True}},
    "effects": {
        "calibration": OFFSETS,
        "effects": {"season": 0.5, "item_season": 1.0, "trend": 0.25},
    },
    "blend": {
        "calibration": {"round": True},
        "blend": {"baseline": "weekday_56", "trees": [0.5, 1, 1, 0.25]},
    },
}
UNKNOWN = [np.nan, 0.0, 1e-30, 1e30]
"""What a price of a snapshot may be beside an ordinary one."""
KNOWN = ("reference_price", "price_now", "scale", "item_slope", "price_effect")
PLACES = {name: HISTORY.index(name) for name in KNOWN}
MOVING = ("price", "promotion", "open", "season", "item_season")
numbers = st.floats(0, 1e6, width=32)


def scorer(manifest: dict[str, Any], **options: float) -> ForecastScorer:
    artifact = type("Artifact", (), {"manifest": manifest})
    return ForecastScorer(artifact, Day(DAY, {}, options))  # type: ignore[arg-type]


def series(row: np.ndarray) -> SnapshotRows:
    return SnapshotRows((np.array(["S"], object), np.array(["I"], object)), row[None])


def ask(ahead: int = 1, **fields: Any) -> ForecastRequest:
    target_date = DAY + timedelta(days=ahead)
    return ForecastRequest(store_id="S", item_id="I", target_date=target_date, **fields)


def planned_at(name: str, ahead: int) -> int:
    return int(channel_starts(HORIZON)[channels().index(name)]) + ahead - 1


def bits(values: Any) -> bytes:
    """Of all that is unknown the same ones: 0/0 has a sign that means nothing."""
    found = np.asarray(values, np.float32)
    return np.where(np.isnan(found), np.float32(np.nan), found).tobytes()


@pytest.mark.slow
@settings(max_examples=300, deadline=None)
@given(
    manifest=st.sampled_from(sorted(MANIFESTS)),
    place=st.integers(0, len(ROWS) - 1),
    ahead=st.integers(1, HORIZON),
    price=st.none() | numbers | st.just("plan"),
    promotion=st.none() | st.sampled_from([0.0, -0.0, 1.0, 0.3]),
    margins=st.lists(st.floats(-2.0, 1e4, width=32), min_size=4, max_size=4),
    known=st.dictionaries(st.sampled_from(sorted(PLACES)), st.sampled_from(UNKNOWN) | st.just(0.7)),
    plan=st.dictionaries(st.sampled_from(MOVING), st.just(np.nan) | numbers),
)
def test_a_row_has_the_bits_of_the_arrays(
    *,
    manifest: str,
    place: int,
    ahead: int,
    price: float | str | None,
    promotion: float | None,
    margins: list[float],
    known: dict[str, float],
    plan: dict[str, float],
) -> None:
    values = ROWS[place].copy()
    for name, value in known.items():
        values[PLACES[name]] = value
    for name, value in plan.items():
        values[planned_at(name, ahead)] = value
    if price == "plan":
        found = float(values[planned_at("price", ahead)])
        price = found if found >= 0 else None
    asked, one = scorer(MANIFESTS[manifest]), series(values)
    request = ask(ahead, price=price, promotion=promotion)
    with np.errstate(all="ignore"):
        rows = asked.rows(Given(one), Questions.of([request]))
        columns = rows.answers(np.array([margins], np.float32)).columns
        row = asked.row(one, request)
        assert row is not None
        assert bits(row.features) == bits(rows.features)
        assert row.source == rows.remarks(0).source
        prediction = row.prediction(np.array([margins], np.float32))

    finite = all(np.isfinite(columns[name]).all() for name in SCORES)
    assert (prediction is not None) == finite
    if prediction is None:
        return
    for name, column in columns.items():
        if column.dtype.kind == "f":
            assert bits(prediction.get(name, np.nan)) == bits(column[0]), name
            assert (name in prediction) == (not np.isnan(column[0]))
        else:
            assert str(prediction[name]) == str(column[0])
    assert prediction.keys() <= columns.keys()


def test_only_one_published_day_has_a_row() -> None:
    asked, one = scorer(MANIFESTS["plain"]), series(ROWS[0])
    days = ForecastRequest(store_id="S", item_id="I", horizon="all")
    for request in (ask(0), ask(HORIZON + 1), ask(prices=[1.0, 2.0]), days):
        assert asked.row(one, request) is None
    assert scorer(MANIFESTS["plain"], period_days=7).row(one, ask()) is None
    assert isinstance(asked, RowScorer)


def test_a_day_without_an_offset_is_left_to_what_says_so() -> None:
    short = {"calibration": {name: [0.0] for name in SCORES}}
    row = scorer(short).row(series(np.ones_like(ROWS[0])), ask(2))
    assert row is not None
    assert row.prediction(np.ones((1, 4), np.float32)) is None


@pytest.mark.parametrize("closed", ["open", "scale"])
def test_nothing_is_sold_on_a_closed_day(closed: str) -> None:
    values = np.ones_like(ROWS[0])
    values[PLACES["scale"] if closed == "scale" else planned_at("open", 1)] = 0
    row = scorer(MANIFESTS["whole"]).row(series(values), ask())
    assert row is not None
    prediction = row.prediction(np.ones((1, 4), np.float32))
    assert prediction is not None
    assert [prediction[name] for name in SCORES] == [0] * 4
