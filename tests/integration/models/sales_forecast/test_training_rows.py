"""A row that is learned from is the row that a run of that day made: no plan is known too early."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import numpy as np
import pytest
from sqlalchemy import Engine

from daybreak.clock import AsOf, scheduled_cutoff
from daybreak.facts.sales import read_panel
from daybreak.facts.series import read_panels, read_series
from daybreak.models.sales_forecast.features.layout import CHANNELS, channel_starts
from daybreak.models.sales_forecast.features.shards import part_of, rows_of, share
from daybreak.models.sales_forecast.features.snapshot import snapshot
from daybreak.settings import Settings
from daybreak.sources.contract.spec import load_spec
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

    def as_of(day: date) -> AsOf:
        return AsOf(day, scheduled_cutoff(day, Settings().run_at, zone))

    with connect(warehouse) as conn:
        last = spec.calendar.end_of(FIRST + timedelta(days=85 * step))
        learned = read_panel(conn, as_of(last), days=80, ahead=AHEAD)
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
