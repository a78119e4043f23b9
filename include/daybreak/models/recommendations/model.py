"""The recommendations as the platform sees them: snapshot, lists and rules in one place."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import date
from typing import Any, cast

from numpy.typing import NDArray
from pydantic import BaseModel
from sqlalchemy import Connection, FromClause, Select, Table

from daybreak.clock import AsOf
from daybreak.facts.interactions import item_totals, read_events, stream_events
from daybreak.models.base import (
    NO_OPTIONS,
    AsOfDay,
    Context,
    Model,
    Options,
    Progress,
    RowsOf,
    Scorer,
    Snapshot,
    SnapshotRows,
    Trained,
    Verdict,
    quiet,
)
from daybreak.models.recommendations.features.assemble import FEATURES
from daybreak.models.recommendations.features.catalogue import Catalogue, ItemDays, build_catalogue
from daybreak.models.recommendations.features.histories import (
    LAYOUT,
    RECORD,
    STRANGER,
    histories,
    stranger,
)
from daybreak.models.recommendations.numbers import (
    NUMBERS,
    OF_A_DAY,
    PUBLISHED,
    Numbers,
    published,
)
from daybreak.models.recommendations.reasons import REASONS
from daybreak.models.recommendations.request import Notes, RecommendationRequest
from daybreak.models.recommendations.rules import broken_between_rows
from daybreak.models.recommendations.scorer import RecommendationScorer, list_lengths
from daybreak.registry.artifact import Artifact
from daybreak.warehouse.tables import score_recommendation, snapshot_recommendations


class Recommendations:
    """Implements ``models.base.Model``; one entity is a user, and '' is whom nobody knows."""

    name = "recommendations"
    keys: tuple[str, ...] = ("user_id",)
    stranger: tuple[str, ...] | None = (STRANGER,)
    snapshot_table: Table = snapshot_recommendations
    score_table: Table = score_recommendation
    request: type[BaseModel] = RecommendationRequest
    notes: type[BaseModel] | None = Notes

    def layout(self) -> tuple[str, ...]:
        """Names of a user's values."""
        return LAYOUT

    def record_layout(self) -> tuple[str, ...]:
        """Names of what is known of a user and an item of their history."""
        return RECORD

    def context_layout(self) -> tuple[str, ...]:
        """Names of the day's arrays, and of the columns of the one that has columns."""
        return (*Catalogue.context_layout(), *PUBLISHED, NUMBERS, *OF_A_DAY)

    def features(self) -> tuple[str, ...]:
        """Names of the booster's features."""
        return FEATURES

    def build_snapshot(
        self, warehouse: Connection, as_of: AsOf, options: Options = NO_OPTIONS
    ) -> Snapshot:
        """The day's catalogue, and a row for every active user. Raises ``NoData``.

        Options: those of ``numbers.OPTIONS``.
        """
        numbers = Numbers.chosen(options)
        lists = published(options) | numbers.to_context()
        sold = _sold(warehouse, as_of, numbers)
        catalogue = build_catalogue(sold, as_of.business_date, numbers)
        rows = _rows(warehouse, as_of, catalogue, numbers)
        return Snapshot(rows, catalogue.to_context() | lists)

    def scorer(self, artifact: Artifact, context: Context, business_date: date) -> Scorer:
        """The version at work on the day's catalogue."""
        return RecommendationScorer(artifact, context, business_date)

    def rows_per_entity(self, context: Context) -> int | RowsOf:
        """``listed``, or as many items as are on sale and may be listed."""
        return list_lengths(context)

    def entity(self, request: BaseModel) -> tuple[str, ...]:
        """The user, or the stranger."""
        return (cast(RecommendationRequest, request).user_id or STRANGER,)

    def train(
        self,
        warehouse: Connection,
        as_of: AsOf,
        progress: Progress = quiet,
        options: Options = NO_OPTIONS,
    ) -> Trained:
        """Learn from facts visible at ``as_of``. Options as for ``build_snapshot``.

        Raises ``NoData``.
        """
        # Training brings packages that neither scoring nor serving needs.
        from daybreak.models.recommendations.learn import train as training  # noqa: PLC0415

        numbers = Numbers.chosen(options)
        days = numbers.history_days
        progress(f"Reading {days} days of interactions up to {as_of.business_date}")
        events = read_events(warehouse, as_of, days=days)
        return training.train_events(
            events,
            as_of.business_date,
            options=training.Options(numbers=numbers),
            progress=progress,
        )

    def judge(
        self,
        warehouse: Connection,
        as_of: AsOf,
        challenger: Artifact,
        champion: Artifact | None,
        progress: Progress = quiet,
    ) -> Verdict:
        """The gate: against the best single source, and against the champion."""
        from daybreak.models.recommendations.learn.gate import judge  # noqa: PLC0415 - as for `train`

        days = Numbers.of(challenger.manifest).history_days
        return judge(
            lambda: read_events(warehouse, as_of, days=days),
            as_of.business_date,
            challenger,
            champion,
            progress,
        )

    def backtest(
        self,
        warehouse: Connection,
        last: date,
        as_of: AsOfDay,
        options: Options,
        progress: Progress = quiet,
    ) -> dict[str, Any]:
        """The last weekly windows up to ``last``. Options: ``windows``, and as for ``train``."""
        from daybreak.models.recommendations.learn.rolling import roll  # noqa: PLC0415 - as above

        return roll(
            lambda day, days: read_events(warehouse, as_of(day), days=days),
            last,
            options,
            progress,
        )

    def describe_backtest(self, found: Mapping[str, Any]) -> list[str]:
        """The measures beside those of the single sources."""
        from daybreak.models.recommendations.learn.rolling import describe  # noqa: PLC0415 - as above

        return describe(found)

    def audit(self, columns: Mapping[str, NDArray[Any]]) -> list[str]:
        """Ranks begin at 1; that they end where they should is seen by the rows' number."""
        return ["ranks below 1"] if (columns["rank"] < 1).any() else []

    def audit_queries(self, scored: FromClause) -> dict[str, Select[int]]:
        """No item twice in a list, scores fall with the rank, each item has a known reason."""
        return broken_between_rows(scored, REASONS)


def _sold(warehouse: Connection, as_of: AsOf, numbers: Numbers) -> ItemDays:
    totals = item_totals(warehouse, as_of, days=numbers.history_days)
    names = ("item_ids", "categories", "item", "day", "buyers", "quantity", "spend", "further")
    return ItemDays(**{name: totals[name] for name in names})  # type: ignore[literal-required]


def _rows(
    warehouse: Connection, as_of: AsOf, catalogue: Catalogue, numbers: Numbers
) -> Iterator[SnapshotRows]:
    yield stranger()  # '' comes before every other key
    names = catalogue.item_id.astype(object)
    for events in stream_events(warehouse, as_of, days=numbers.history_days, item_ids=names):
        rows = histories(events, as_of.business_date, numbers)
        if len(rows):
            yield rows


MODEL: Model = Recommendations()
