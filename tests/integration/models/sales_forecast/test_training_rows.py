"""A row that is learned from is the row that a run of that day made: no plan is known too early."""

from __future__ import annotations

from dataclasses import fields
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from sqlalchemy import Engine

from daybreak.clock import AsOf, scheduled_cutoff
from daybreak.facts.panel import Panel
from daybreak.facts.sales import read_panel
from daybreak.facts.series import read_all, read_panels, read_series
from daybreak.models.sales_forecast.features.layout import CHANNELS, channel_starts
from daybreak.models.sales_forecast.features.shards import part_of, rows_of, share
from daybreak.models.sales_forecast.features.snapshot import snapshot
from daybreak.settings import Settings
from daybreak.sources.contract.spec import DatasetSpec, load_spec
from daybreak.sources.load import load_dataset
from daybreak.warehouse.engine import connect

pytestmark = pytest.mark.slow

NOW = datetime(2026, 1, 1, tzinfo=UTC)
FIRST = date(2023, 1, 1)  # a Sunday
AHEAD = 20

SPEC = """\
name: shop
arrival_lag: 1h
calendar: {{timezone: {zone}{period}}}
sales:
  files: ${{HERE}}/sales.csv
  covariates: [rain, sun, staff]
  columns: {{business_date: day, store_id: shop, item_id: item, units: sold, price: price,
    promotion: offer, open: open, rain: rain, sun: sun, staff: staff}}
  known_ahead: {{price: {price}, promotion: {offer}, rain: 7d, staff: false{open}}}
"""


PLAN = """\
plan:
  files: ${HERE}/plan.csv
  columns: {business_date: day, store_id: shop, promotion: offer, known_at: known}
"""


def write(folder: Path, step: int) -> None:
    """Items of two shops; each covariate is different on every day."""
    rng = np.random.default_rng(3)
    lines = ["day,shop,item,sold,price,offer,open,rain,sun,staff"]
    for number in range(130 if step == 1 else 90):
        day = FIRST + timedelta(days=number * step)
        for shop in ("a", "b"):
            rain, sun, staff = rng.normal(size=3).round(3)
            is_open = int(rng.random() < 0.8)
            for item in "xyz":
                price, offer = rng.integers(1, 99), int(rng.random() < 0.3)
                sold = rng.poisson(4) * is_open
                values = (day, shop, item, sold, price, offer, is_open, rain, sun, staff)
                lines.append(",".join(map(str, values)))
    (folder / "sales.csv").write_text("\n".join(lines) + "\n")


def bytes_of(panel: Panel) -> dict[str, Any]:
    """All that a panel says; arrays as their bytes, names as texts."""

    def plain(value: Any) -> Any:
        if isinstance(value, dict):
            return {name: plain(of) for name, of in value.items()}
        if not isinstance(value, np.ndarray):
            return value
        bits = value.tolist() if value.dtype == object else value.tobytes()
        return value.dtype, value.shape, bits

    return {field.name: plain(getattr(panel, field.name)) for field in fields(panel)}


def rows_of_past_runs(
    warehouse: Engine, spec: DatasetSpec, step: int
) -> tuple[Panel, NDArray[np.float32]]:
    """What is learned from, and its rows of an earlier origin, which a run of that day made too."""

    def as_of(day: date) -> AsOf:
        return AsOf(day, scheduled_cutoff(day, Settings().run_at, spec.calendar.timezone))

    with connect(warehouse) as conn:
        last = spec.calendar.end_of(FIRST + timedelta(days=85 * step))
        learned = read_panel(conn, as_of(last), days=80, ahead=AHEAD)
        for at_once in (1, 4):
            filled = read_all(conn, as_of(last), days=80, ahead=AHEAD, at_once=at_once)
            assert bytes_of(filled) == bytes_of(learned)
        for back in (AHEAD, AHEAD + 9):
            origin = learned.days - 1 - back
            day = learned.date_of(origin)
            then = read_panel(conn, as_of(day), days=learned.days - back, ahead=AHEAD)
            assert then.first_date == learned.first_date

            rows = snapshot(learned, origin)

            assert rows.tobytes() == snapshot(then).tobytes()
            series = read_series(conn, as_of(day), days=then.days)
            parts = [part_of([*read_panels(conn, as_of(day), series, days=then.days, ahead=AHEAD)])]
            assert rows_of({**parts[0], **share(parts)[0]}).tobytes() == rows.tobytes()
    return learned, rows


@pytest.mark.parametrize("zone", ["UTC", "Asia/Tokyo", "America/Los_Angeles"])
@pytest.mark.parametrize("opening", ["", ", open: 10d"])
@pytest.mark.parametrize(("step", "price", "offer"), [(1, "28d", "3d"), (7, "35d", "91d")])
def test_rows_of_a_past_origin_are_those_of_a_run_on_that_day(  # noqa: PLR0917
    warehouse: Engine, tmp_path: Path, zone: str, step: int, price: str, offer: str, opening: str
) -> None:
    write(tmp_path, step)
    period = ", period: week, week_starts: monday" if step == 7 else ""
    file = tmp_path / "mine.yaml"
    file.write_text(SPEC.format(zone=zone, period=period, price=price, offer=offer, open=opening))
    spec = load_spec(file)
    load_dataset(warehouse, spec, now=NOW)

    learned, rows = rows_of_past_runs(warehouse, spec, step)

    assert list(learned.covariates) == ["rain", "staff", "sun"]
    assert learned.history_only == {"staff", "sun"}
    starts = dict(zip(CHANNELS, channel_starts(AHEAD), strict=True))
    offers = rows[:, starts["promotion"] : starts["promotion"] + AHEAD]
    if step == 1:
        assert offers[:, :4].any(), "planned 3 days ahead, and the run starts after midnight"
        assert not offers[:, 4:].any()
    else:
        assert offers[:, :14].any()
        assert not offers[:, 14:].any()


@pytest.mark.parametrize("zone", ["UTC", "Pacific/Auckland", "America/Los_Angeles"])
@pytest.mark.parametrize("hour", [0, 10, 23])
def test_a_plan_of_some_hour_is_known_to_the_runs_after_it(
    warehouse: Engine, tmp_path: Path, zone: str, hour: int
) -> None:
    write(tmp_path, 1)
    lines = ["day,shop,offer,known"]
    shops = ("a",) if hour == 10 else ("a", "b")  # of one that plans nothing, none is known
    rng = np.random.default_rng(4)
    for number in range(130):
        day = FIRST + timedelta(days=number)
        known = f"{day - timedelta(days=5)} {hour:02}:00"
        lines += [f"{day},{shop},{int(rng.random() < 0.5)},{known}" for shop in shops]
    (tmp_path / "plan.csv").write_text("\n".join(lines) + "\n")
    file = tmp_path / "mine.yaml"
    planned = SPEC.format(zone=zone, period="", price="28d", offer="28d", open="")
    file.write_text(
        planned.replace("promotion: offer, ", "").replace("promotion: 28d, ", "") + PLAN
    )
    load_dataset(warehouse, load_spec(file), now=NOW)

    _, rows = rows_of_past_runs(warehouse, load_spec(file), 1)

    first = channel_starts(AHEAD)[CHANNELS.index("promotion")]
    offers = rows[:, first : first + AHEAD]
    known = 6 if hour == 0 else 5  # a run starts at 02:00 on the day after
    assert offers[:, :known].any(axis=0).any()
    assert not offers[:, known:].any()
