"""The scorer of the sales forecast: days of series to rows, margins to units."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from daybreak.models.arrays import to_names
from daybreak.models.base import (
    Answers,
    Context,
    Day,
    Float32,
    Given,
    Questions,
    Remarks,
    SnapshotRows,
)
from daybreak.models.sales_forecast.asked import Asked, asked_rows
from daybreak.models.sales_forecast.features.assemble import assemble, planned
from daybreak.models.sales_forecast.features.layout import (
    COVARIATES,
    FEATURES,
    horizon_of,
)
from daybreak.models.sales_forecast.link import Link
from daybreak.models.sales_forecast.options import Scope
from daybreak.models.sales_forecast.request import ForecastRequest
from daybreak.models.sales_forecast.row import ForecastRow, row_of
from daybreak.registry.artifact import Artifact


@dataclass(frozen=True)
class ForecastRows:
    """Days of series, with what is planned or what was asked instead."""

    link: Link
    business_date: date
    scope: Scope
    covariates: tuple[int, ...] | None
    series: SnapshotRows
    asked: Asked

    @cached_property
    def features(self) -> Float32:
        """Float32 (m, F)."""
        return assemble(
            self.series.values,
            self.business_date,
            self.asked.horizon,
            self.asked.place,
            self.asked.overrides,
            step=self.scope.step,
            slots=self.scope.slots,
            covariates=self.covariates,
        )

    def answers(self, margins: Float32) -> Answers:
        """Series, horizon and date of each row, and its units: P10, P50, P90 and the mean."""
        stores, items = self.series.keys
        place, horizon = self.asked.place, self.asked.horizon
        columns: dict[str, NDArray[Any]] = {
            "store_id": stores[place],
            "item_id": items[place],
            "horizon": horizon,
            "target_date": np.datetime64(self.business_date, "D") + self.scope.step * horizon,
            **self.link.units(margins, self.features),
        }
        for name, given in self.asked.overrides.items():
            columns[name] = given
            columns[f"planned_{name}"] = np.where(np.isnan(given), given, self._planned[name])
        return Answers(columns, self.asked.offsets)

    def remarks(self, question: int) -> Remarks:
        """The planned price given again is still the published row: the features decide, and all
        that differ follow from those that were given."""
        return Remarks("published" if self._as_planned[question] else "live")

    @cached_property
    def _as_planned(self) -> list[bool]:
        """Of each question, whether what was given instead of the plan has the same bits."""
        same = np.ones(len(self.asked.place), np.bool_)
        for name in self.asked.overrides:
            taken = np.ascontiguousarray(self.features[:, FEATURES.index(name)])
            same &= taken.view(np.uint32) == self._planned[name].view(np.uint32)
        if self.asked.offsets is not None:
            same = np.logical_and.reduceat(same, self.asked.offsets[:-1])
        found: list[bool] = same.tolist()
        return found

    @cached_property
    def _planned(self) -> Mapping[str, Float32]:
        """The plan of each channel that was overridden, (m,)."""
        return {
            name: planned(
                self.series.values,
                self.asked.horizon,
                self.asked.place,
                name,
                slots=self.scope.slots,
            )
            for name in self.asked.overrides
        }


class ForecastScorer:
    """Implements ``models.base.RowScorer``."""

    def __init__(self, artifact: Artifact, day: Day) -> None:
        if day.business_date is None:
            raise ValueError("A forecast has a business date.")
        self._link = Link.of(artifact.manifest)
        self._business_date = day.business_date
        self._scope = Scope.of(day.options)
        self._covariates = _trained_slots(artifact.manifest, day.context)

    def rows(self, given: Given, questions: Questions) -> ForecastRows:
        """The days asked for, what was given instead of the plan applied.

        Columns and errors are those of `asked_rows`.
        """
        published = horizon_of(given.entities.values, self._scope.slots)
        asked = asked_rows(questions, self._business_date, self._scope.step, published)
        return ForecastRows(
            self._link, self._business_date, self._scope, self._covariates, given.entities, asked
        )

    def row(self, series: SnapshotRows, request: ForecastRequest) -> ForecastRow | None:
        """One day as planned or at a price, without arrays."""
        if self._scope.step != 1 or self._covariates is not None:
            return None
        return row_of(self._link, self._business_date, self._scope.slots, series, request)


def _trained_slots(manifest: Mapping[str, Any], context: Context) -> tuple[int, ...] | None:
    """The snapshot's slot of each covariate that the version learned from, -1 where it has none.

    None: they are the same. A data set that gets another covariate later has others in its slots.
    """
    trained = manifest.get("layout", {}).get(COVARIATES)
    if trained is None or COVARIATES not in context:
        return None
    slots = {name: slot for slot, name in enumerate(to_names(context[COVARIATES]))}
    if list(slots) == trained:
        return None
    return tuple(slots.get(name, -1) for name in trained)
