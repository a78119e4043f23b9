"""The sales forecast as the platform sees it: snapshot, rows, link and rules in one place."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import date, timedelta
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel
from sqlalchemy import Connection, Table

from daybreak.clock import AsOf
from daybreak.errors import OutsideHorizon
from daybreak.features.assemble import assemble
from daybreak.features.layout import FEATURES, LAYOUT
from daybreak.features.panel import HORIZON, Panel
from daybreak.features.snapshot import snapshot as snapshot_values
from daybreak.models.base import (
    Float32,
    Model,
    Progress,
    ScoringRows,
    SnapshotRows,
    Trained,
    Verdict,
    quiet,
)
from daybreak.models.sales_forecast.link import QUANTILES, SCORES, link
from daybreak.models.sales_forecast.request import ForecastRequest
from daybreak.registry.registry import Artifact
from daybreak.warehouse.facts import read_panel
from daybreak.warehouse.tables import score_sales_forecast, snapshot_sales_forecast

SERIES_PER_BATCH = 5_000


class SalesForecast:
    """Implements ``models.base.Model``; one entity is a series, an item in a store."""

    name = "sales_forecast"
    keys: tuple[str, ...] = ("store_id", "item_id")
    snapshot_table: Table = snapshot_sales_forecast
    score_table: Table = score_sales_forecast
    request: type[BaseModel] = ForecastRequest

    def layout(self) -> tuple[str, ...]:
        """Names of the snapshot values."""
        return LAYOUT

    def features(self) -> tuple[str, ...]:
        """Names of the booster's features."""
        return FEATURES

    def build_snapshot(self, warehouse: Connection, as_of: AsOf) -> Iterator[SnapshotRows]:
        """One row for each series with a sale in the panel. Raises ``NoData``."""
        panel = Panel(**read_panel(warehouse, as_of))
        values = snapshot_values(panel)
        for first in range(0, len(panel), SERIES_PER_BATCH):
            batch = slice(first, first + SERIES_PER_BATCH)
            keys = (panel.store_ids[batch], panel.item_ids[batch])
            yield SnapshotRows(keys, values[batch])

    def batch_rows(self, snapshot: SnapshotRows, business_date: date) -> ScoringRows:
        """Every series for every day ahead: ``HORIZON`` rows a series, in order."""
        rows = np.repeat(np.arange(len(snapshot)), HORIZON)
        horizons = np.tile(np.arange(1, HORIZON + 1, dtype=np.int16), len(snapshot))
        return _scoring_rows(snapshot, business_date, rows, horizons)

    def entity(self, request: BaseModel) -> tuple[str, ...]:
        """The series that is asked about."""
        asked = cast(ForecastRequest, request)
        return (asked.store, asked.item)

    def request_rows(
        self, snapshot: SnapshotRows, business_date: date, request: BaseModel
    ) -> ScoringRows:
        """One row: the series of ``snapshot`` (n=1) on the day asked for, overrides applied."""
        asked = cast(ForecastRequest, request)
        horizon = (asked.date - business_date).days
        if not 1 <= horizon <= HORIZON:
            first, last = (business_date + timedelta(days=days) for days in (1, HORIZON))
            raise OutsideHorizon(
                f"The date {asked.date.isoformat()} is not within {first} to {last}.",
                remedy=f"What is published covers {HORIZON} days after {business_date}.",
                field="date",
                business_date=business_date.isoformat(),
                first=first.isoformat(),
                last=last.isoformat(),
            )
        return _scoring_rows(
            snapshot,
            business_date,
            np.zeros(1, np.intp),
            np.array([horizon], np.int16),
            asked.overrides(),
        )

    def scores(
        self, margins: Float32, rows: ScoringRows, manifest: Mapping[str, Any]
    ) -> dict[str, Float32]:
        """Units: P10, P50, P90 and the mean."""
        return link(margins, rows.features, manifest)

    def train(self, warehouse: Connection, as_of: AsOf, progress: Progress = quiet) -> Trained:
        """Learn from facts visible at ``as_of``."""
        # Training brings packages that neither scoring nor serving needs.
        from daybreak.models.sales_forecast.train import train  # noqa: PLC0415

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
        from daybreak.models.sales_forecast.gate import judge  # noqa: PLC0415 - as for `train`

        return judge(warehouse, as_of, challenger, champion, progress)

    def audit(
        self, scores: Mapping[str, NDArray[Any]], identity: Mapping[str, NDArray[Any]]
    ) -> list[str]:
        """Nothing negative, quantiles in order, horizons 1 to 28 and each on its own date."""
        p10, p50, p90 = (scores[name] for name in QUANTILES)
        day_zero = identity["target_date"] - identity["horizon"].astype("timedelta64[D]")
        rules = {
            "units are negative": any((scores[name] < 0).any() for name in SCORES),
            "quantiles cross": ((p10 > p50) | (p50 > p90)).any(),
            f"horizons are not 1 to {HORIZON}": (
                (identity["horizon"] < 1) | (identity["horizon"] > HORIZON)
            ).any(),
            "horizons and target dates disagree": len(np.unique(day_zero)) > 1,
        }
        return [rule for rule, broken in rules.items() if broken]


def _scoring_rows(
    snapshot: SnapshotRows,
    business_date: date,
    rows: NDArray[np.intp],
    horizons: NDArray[np.int16],
    overrides: Mapping[str, float] | None = None,
) -> ScoringRows:
    stores, items = snapshot.keys
    features = assemble(snapshot.values, business_date, horizons, rows, overrides)
    identity: dict[str, NDArray[Any]] = {
        "store_id": stores[rows],
        "item_id": items[rows],
        "horizon": horizons,
        "target_date": np.datetime64(business_date, "D") + horizons,
    }
    return ScoringRows(features, identity)


MODEL: Model = SalesForecast()
