"""Business dates of the recommendations: catalogue and users, and rules of published lists."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import chain
from typing import Any

from numpy.typing import NDArray
from sqlalchemy import Connection, FromClause, Select

from daybreak.clock import AsOf
from daybreak.facts.interactions import item_totals, stream_events, stream_users
from daybreak.models.base import (
    NO_OPTIONS,
    Context,
    Day,
    Key,
    Measured,
    Nightly,
    Options,
    Part,
    RowsOf,
    Shared,
    SnapshotRows,
    Span,
)
from daybreak.models.recommendations.features.catalogue import Catalogue, ItemDays, build_catalogue
from daybreak.models.recommendations.features.histories import (
    DEFAULT_USER,
    LAYOUT,
    RECORD,
    default_row,
    histories,
)
from daybreak.models.recommendations.numbers import (
    NUMBERS,
    OF_A_DAY,
    PUBLISHED,
    Numbers,
    published,
)
from daybreak.models.recommendations.quality import quality
from daybreak.models.recommendations.reasons import REASONS
from daybreak.models.recommendations.rules import broken_in_lists, unknown_reasons
from daybreak.models.recommendations.schedule import SCHEDULE
from daybreak.models.recommendations.scorer import list_lengths
from daybreak.models.recommendations.tables import scores, snapshots


class ListNightly(Nightly):
    """A list for every active user, and a default list for all others."""

    schedule = SCHEDULE
    keys = ("user_id",)
    snapshot_table = snapshots
    score_table = scores

    def layout(self, options: Options = NO_OPTIONS) -> tuple[str, ...]:
        """Names of a user's values."""
        return LAYOUT

    def record_layout(self) -> tuple[str, ...]:
        """Names of what is known of a user and an item of their history."""
        return RECORD

    def context_layout(self) -> tuple[str, ...]:
        """Names of the day's arrays, and of the columns of the one that has columns."""
        return (*Catalogue.context_layout(), *PUBLISHED, NUMBERS, *OF_A_DAY)

    def quality(self, warehouse: Connection, as_of: AsOf) -> Mapping[str, Measured]:
        """Who bought on the business date from the list of the night before."""
        return quality(warehouse, as_of)

    def entities(
        self, warehouse: Connection, as_of: AsOf, options: Options = NO_OPTIONS
    ) -> Iterator[Key]:
        """The default row, then every active user. Raises ``NoData``."""
        numbers = Numbers.chosen(options)
        users = stream_users(warehouse, as_of, days=numbers.history_days)
        return ((user,) for user in chain((DEFAULT_USER,), users))  # '' sorts first

    def shared(
        self, warehouse: Connection, as_of: AsOf, options: Options, parts: Sequence[Part]
    ) -> Shared:
        """The day's catalogue. Raises ``NoData``. Options: those of ``numbers.OPTIONS``."""
        numbers = Numbers.chosen(options)
        lists = published(options) | numbers.to_context()
        sold = _sold(warehouse, as_of, numbers)
        catalogue = build_catalogue(sold, as_of.business_date, numbers)
        return Shared(catalogue.to_context() | lists)

    def rows(
        self, warehouse: Connection, span: Span, context: Context, part: Part
    ) -> Iterator[SnapshotRows]:
        """What is known of each user, by the items of the day's catalogue."""
        if span.keys is None:
            raise ValueError("The recommendations count their users.")
        numbers = Numbers.chosen(span.options)
        names = Catalogue.from_context(context).item_id.astype(object)
        users = span.keys[0]
        if len(users) and users[0] == DEFAULT_USER:
            yield default_row()
            users = users[1:]
        for events in stream_events(
            warehouse, span.as_of, days=numbers.history_days, item_ids=names, users=users
        ):
            yield histories(events, span.as_of.business_date, numbers)

    def rows_per_entity(self, day: Day) -> int | RowsOf:
        """``listed``, or as many items as are on sale and may be listed."""
        return list_lengths(day.context)

    def audit(self, columns: Mapping[str, NDArray[Any]], day: Day) -> list[str]:
        """Ranks count from 1, scores fall with the rank, no item stands twice in a list."""
        return broken_in_lists(columns)

    def audit_queries(self, scored: FromClause) -> dict[str, Select[int]]:
        """Each item has a known reason."""
        return unknown_reasons(scored, REASONS)


def _sold(warehouse: Connection, as_of: AsOf, numbers: Numbers) -> ItemDays:
    totals = item_totals(warehouse, as_of, days=numbers.history_days)
    names = ("item_ids", "categories", "item", "day", "buyers", "quantity", "spend", "further")
    return ItemDays(**{name: totals[name] for name in names})  # type: ignore[literal-required]
