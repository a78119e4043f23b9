"""A version of the sales forecast at work: days of series to rows, margins to units."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, timedelta
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel

from daybreak.errors import OutsideHorizon
from daybreak.models.base import Columns, Float32, Question, ScoringRows, SnapshotRows
from daybreak.models.sales_forecast.features.assemble import assemble
from daybreak.models.sales_forecast.features.layout import HORIZON
from daybreak.models.sales_forecast.link import link
from daybreak.models.sales_forecast.request import ForecastRequest


class ForecastScorer:
    """Implements ``models.base.Scorer``."""

    def __init__(self, manifest: Mapping[str, Any], business_date: date) -> None:
        self._manifest = manifest
        self._business_date = business_date

    def batch_rows(self, snapshot: SnapshotRows) -> ScoringRows:
        """Every series for every day ahead: ``HORIZON`` rows a series, in order."""
        rows = np.repeat(np.arange(len(snapshot)), HORIZON)
        horizons = np.tile(np.arange(1, HORIZON + 1, dtype=np.int16), len(snapshot))
        return self._rows(snapshot, rows, horizons)

    def question(self, snapshot: SnapshotRows, request: BaseModel) -> Question:
        """One row: the day asked for, overrides applied. Raises ``OutsideHorizon``."""
        asked = cast(ForecastRequest, request)
        horizon = (asked.date - self._business_date).days
        if not 1 <= horizon <= HORIZON:
            first, last = (self._business_date + timedelta(days=days) for days in (1, HORIZON))
            raise OutsideHorizon(
                f"The date {asked.date.isoformat()} is not within {first} to {last}.",
                remedy=f"What is published covers {HORIZON} days after {self._business_date}.",
                field="date",
                business_date=self._business_date.isoformat(),
                first=first.isoformat(),
                last=last.isoformat(),
            )
        overrides = asked.overrides()
        place, day = np.zeros(1, np.intp), np.array([horizon], np.int16)
        rows = self._rows(snapshot, place, day, overrides)
        # The planned price given again is still the published row: the features decide.
        published = not overrides or _same(rows, self._rows(snapshot, place, day))
        return Question(rows, "published" if published else "live")

    def answers(self, margins: Float32, rows: ScoringRows) -> Columns:
        """Series, horizon and date of each row, and its units: P10, P50, P90 and the mean."""
        return {**rows.identity, **link(margins, rows.features, self._manifest)}

    def _rows(
        self,
        snapshot: SnapshotRows,
        rows: NDArray[np.intp],
        horizons: NDArray[np.int16],
        overrides: Mapping[str, float] | None = None,
    ) -> ScoringRows:
        stores, items = snapshot.keys
        features = assemble(snapshot.values, self._business_date, horizons, rows, overrides)
        identity: dict[str, NDArray[Any]] = {
            "store_id": stores[rows],
            "item_id": items[rows],
            "horizon": horizons,
            "target_date": np.datetime64(self._business_date, "D") + horizons,
        }
        return ScoringRows(features, identity)


def _same(rows: ScoringRows, others: ScoringRows) -> bool:
    return rows.features.tobytes() == others.features.tobytes()
