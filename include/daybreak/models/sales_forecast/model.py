"""The sales forecast as the platform sees it: snapshot, rows, link and rules in one place."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import date
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel
from sqlalchemy import Connection, FromClause, Select, Table

from daybreak.clock import AsOf
from daybreak.facts.panel import Panel
from daybreak.facts.sales import read_panel
from daybreak.models.base import (
    NO_OPTIONS,
    AsOfDay,
    Context,
    Model,
    Options,
    Progress,
    Scorer,
    Snapshot,
    SnapshotRows,
    Trained,
    Verdict,
    quiet,
)
from daybreak.models.options import chosen
from daybreak.models.sales_forecast.features.layout import FEATURES, HORIZON, LAYOUT
from daybreak.models.sales_forecast.features.snapshot import snapshot as snapshot_values
from daybreak.models.sales_forecast.link import SCORES
from daybreak.models.sales_forecast.request import ForecastRequest
from daybreak.models.sales_forecast.scorer import ForecastScorer
from daybreak.registry.artifact import Artifact
from daybreak.warehouse.tables import score_sales_forecast, snapshot_sales_forecast

SERIES_PER_BATCH = 5_000


class SalesForecast:
    """Implements ``models.base.Model``; one entity is a series, an item in a store."""

    name = "sales_forecast"
    keys: tuple[str, ...] = ("store_id", "item_id")
    snapshot_table: Table = snapshot_sales_forecast
    score_table: Table = score_sales_forecast
    request: type[BaseModel] = ForecastRequest
    stranger: tuple[str, ...] | None = None
    notes: type[BaseModel] | None = None

    def layout(self) -> tuple[str, ...]:
        """Names of the snapshot values."""
        return LAYOUT

    def features(self) -> tuple[str, ...]:
        """Names of the booster's features."""
        return FEATURES

    def record_layout(self) -> tuple[str, ...]:
        """A series has no records."""
        return ()

    def context_layout(self) -> tuple[str, ...]:
        """Series share nothing."""
        return ()

    def build_snapshot(
        self, warehouse: Connection, as_of: AsOf, options: Options = NO_OPTIONS
    ) -> Snapshot:
        """One row for each series with a sale in the panel. Raises ``NoData``."""
        chosen(options, {})
        return Snapshot(_batches(read_panel(warehouse, as_of)))

    def scorer(self, artifact: Artifact, context: Context, business_date: date) -> Scorer:
        """The version at work on the days after ``business_date``."""
        return ForecastScorer(artifact.manifest, business_date)

    def rows_per_entity(self, context: Context) -> int:
        """One a day ahead."""
        return HORIZON

    def entity(self, request: BaseModel) -> tuple[str, ...]:
        """The series that is asked about."""
        asked = cast(ForecastRequest, request)
        return (asked.store, asked.item)

    def train(
        self,
        warehouse: Connection,
        as_of: AsOf,
        progress: Progress = quiet,
        options: Options = NO_OPTIONS,
    ) -> Trained:
        """Learn from facts visible at ``as_of``. There are no options."""
        chosen(options, {})
        # Training brings packages that neither scoring nor serving needs.
        from daybreak.models.sales_forecast.learn.train import train  # noqa: PLC0415

        return train(warehouse, as_of, progress)

    def judge(
        self,
        warehouse: Connection,
        as_of: AsOf,
        challenger: Artifact,
        champion: Artifact | None,
        progress: Progress = quiet,
    ) -> Verdict:
        """The gate: against the baselines, and against the champion on days new to both."""
        from daybreak.models.sales_forecast.learn.gate import judge  # noqa: PLC0415 - as for `train`

        return judge(warehouse, as_of, challenger, champion, progress)

    def backtest(
        self,
        warehouse: Connection,
        last: date,
        as_of: AsOfDay,
        options: Options,
        progress: Progress = quiet,
    ) -> dict[str, Any]:
        """Rolling origins up to ``last``. Options: ``items``, ``horizon``, ``origins``."""
        from daybreak.models.sales_forecast.learn.rolling import roll  # noqa: PLC0415 - as above

        return roll(warehouse, last, as_of, options, progress)

    def describe_backtest(self, found: Mapping[str, Any]) -> list[str]:
        """The measures beside those of the baselines."""
        from daybreak.models.sales_forecast.learn.rolling import describe  # noqa: PLC0415 - as above

        return describe(found)

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

    def audit_queries(self, scored: FromClause) -> dict[str, Select[int]]:
        """Each row stands for itself."""
        return {}


def _batches(panel: Panel) -> Iterator[SnapshotRows]:
    values = snapshot_values(panel)
    for first in range(0, len(panel), SERIES_PER_BATCH):
        batch = slice(first, first + SERIES_PER_BATCH)
        yield SnapshotRows((panel.store_ids[batch], panel.item_ids[batch]), values[batch])


MODEL: Model = SalesForecast()
