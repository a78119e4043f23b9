"""Business dates of the sales forecast: the snapshot of all series, rules of published rows."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import Connection

from daybreak.clock import AsOf
from daybreak.facts.days import days_of_period
from daybreak.facts.series import read_panels, read_series
from daybreak.models.base import (
    NO_OPTIONS,
    Context,
    Day,
    Float32,
    Key,
    Measured,
    Nightly,
    Options,
    Part,
    Questions,
    Shared,
    SnapshotRows,
    Span,
)
from daybreak.models.sales_forecast.features.layout import layout
from daybreak.models.sales_forecast.features.shards import context_of, part_of, rows_of, share
from daybreak.models.sales_forecast.features.watched import watched, watched_features
from daybreak.models.sales_forecast.link import SCORES
from daybreak.models.sales_forecast.options import Scope
from daybreak.models.sales_forecast.quality import promised, quality
from daybreak.models.sales_forecast.schedule import SCHEDULE
from daybreak.models.sales_forecast.tables import scores, snapshots


class ForecastNightly(Nightly):
    """Every series for every day ahead."""

    schedule = SCHEDULE
    keys = ("store_id", "item_id")
    in_parts = True
    snapshot_table = snapshots
    score_table = scores

    def layout(self, options: Options = NO_OPTIONS) -> tuple[str, ...]:
        """Names of the snapshot values."""
        scope = Scope.of(options)
        return layout(scope.horizon, scope.slots)

    def entities(
        self, warehouse: Connection, as_of: AsOf, options: Options = NO_OPTIONS
    ) -> Iterator[Key]:
        """Each series with a sale in the panel. Raises ``NoData``."""
        Scope.of(options)
        return iter(read_series(warehouse, as_of))

    def part(self, warehouse: Connection, span: Span) -> Part:
        """What follows from each series alone; facts are read here and only here."""
        if span.keys is None:
            raise ValueError("The sales forecast counts its series.")
        series = list(zip(*(names.tolist() for names in span.keys), strict=True))
        scope = Scope.of(span.options, days_of_period(warehouse))
        return part_of(
            list(read_panels(warehouse, span.as_of, series, ahead=scope.horizon, slots=scope.slots))
        )

    def shared(
        self, warehouse: Connection, as_of: AsOf, options: Options, parts: Sequence[Part]
    ) -> Shared:
        """Levels, weekdays and seasons of items, categories and stores.

        The context says which covariate is in which slot, where there are any. It is left out of
        ``context_layout``: a snapshot without it is read slot by slot.
        """
        return Shared(context_of(parts), share(parts))

    def rows(
        self, warehouse: Connection, span: Span, context: Context, part: Part
    ) -> Iterator[SnapshotRows]:
        """One row for each series."""
        yield SnapshotRows(span.keys or (), rows_of(part))

    def watched(self, rows: SnapshotRows, day: Day) -> Mapping[str, Float32]:
        """As `watched`: the days ahead are one, without what the calendar says of them."""
        return watched(rows.values, Scope.of(day.options).slots)

    def watched_features(self, features: Sequence[str]) -> Sequence[str]:
        """All but what follows from the target date."""
        return watched_features(features)

    def quality(self, warehouse: Connection, as_of: AsOf) -> Mapping[str, Measured]:
        """Error and bias of the forecasts for the business date."""
        return quality(warehouse, as_of)

    def promised(self, manifest: Mapping[str, Any]) -> Mapping[str, float]:
        """On the days that training held out."""
        return promised(manifest)

    def questions(self, day: Day, entities: int) -> Questions:
        """Each period of the horizon of each series, in order."""
        if day.business_date is None:
            raise ValueError("A night has a business date.")
        scope = Scope.of(day.options)
        ahead = np.arange(1, scope.horizon + 1) * scope.step
        dates = np.datetime64(day.business_date, "D") + ahead
        return Questions(
            np.repeat(np.arange(entities), len(dates)), {"target_date": np.tile(dates, entities)}
        )

    def rows_per_entity(self, day: Day) -> int:
        """One a period ahead."""
        return Scope.of(day.options).horizon

    def audit(self, columns: Mapping[str, NDArray[Any]], day: Day) -> list[str]:
        """Nothing negative, quantiles in order, a mean that agrees with them (`link`), periods
        ahead within the horizon and each on its own date."""
        p10, p50, p90, mean = (columns[name] for name in SCORES)
        ahead, scope = columns["horizon"], Scope.of(day.options)
        horizon = scope.horizon
        days = ahead.astype("timedelta64[D]") * scope.step
        day_zero = columns["target_date"] - days
        rules = {
            "units are negative": any((columns[name] < 0).any() for name in SCORES),
            "quantiles cross": ((p10 > p50) | (p50 > p90)).any(),
            "the mean is below half of P50": (mean < np.float32(0.5) * p50).any(),
            "the mean is below a tenth of P90": (mean < np.float32(0.1) * p90).any(),
            f"horizons are not 1 to {horizon}": ((ahead < 1) | (ahead > horizon)).any(),
            "horizons and target dates disagree": len(np.unique(day_zero)) > 1,
        }
        return [rule for rule, broken in rules.items() if broken]
