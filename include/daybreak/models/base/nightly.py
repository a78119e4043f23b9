"""Whole business dates: the facet of a model that is scored nightly."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import Connection, FromClause, Select, Table

from daybreak.clock import AsOf
from daybreak.ledger.states import Generation
from daybreak.models.base.rows import (
    NO_OPTIONS,
    Context,
    Day,
    Key,
    Options,
    Questions,
    SnapshotRows,
)
from daybreak.models.schedule import DAILY, Schedule
from daybreak.types import Float32

RowsOf = Callable[[SnapshotRows], NDArray[np.int64]]
"""How many rows of the score table each entity of (n,) has, (n,)."""

Part = Mapping[str, NDArray[Any]]
"""Named arrays of numbers or numpy text that a shard of a snapshot keeps until the snapshot is
whole. An array is read when it is asked for."""


@dataclass(frozen=True)
class Span:
    """Some entities of a business date, which are one shard of its snapshot.

    ``keys``: one object array (n,) a key column, in key order; None where they are all, and
    uncounted.
    """

    as_of: AsOf
    options: Options = field(default_factory=dict)
    keys: tuple[NDArray[np.object_], ...] | None = None


@dataclass(frozen=True)
class Shared:
    """What the rows of a business date have in common.

    ``context``: kept with the snapshot. ``of_parts``: for each part in order, what its rows alone
    need of it; gone when the snapshot is whole.
    """

    context: Context = field(default_factory=dict)
    of_parts: Sequence[Part] = ()


@dataclass(frozen=True)
class Measured:
    """A measure of quality on ``rows``. ``least``: a change of it that is worth a word."""

    value: float
    rows: int
    least: float


@dataclass(frozen=True)
class Proposal:
    """What a person is asked before scores are published.

    ``subject``: a line. ``body``: Markdown. ``figures``: what it says, as JSON. ``hours``: within
    which somebody has to answer, or nothing is published. ``cap``: the name of the term by which a
    person may agree to a part of it (``Day.terms``); None where it is all or nothing.
    """

    subject: str
    body: str
    figures: Mapping[str, Any]
    hours: float
    cap: str | None = None


class Nightly(ABC):
    """Whole business dates: the snapshot, the score table, and what is true of published rows.

    ``keys``: columns of the snapshot and of the score table that name an entity.

    A snapshot is made in shards, each of which can be made alone and again: ``entities`` lists
    keys, ``part`` reads the facts of a range where sums over all entities need them (``in_parts``),
    ``shared`` makes what all have in common, ``rows`` the rows of a range. Only ``rows`` has to be
    there: by default a snapshot is one shard. No bit may depend on how the entities were cut.
    """

    in_parts: ClassVar[bool] = False
    schedule: ClassVar[Schedule] = DAILY
    keys: ClassVar[Key]
    snapshot_table: ClassVar[Table]
    score_table: ClassVar[Table]

    @abstractmethod
    def layout(self, options: Options = NO_OPTIONS) -> tuple[str, ...]:
        """Names of the S snapshot values, in order.

        ``options`` may decide how many there are, where rows have no records.
        """

    def record_layout(self) -> tuple[str, ...]:
        """Names of the R values of a record, in order; empty for a model without records."""
        return ()

    def context_layout(self) -> tuple[str, ...]:
        """Names of the context's arrays, and of what is in them, in order.

        Changes whenever something in the context is renamed, added or moved.
        """
        return ()

    def entities(
        self, warehouse: Connection, as_of: AsOf, options: Options = NO_OPTIONS
    ) -> Iterator[Key] | None:
        """The keys of a business date in order, compared as text; None: one shard has them all.

        ``options``: what the operator set for the model (``DAYBREAK_MODEL_OPTIONS``). Raises
        ``InvalidRequest`` for an option that the model does not have, and ``NoData``.
        """
        return None

    def part(self, warehouse: Connection, span: Span) -> Part:
        """What ``shared`` and ``rows`` need of the facts of a range; asked where ``in_parts``."""
        return {}

    def shared(
        self, warehouse: Connection, as_of: AsOf, options: Options, parts: Sequence[Part]
    ) -> Shared:
        """What all entities share, from the facts or from all parts, in key order.

        What of ``options`` scoring needs goes into the context, so that a day that is scored again
        keeps it. Sums go by key, never by part. Raises what ``entities`` raises.
        """
        return Shared()

    @abstractmethod
    def rows(
        self, warehouse: Connection, span: Span, context: Context, part: Part
    ) -> Iterator[SnapshotRows]:
        """The rows of ``span`` in key order, batch by batch, no fact past ``as_of``.

        ``context``: that of ``shared``. ``part``: what ``part`` gave, and ``Shared.of_parts``.
        """

    def questions(self, day: Day, entities: int) -> Questions:
        """What a night asks about so many entities, entity by entity; here each of them once."""
        return Questions(np.arange(entities))

    def rows_per_entity(self, day: Day) -> int | RowsOf:
        """How many rows of the score table each entity has; a function where they differ."""
        return 1

    def audit(self, columns: Mapping[str, NDArray[Any]], day: Day) -> list[str]:
        """Rules on the rows of some entities, all rows of each; those that are broken.

        ``columns`` (m,): numbers and dates of the score table by name, no row in any order. Texts
        that are no keys are 64-bit hashes, int64: equal texts have equal ones. ``entity``, int64:
        which rows belong together.
        """
        return []

    def audit_queries(self, scored: FromClause) -> dict[str, Select[int]]:
        """Rules on all rows at once: each query counts what breaks it among those of ``scored``."""
        return {}

    def watched(self, rows: SnapshotRows, day: Day) -> Mapping[str, Float32]:
        """What of snapshot rows is compared with other nights, by name, each in any shape: by
        default every value, and every value of a record (``record_<name>``).

        Values that belong together, such as those of the days ahead, may be one. What moves by the
        calendar alone is better left out: a holiday is no drift.
        """
        found = dict(zip(self.layout(day.options), rows.values.T, strict=True))
        records = zip(self.record_layout(), rows.records.T, strict=True)
        return found | {f"record_{name}": values for name, values in records}

    def watched_features(self, features: Sequence[str]) -> Sequence[str]:
        """Which ``features`` of the engine are compared between requests and the night that they
        are about: by default all. What follows from the day that is asked about, such as the
        weekday or the weather, is better left out: the night asks about all days, and people about
        tomorrow."""
        return features

    def quality(self, warehouse: Connection, as_of: AsOf) -> Mapping[str, Measured]:
        """How good published scores turned out to be, by what became known by ``as_of``: measures
        by name, of earlier nights; none where nothing is known yet."""
        return {}

    def promised(self, manifest: Mapping[str, Any]) -> Mapping[str, float]:
        """What the backtest of a version found of the same measures."""
        return {}

    def proposal(self, warehouse: Connection, scored: FromClause, day: Day) -> Proposal | None:
        """What a person has to agree to before ``scored``, the rows of an audited generation, are
        published; None: nothing. Asked where the schedule ``asks``."""
        return None

    def published(  # noqa: B027 (most models do nothing then)
        self, warehouse: Connection, generation: Generation, now: datetime
    ) -> None:
        """What follows from a publication, in its transaction; again for the same one, nothing."""

    def withdrawn(  # noqa: B027
        self, warehouse: Connection, going: Generation, back: Generation | None, now: datetime
    ) -> None:
        """What follows from a rollback, in its transaction. ``back``: what is published instead."""
