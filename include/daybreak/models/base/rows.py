"""What a scorer is given of a day or a moment, what it is asked, and what it answers."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from types import MappingProxyType
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel

from daybreak.clock import AsOf, Slot
from daybreak.signals.transactions import EventRows
from daybreak.types import Float32

Key = tuple[str, ...]

Context = Mapping[str, NDArray[Any]]
"""What all entities of a day have in common: named arrays of numbers, dates or numpy text."""

Columns = dict[str, NDArray[Any]]
"""Columns of a score table by name, all of one length."""

Options = Mapping[str, float]
NO_OPTIONS: Options = MappingProxyType({})

AsOfDay = Callable[[date], AsOf]
"""The bound on both clocks that a run for a business date has."""


@dataclass(frozen=True)
class SnapshotRows:
    """A run of snapshot rows in key order.

    ``keys``: one object array (n,) a key column. ``values``: float32 (n, S). A row may have any
    number of records beside its values: those of row i are ``records[offsets[i]:offsets[i + 1]]``,
    float32 (t, R), with ``offsets`` int64 (n + 1,). A model without records leaves both out.
    """

    keys: tuple[NDArray[np.object_], ...]
    values: Float32
    records: Float32 = field(default_factory=lambda: np.empty((0, 0), np.float32))
    offsets: NDArray[np.int64] | None = None

    def __len__(self) -> int:
        return len(self.values)

    def rows_at(self, places: Sequence[int]) -> SnapshotRows:
        """The rows at some places, in the order given."""
        if len(places) == len(self) and list(places) == list(range(len(self))):
            return self
        records, offsets = self.records, None
        if self.offsets is not None:
            runs = [slice(*self.offsets[place : place + 2].tolist()) for place in places]
            records = np.concatenate([self.records[run] for run in runs])
            counts = [run.stop - run.start for run in runs]
            offsets = np.concatenate([[0], np.cumsum(counts)]).astype(np.int64)
        keys = tuple(names[list(places)] for names in self.keys)
        return SnapshotRows(keys, self.values[list(places)], records, offsets)

    @classmethod
    def joined(cls, parts: Sequence[SnapshotRows]) -> SnapshotRows:
        """The rows of some runs of one model, in the order given."""
        if len(parts) == 1:
            return parts[0]
        offsets = None
        if parts[0].offsets is not None:
            counts = [np.diff(part.offsets) for part in parts if part.offsets is not None]
            offsets = np.concatenate([[0], np.cumsum(np.concatenate(counts))]).astype(np.int64)
        return cls(
            tuple(np.concatenate(column) for column in zip(*(p.keys for p in parts), strict=True)),
            np.concatenate([part.values for part in parts]),
            np.concatenate([part.records for part in parts]),
            offsets,
        )


NO_ENTITIES = SnapshotRows((), np.empty((0, 0), np.float32))


@dataclass(frozen=True)
class Day:
    """What the rows of a snapshot share. A model without snapshots has no business date.

    ``business_date``: the last day whose facts are known. ``context``: what all entities share.
    ``options``: what the snapshot was made with. ``terms``: what a person set for the generation
    before it was scored.
    """

    business_date: date | None = None
    context: Context = field(default_factory=dict)
    options: Options = field(default_factory=dict)
    terms: Options = field(default_factory=dict)


@dataclass(frozen=True)
class Moment:
    """What moves the answers about an entity while ``slot`` lasts, the same for all who ask.

    ``found``: of the model's own form; None: nothing does. ``stale``: the warehouse is down, and it
    is what was found in an earlier slot.
    """

    slot: Slot
    found: Any
    stale: bool = False


@dataclass(frozen=True)
class Given:
    """What the platform fetched before a scorer is asked.

    ``entities``: the snapshot rows that the questions are about; none where the model has no
    snapshot. ``scores``: by upstream model, its published rows of those entities, as columns of its
    score table. ``identity``: what each of them is (``snapshot_id``, ``generation_id`` by model),
    as JSON. ``events``: for a model that decides, the events that the questions are about, and
    their signals. ``moments``: for one whose answers move during the day, by entity; None by night,
    and of an entity that nobody asks about as it is.
    """

    entities: SnapshotRows = NO_ENTITIES
    scores: Mapping[str, Columns] = field(default_factory=dict)
    identity: Mapping[str, Any] = field(default_factory=dict)
    events: EventRows | None = None
    moments: Sequence[Moment | None] | None = None


@dataclass(frozen=True)
class Questions:
    """``q`` requests as columns: what a nightly run, a caller and another model all ask with.

    ``entity``: int64 (q,), the row of ``Given.entities``, or of ``Given.events``, that each is
    about. ``columns``: (q,) by
    field of the request. None, or NaN in a column of numbers, means that it was not given; so does
    a field that has no column.
    """

    entity: NDArray[np.int64]
    columns: Mapping[str, NDArray[Any]] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.entity)

    @classmethod
    def of(
        cls, requests: Sequence[BaseModel], entity: NDArray[np.int64] | None = None
    ) -> Questions:
        """Requests of one form; where ``entity`` is None, each about the entity at its place.

        A field that none of them gives has no column.
        """
        given = {
            name: [getattr(one, name) for one in requests]
            for name in type(requests[0]).model_fields
        }
        return cls(
            np.arange(len(requests)) if entity is None else entity,
            {
                name: _objects(values)
                for name, values in given.items()
                if any(value is not None for value in values)
            },
        )

    def number(self, name: str) -> Float32:
        """A column of numbers, float32 (q,); NaN where nothing was given."""
        given = self.columns.get(name)
        if given is None:
            return np.full(len(self), np.nan, np.float32)
        return np.asarray(given, np.float32)


@dataclass(frozen=True)
class Answers:
    """Rows of the score table without date, generation and shard.

    ``columns``: (r,) each, and what of ``Endpoint.extra`` applies. ``offsets``: int64 (q + 1,): the
    answer to question i is rows ``offsets[i]:offsets[i + 1]``; None where each question has one
    row. ``scored``: int64 (r,), the row of the features that each was scored from; None where they
    are the same.
    """

    columns: Columns
    offsets: NDArray[np.int64] | None = None
    scored: NDArray[np.int64] | None = None

    def __len__(self) -> int:
        return len(next(iter(self.columns.values())))

    def of(self, question: int) -> Columns:
        """The rows that answer one question."""
        rows = self.rows(question)
        return {name: values[rows] for name, values in self.columns.items()}

    def rows(self, question: int) -> slice:
        """Which rows answer one question."""
        return rows_of(self.offsets, question)


def rows_of(offsets: NDArray[np.int64] | None, question: int) -> slice:
    """Which rows belong to a question: ``offsets`` as in ``Answers``."""
    if offsets is None:
        return slice(question, question + 1)
    return slice(*offsets[question : question + 2].tolist())


Source = Literal["published", "live", "default", "what_if"]
"""``published``: the answer is what batch published, bit for bit; ``default``: the row that
batch published for unknown entities; ``live``: with what the request says, or streams say of this
moment; ``what_if``: of a model whose answers hold for everybody, one that does not."""


@dataclass(frozen=True)
class Remarks:
    """What a caller should know of one answer; ``notes`` in the form ``Endpoint.notes``."""

    source: Source
    notes: dict[str, Any] = field(default_factory=dict)


def _objects(values: list[Any]) -> NDArray[Any]:
    found = np.empty(len(values), object)
    found[:] = values
    return found
