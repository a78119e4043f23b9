"""Nights of the sales forecast from a panel in memory, by the functions that a real night calls.

A snapshot of a panel has the bits of the one that a night writes, so what is measured is what
``measure_drift`` would; only the tables are lists here.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import date, timedelta
from typing import Any

import numpy as np
from numpy.typing import NDArray

from daybreak.facts.panel import Panel
from daybreak.histogram import KEY, Name
from daybreak.models.base import Day, SnapshotRows
from daybreak.models.sales_forecast.features.layout import HISTORY
from daybreak.models.sales_forecast.features.snapshot import snapshot
from daybreak.models.sales_forecast.learn.lineage import scope_of
from daybreak.models.sales_forecast.learn.train import SEED, train_panel
from daybreak.models.sales_forecast.model import MODEL
from daybreak.models.sales_forecast.quality import Sums, promised
from daybreak.monitoring.drift.alarms import changes_of, past_of
from daybreak.monitoring.drift.figures import WEEKS, Figure, Night, Value, figures_of
from daybreak.monitoring.drift.reference import Binned
from daybreak.registry.artifact import Artifact
from daybreak.scoring.batch import rows_of_a_night
from daybreak.scoring.engines.engine import Engine
from daybreak.scoring.engines.predictor import Predictor
from daybreak.scoring.histograms import of_nights
from daybreak.types import Float32

AGE = HISTORY.index("age")

Spoil = Callable[[Float32], Float32]
"""Snapshot rows (n, S) to what a fault makes of them."""


@dataclass(frozen=True)
class Version:
    """A trained version, and what it was trained on."""

    engine: Engine
    training: dict[Name, Binned]
    promised: dict[str, float]

    def miscalibrated(self, by: float) -> Version:
        """Another version: its offsets are moved by so much of the usual level."""
        manifest = self.engine.artifact.manifest
        moved = {
            name: [one + by for one in offsets] if isinstance(offsets, list) else offsets
            for name, offsets in manifest["calibration"].items()
        }
        artifact = replace(self.engine.artifact, manifest={**manifest, "calibration": moved})
        return replace(self, engine=Predictor(artifact, 0))


def train(panel: Panel, column: int) -> Version:
    """As of a column, as the weekly training does."""
    trained = train_panel(until(panel, column), seed=SEED)
    artifact = Artifact(MODEL.name, "bench", trained.trees, trained.manifest, trained.files)
    engine = Predictor(artifact, 0)
    found = of_nights(MODEL, engine, trained.nights)
    training = {name: Binned.of(one) for name, one in found.items() if name.kind != KEY}
    return Version(engine, training, dict(promised(trained.manifest)))


def until(panel: Panel, column: int) -> Panel:
    """The panel of an earlier business date, with as much ahead."""
    wide = column + 1 + panel.ahead
    cut: dict[str, Any] = {
        name: getattr(panel, name)[:, :wide] for name in ("price", "promotion", "open", "holiday")
    }
    for name in ("covariates", "known_from"):
        cut[name] = {key: values[:, :wide] for key, values in getattr(panel, name).items()}
    business_open = panel.business_open
    return replace(
        panel,
        units=panel.units[:, : column + 1],
        public_holiday=panel.public_holiday[:wide],
        business_open=business_open[:wide] if business_open.ndim else business_open,
        **cut,
    )


@dataclass
class Nights:
    """Nights that were measured, one after the other.

    ``found``: by business date, their histograms. ``figures``: of each, the newest last.
    ``in_alarm``: names. ``raised``: what each night raised. ``ahead``: the forecast for the next
    day, P50 and mean (n,), and whose it is.
    """

    panel: Panel
    version: Version
    found: dict[date, Night] = field(default_factory=dict)
    figures: dict[date, list[Figure]] = field(default_factory=dict)
    in_alarm: set[Name] = field(default_factory=set)
    raised: dict[date, list[Name]] = field(default_factory=dict)
    ahead: tuple[NDArray[np.int64], Float32, Float32] | None = None

    def copied(self) -> Nights:
        """To go on from here in another way."""
        return replace(
            self,
            found=dict(self.found),
            figures=dict(self.figures),
            in_alarm=set(self.in_alarm),
            raised=dict(self.raised),
        )

    def night(self, column: int, spoil: Spoil | None = None) -> list[Name]:
        """Measure the night of a column; returns what it raises."""
        panel, engine = self.panel, self.version.engine
        rows = snapshot(panel, column)
        known = np.flatnonzero(rows[:, AGE] > 0)
        values = rows[known] if spoil is None else spoil(rows[known])
        day = Day(panel.date_of(column), options=scope_of(panel).to_options())
        entities = SnapshotRows((panel.store_ids[known], panel.item_ids[known]), values)
        histograms = of_nights(MODEL, engine, [(day, entities)])
        beside = bool(panel.public_holiday[[column - 1, column + 1]].any())
        night = Night(len(known), histograms, self._quality(column), beside)
        self.ahead = (known, *self._next_day(day, entities))
        return self._measure(panel.date_of(column), night)

    def _measure(self, day: date, night: Night) -> list[Name]:
        weeks = (day - timedelta(weeks=week) for week in range(1, 2 * WEEKS + 1))
        earlier = [self.found[one] for one in weeks if one in self.found][:WEEKS]
        past = past_of(self.figures, self.in_alarm, day)
        holidays = [
            self.found[one]
            for one in (day - timedelta(days=back) for back in range(1, 7 * WEEKS + 1))
            if one in self.found and self._is_holiday(one)
        ]
        figures = figures_of(night, earlier, self.version.training, past, holidays)
        changes = changes_of(figures, past)
        raised = [change.name for change in changes if change.event == "raised"]
        self.in_alarm -= {change.name for change in changes}
        self.in_alarm |= set(raised)
        self.found[day] = night
        self.figures[day] = figures
        self.raised[day] = raised
        return raised

    def _is_holiday(self, day: date) -> bool:
        return bool(self.panel.public_holiday[(day - self.panel.first_date).days])

    def _quality(self, column: int) -> dict[Name, Value]:
        """As `models.sales_forecast.quality`, by arrays."""
        if self.ahead is None or self.panel.public_holiday[column]:
            return {}
        series, p50, mean = self.ahead
        units = np.nan_to_num(self.panel.units[series, column]).astype(np.float64)
        mean = mean.astype(np.float64)
        sums = Sums(
            rows=len(series),
            units=float(units.sum()),
            mean=float(mean.sum()),
            error=float(np.abs(units - p50).sum()),
            silent=float(mean[units <= 0].sum()),
        )
        return {
            Name("quality", name): Value(
                one.value, one.rows, one.least, self.version.promised.get(name)
            )
            for name, one in sums.measures().items()
        }

    def _next_day(self, day: Day, entities: SnapshotRows) -> tuple[Float32, Float32]:
        engine = self.version.engine
        asked = rows_of_a_night(MODEL.night, MODEL.scorer(engine.artifact, day), day, entities)
        columns = asked.answers(engine.batch(asked.features)).columns
        first = columns["horizon"] == 1
        return columns["p50"][first], columns["mean"][first]
