"""The scorer of the sales forecast: days of series to rows, margins to units."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from daybreak.errors import OutsideHorizon
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
from daybreak.models.sales_forecast.features.assemble import assemble, planned
from daybreak.models.sales_forecast.features.layout import (
    COVARIATES,
    FEATURES,
    OVERRIDABLE,
    horizon_of,
)
from daybreak.models.sales_forecast.link import Link
from daybreak.models.sales_forecast.options import Scope
from daybreak.registry.artifact import Artifact


@dataclass(frozen=True)
class ForecastRows:
    """One row a question: a series on a day, with what is planned or what was asked instead.

    ``overrides``: by channel, float32 (q,), NaN where the plan holds; only those that were given.
    """

    link: Link
    business_date: date
    scope: Scope
    covariates: tuple[int, ...] | None
    series: SnapshotRows
    place: NDArray[np.int64]
    horizon: NDArray[np.int16]
    overrides: Mapping[str, Float32]

    @cached_property
    def features(self) -> Float32:
        """Float32 (q, F)."""
        return assemble(
            self.series.values,
            self.business_date,
            self.horizon,
            self.place,
            self.overrides,
            step=self.scope.step,
            slots=self.scope.slots,
            covariates=self.covariates,
        )

    def answers(self, margins: Float32) -> Answers:
        """Series, horizon and date of each row, and its units: P10, P50, P90 and the mean."""
        stores, items = self.series.keys
        identity: dict[str, NDArray[Any]] = {
            "store_id": stores[self.place],
            "item_id": items[self.place],
            "horizon": self.horizon,
            "target_date": np.datetime64(self.business_date, "D") + self.scope.step * self.horizon,
        }
        return Answers({**identity, **self.link.units(margins, self.features)})

    def remarks(self, question: int) -> Remarks:
        """The planned price given again is still the published row: the features decide, and all
        that differ follow from those that were given."""
        this = slice(question, question + 1)
        same = all(
            self.features[this, FEATURES.index(name)].tobytes()
            == planned(
                self.series.values,
                self.horizon[this],
                self.place[this],
                name,
                slots=self.scope.slots,
            ).tobytes()
            for name in self.overrides
        )
        return Remarks("published" if same else "live")


class ForecastScorer:
    """Implements ``models.base.Scorer``."""

    def __init__(self, artifact: Artifact, day: Day) -> None:
        if day.business_date is None:
            raise ValueError("A forecast has a business date.")
        self._link = Link.of(artifact.manifest)
        self._business_date = day.business_date
        self._scope = Scope.of(day.options)
        self._covariates = _trained_slots(artifact.manifest, day.context)

    def rows(self, given: Given, questions: Questions) -> ForecastRows:
        """The days asked for, what was given instead of the plan applied.

        Columns: ``date``, and those of ``OVERRIDABLE``. Raises ``OutsideHorizon``.
        """
        asked = questions.columns["date"].astype("M8[D]")
        days_ahead = (asked - np.datetime64(self._business_date, "D")).astype(np.int64)
        horizon = -(-days_ahead // self._scope.step)  # a day within a week is that week
        days = horizon_of(given.entities.values, self._scope.slots)
        outside = (horizon < 1) | (horizon > days)
        if outside.any():
            raise self._outside(asked[outside][0], days)
        overrides = {name: questions.number(name) for name in OVERRIDABLE}
        return ForecastRows(
            self._link,
            self._business_date,
            self._scope,
            self._covariates,
            given.entities,
            questions.entity,
            horizon.astype(np.int16),
            {name: values for name, values in overrides.items() if not np.isnan(values).all()},
        )

    def _outside(self, asked: np.datetime64, horizon: int) -> OutsideHorizon:
        days = horizon * self._scope.step
        first, last = (self._business_date + timedelta(days=ahead) for ahead in (1, days))
        return OutsideHorizon(
            f"The date {asked} is not within {first} to {last}.",
            remedy=f"What is published covers {days} days after {self._business_date}.",
            field="date",
            business_date=self._business_date.isoformat(),
            first=first.isoformat(),
            last=last.isoformat(),
        )


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
