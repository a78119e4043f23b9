"""Business dates of the sales forecast: the snapshot of all series, rules of published rows."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import timedelta
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import Connection

from daybreak.clock import AsOf
from daybreak.facts.panel import Panel
from daybreak.facts.sales import read_panel
from daybreak.models.base import (
    NO_OPTIONS,
    Context,
    Day,
    Nightly,
    Options,
    Questions,
    Snapshot,
    SnapshotRows,
)
from daybreak.models.options import chosen
from daybreak.models.sales_forecast.features.layout import HORIZON, LAYOUT
from daybreak.models.sales_forecast.features.snapshot import snapshot as snapshot_values
from daybreak.models.sales_forecast.link import SCORES
from daybreak.models.sales_forecast.schedule import SCHEDULE
from daybreak.models.sales_forecast.tables import scores, snapshots

SERIES_PER_BATCH = 5_000


class ForecastNightly(Nightly):
    """Every series for every day ahead."""

    schedule = SCHEDULE
    keys = ("store_id", "item_id")
    snapshot_table = snapshots
    score_table = scores

    def layout(self) -> tuple[str, ...]:
        """Names of the snapshot values."""
        return LAYOUT

    def build_snapshot(
        self, warehouse: Connection, as_of: AsOf, options: Options = NO_OPTIONS
    ) -> Snapshot:
        """One row for each series with a sale in the panel. Raises ``NoData``."""
        chosen(options, {})
        return Snapshot(_batches(read_panel(warehouse, as_of)))

    def questions(self, day: Day, entities: int) -> Questions:
        """``HORIZON`` days a series, in order."""
        if day.business_date is None:
            raise ValueError("A night has a business date.")
        dates = [day.business_date + timedelta(days=ahead) for ahead in range(1, HORIZON + 1)]
        return Questions(
            np.repeat(np.arange(entities), HORIZON),
            {"date": np.tile(np.array(dates, "M8[D]"), entities)},
        )

    def rows_per_entity(self, context: Context) -> int:
        """One a day ahead."""
        return HORIZON

    def audit(self, columns: Mapping[str, NDArray[Any]]) -> list[str]:
        """Nothing negative, quantiles in order, a mean that agrees with them (`link`), horizons 1
        to 28 and each on its own date."""
        p10, p50, p90, mean = (columns[name] for name in SCORES)
        horizon = columns["horizon"]
        day_zero = columns["target_date"] - horizon.astype("timedelta64[D]")
        rules = {
            "units are negative": any((columns[name] < 0).any() for name in SCORES),
            "quantiles cross": ((p10 > p50) | (p50 > p90)).any(),
            "the mean is below half of P50": (mean < np.float32(0.5) * p50).any(),
            "the mean is below a tenth of P90": (mean < np.float32(0.1) * p90).any(),
            f"horizons are not 1 to {HORIZON}": ((horizon < 1) | (horizon > HORIZON)).any(),
            "horizons and target dates disagree": len(np.unique(day_zero)) > 1,
        }
        return [rule for rule, broken in rules.items() if broken]


def _batches(panel: Panel) -> Iterator[SnapshotRows]:
    values = snapshot_values(panel)
    for first in range(0, len(panel), SERIES_PER_BATCH):
        batch = slice(first, first + SERIES_PER_BATCH)
        yield SnapshotRows((panel.store_ids[batch], panel.item_ids[batch]), values[batch])
