"""What the platform asks of a model: a name, and the facets that it has.

Every model has an endpoint and a scorer. One that is scored nightly has the facet ``Nightly``, one
that learns has ``Learning``, in modules that neither scoring nor serving imports.
Nothing outside ``models/`` knows a model by name.

Shapes: ``n`` entities, ``S`` snapshot values, ``R`` values a record, ``q`` questions, ``m`` rows to
score, ``F`` features, ``K`` margins a row. Everything numeric is float32 from the snapshot to the
score.
"""

from __future__ import annotations

import logging
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from types import MappingProxyType
from typing import (
    Any,
    ClassVar,
    Generic,
    Literal,
    NamedTuple,
    Protocol,
    TypeAlias,
    TypeVar,
    runtime_checkable,
)

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel
from sqlalchemy import Connection, FromClause, Select, Table

from daybreak import types
from daybreak.clock import AsOf, Slot
from daybreak.errors import InvalidRequest, NotFound
from daybreak.ledger.states import Generation
from daybreak.models.hindsight import Hindsight
from daybreak.models.schedule import DAILY, Schedule, ScoresOf
from daybreak.prices.curve import Curve
from daybreak.registry.artifact import Artifact
from daybreak.signals.declared import Signal
from daybreak.signals.transactions import EventRows
from daybreak.warehouse.reports.section import Section
from daybreak.warehouse.reports.view import View

logger = logging.getLogger(__name__)

Float32: TypeAlias = types.Float32
Progress: TypeAlias = types.Progress
Key = tuple[str, ...]
Context = Mapping[str, NDArray[Any]]
"""What all entities of a day have in common: named arrays of numbers, dates or numpy text."""

Columns = dict[str, NDArray[Any]]
"""Columns of a score table by name, all of one length."""

Options = Mapping[str, float]
NO_OPTIONS: Options = MappingProxyType({})

AsOfDay = Callable[[date], AsOf]
"""The bound on both clocks that a run for a business date has."""

RequestT = TypeVar("RequestT", bound=BaseModel)


def quiet(_message: str) -> None:
    """A progress listener that says nothing."""


def logged(message: str) -> None:
    """A progress listener that writes to the log, which is where a task of Airflow shows it."""
    logger.info("%s", message)


# What a scorer is given and asked.


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


class ScoringRows(Protocol):
    """Features for the engine, and how its margins become answers."""

    @property
    def features(self) -> Float32:
        """Float32 (m, F) in manifest order; F is 0 where there is no engine."""
        ...

    def answers(self, margins: Float32) -> Answers:
        """Margins (m, K) to answers.

        Uses IEEE-exact operations only (+ - * min max floor compare sort), so that the bits do not
        depend on the batch size, the processor or the number of threads.
        """
        ...

    def remarks(self, question: int) -> Remarks:
        """Remarks on the answer to one question."""
        ...


class Scorer(Protocol):
    """A version ready for one day. Nightly runs, callers and other models ask the same one."""

    def rows(self, given: Given, questions: Questions) -> ScoringRows:
        """The rows that answer the questions.

        A row depends on its own question and entity only, not on others in the batch. Raises
        ``OutsideHorizon`` and ``InvalidRequest`` for a question without an answer.
        """
        ...


class Row(Protocol):
    """One row that answers one request, without notes."""

    @property
    def features(self) -> Float32:
        """Float32 (1, F) in manifest order."""
        ...

    @property
    def source(self) -> Source:
        """As in ``Remarks``."""
        ...

    def prediction(self, margins: Float32) -> dict[str, Any] | None:
        """Margins (1, K) to the row, its numbers single float32 values, all of them finite.

        None where ``Scorer.rows`` has to say what it is.
        """
        ...


@runtime_checkable
class RowScorer(Scorer, Protocol):
    """A scorer that has a shorter way to the answer of one request, with the same bits."""

    def row(self, entity: SnapshotRows, request: Any) -> Row | None:
        """The row that answers a request about an entity (n=1); None for one that ``rows`` has to
        answer, or refuse."""
        ...


class LooksAt(NamedTuple):
    """What a version asks of a stream, by name."""

    stream: str
    signals: tuple[Signal, ...]


@runtime_checkable
class DecidingScorer(Scorer, Protocol):
    """A scorer whose answers are decisions about events of a stream.

    It is given events with their signals, as ``Given.events``, one margin a row, and has one row
    of the answer a question. It is made without a day.
    """

    @property
    def looks_at(self) -> LooksAt:
        """The stream and the signals of its version."""
        ...

    def notes(self, features: Float32, added: Float32) -> list[dict[str, Any]]:
        """What answers say beside their decisions, in the form of ``Endpoint.notes``, such as the
        strongest reasons; no part of what is proven.

        ``features``: (m, F). ``added``: (m, F + 1), what each of them added to the margin, and the
        base.
        """
        ...


class Moves(Protocol):
    """What moves the answers of a version during the day. Safe for many threads.

    Time is cut into slots. An answer changes only where one begins, and follows from what was known
    by then: so all workers give the same.
    """

    def slot(self, now: datetime) -> Slot:
        """The slot that a moment is in."""
        ...

    def is_about_now(self, asked: Any) -> bool:
        """Whether a request asks for what holds now, and not for something of its own."""
        ...

    def read(
        self,
        conn: Connection,
        entities: SnapshotRows,
        slot: Slot,
        *,
        generation: Generation,
        since: datetime,
        now: datetime,
    ) -> Sequence[Any]:
        """Of each entity what moves its answers in ``slot`` (``Moment.found``), and keep what has
        to be kept of it; asked once a slot and process, or a few times.

        ``since``: from when on the generation answers. ``conn``: each of its statements is a
        transaction, with the rights of the service. Raises what the warehouse does.
        """
        ...


@runtime_checkable
class MovingScorer(Scorer, Protocol):
    """A scorer whose answers may move during the day, by what streams say."""

    @property
    def moves(self) -> Moves | None:
        """What moves them; None: nothing does, and no answer costs more than without."""
        ...


# The facets.


@dataclass(frozen=True)
class Example:
    """A request, as JSON, and what answers it on the data that it was written for.

    ``predictions``: rows of the answer. The documentation of the endpoint shows both.
    """

    request: Mapping[str, Any]
    predictions: Sequence[Mapping[str, Any]]
    source: Source
    notes: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Endpoint(Generic[RequestT]):
    """The form of requests and answers.

    ``request``: form of a request. ``entity``: the snapshot row that a request is about, by its
    key; None where it is about none. ``default_key``: key of the default row, which answers for an
    entity that has none; None: that is an error. ``prediction``: form of one row of an answer;
    None: the columns of the nightly score table. ``extra``: form of what a row may have beside
    these; what is NaN in a row, or in no row, is left out. ``notes``: form of ``Remarks.notes``,
    whose fields stand in every answer. ``examples``: by what they show. ``request_of``: the
    request, as JSON, that a published row answers; by it `daybreak advise` makes requests.
    """

    request: type[RequestT]
    entity: Callable[[RequestT], Key] | None = None
    default_key: Key | None = None
    prediction: type[BaseModel] | None = None
    extra: type[BaseModel] | None = None
    notes: type[BaseModel] | None = None
    examples: Mapping[str, Example] = field(default_factory=dict, hash=False)
    request_of: Callable[[Mapping[str, Any]], dict[str, Any]] | None = None


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


@dataclass(frozen=True)
class Trained:
    """A candidate version before it is registered.

    ``booster``: bytes of ``model.ubj``; None for a formula. ``manifest``: everything but name,
    version, sha256 and library versions, which the registry adds. ``files``: what else was learned,
    by file name. ``examples``: float32 (t, F), rows that the trees learned from, some of which
    become golden rows of the version. ``nights``: some days that it learned from as a night has
    them, with some of their entities; later nights are compared with them.
    """

    booster: bytes | None
    manifest: dict[str, Any]
    files: dict[str, bytes] = field(default_factory=dict)
    examples: Float32 = field(compare=False, default_factory=lambda: np.empty((0, 0), np.float32))
    nights: Sequence[tuple[Day, SnapshotRows]] = field(compare=False, default=())

    @property
    def trees(self) -> bytes:
        """The booster. Raises ``ValueError`` where there is none."""
        if self.booster is None:
            raise ValueError("a formula has no trees")
        return self.booster


@dataclass(frozen=True)
class Headline:
    """The one measure that a gate goes by first: the version beside the best baseline."""

    measure: str
    value: float
    baseline: str
    baseline_value: float


@dataclass(frozen=True)
class Verdict:
    """Whether a challenger may become champion, in a sentence, and what was measured (JSON).

    ``headline``: what lists of versions show of it; None where nothing could be measured.
    """

    passed: bool
    reason: str
    evidence: dict[str, Any]
    headline: Headline | None = None


@dataclass(frozen=True)
class Baseline:
    """A version that learned nothing: a formula, which its manifest names (`models.baselines`).

    ``headline``: as in ``Verdict``, of the baseline itself; None where nothing was measured.
    """

    trained: Trained
    headline: Headline | None = None


class Learning(ABC):
    """How versions come to be, and which of them may become champion.

    ``hindsight``: how far answers were from what came true; None where nothing ever does.
    """

    hindsight: ClassVar[Hindsight | None] = None

    @abstractmethod
    def train(
        self,
        warehouse: Connection,
        as_of: AsOf,
        progress: Progress = quiet,
        options: Options = NO_OPTIONS,
    ) -> Trained:
        """Learn from facts visible at ``as_of``. Deterministic under the seed in the manifest.

        ``options`` as for ``Nightly.entities``. What of it scoring needs as it was in
        training belongs into the manifest's ``options``: the version's days are built with these
        numbers, whatever the operator sets later.
        """

    @abstractmethod
    def judge(
        self,
        warehouse: Connection,
        as_of: AsOf,
        challenger: Artifact,
        champion: Artifact | None,
        progress: Progress = quiet,
    ) -> Verdict:
        """The gate: challenger, champion and baselines on the same backtest up to ``as_of``."""

    def baseline(
        self,
        warehouse: Connection,
        as_of: AsOf,
        options: Options = NO_OPTIONS,
        challenger: Artifact | None = None,
    ) -> Baseline | None:
        """What may be in force until a version passes the gate; by default nothing.

        ``challenger``: the version that was refused, with what it measured of the baselines; None
        where there was too little to learn from. Raises ``NoData`` where there is nothing at all.
        """
        return None

    def backtest(
        self,
        warehouse: Connection,
        last: date,
        as_of: AsOfDay,
        options: Options,
        progress: Progress = quiet,
    ) -> dict[str, Any]:
        """Past days scored as one would have then, beside the baselines, as JSON.

        ``last`` is the last closed day, ``options`` what the caller sets. Raises
        ``InvalidRequest`` for an option that the model does not have.
        """
        raise InvalidRequest(
            "This model has no backtest.",
            remedy="Its gate says what it measured: `daybreak models list`.",
            field="model",
        )

    def describe_backtest(self, found: Mapping[str, Any]) -> list[str]:
        """What ``backtest`` found, in lines for people."""
        return [f"{name}: {value}" for name, value in found.items()]


CurveOf = Callable[[SnapshotRows, Columns, Day], Curve]


@dataclass(frozen=True)
class Model(Generic[RequestT]):
    """A name and facets. Stateless: all that a model learned is in the artifact of a version.

    ``scorer``: makes the scorer of a version and a day; called once for each, may be costly.
    ``features``: names of the F features of the engine, in order; none for a formula. A function
    of a version's manifest where they follow from it.
    ``learning``: ``package.module:OBJECT`` of the facet ``Learning``, imported where it is used.
    ``decides``: its requests are events of a stream (``signals.incoming.DecisionForm``) and its
    scorer is a ``DecidingScorer``. Each answer is kept with what it was made from, and the night
    makes it again from the log by the batch fold: same features, same answer, bit for bit. The
    version in force answers; no business date has to be published.
    ``curve``: of a model that sets prices: the demand curve of an entity (n=1), with its published
    row of the score table, (1,) each. ``views``: its report views. ``sections``: what its period
    reports have beside what those of every model have. ``reads``: the inputs of a model that is not
    scored nightly; else its schedule has them.
    """

    name: str
    endpoint: Endpoint[RequestT]
    scorer: Callable[[Artifact, Day], Scorer]
    features: tuple[str, ...] | Callable[[Mapping[str, Any]], tuple[str, ...]] = ()
    nightly: Nightly | None = None
    decides: bool = False
    learning: str | None = None
    curve: CurveOf | None = None
    views: tuple[View, ...] = ()
    sections: tuple[Section, ...] = ()
    reads: tuple[ScoresOf, ...] = ()

    def __post_init__(self) -> None:
        if self.nightly is not None and self.reads:
            raise ValueError(f"{self.name} is scored nightly: its schedule says what it reads")
        if self.nightly is not None and self.nightly.schedule.proves != self.decides:
            raise ValueError(f"`proves` of the schedule of {self.name} is to be as it `decides`")
        if self.nightly is not None:
            asks = type(self.nightly).proposal is not Nightly.proposal
            if self.nightly.schedule.asks != asks:
                raise ValueError(f"`asks` of the schedule of {self.name} is to be as `proposal`")

    @property
    def night(self) -> Nightly:
        """The facet ``nightly``. Raises ``NotFound`` where the model has none."""
        if self.nightly is None:
            raise NotFound(
                f"{self.name} is not scored nightly: it only answers requests.",
                remedy="Ask the endpoint; `daybreak models list` shows its versions.",
                field="model",
                model=self.name,
            )
        return self.nightly

    def features_of(self, manifest: Mapping[str, Any]) -> tuple[str, ...]:
        """The features that a version has to have been trained on."""
        return self.features(manifest) if callable(self.features) else self.features

    @property
    def answers_from_a_day(self) -> bool:
        """Whether requests are about a published business date, whose version answers them."""
        return self.nightly is not None and not self.decides

    @property
    def inputs(self) -> tuple[ScoresOf, ...]:
        """Other models' scores that it stands on: by its schedule, or by request."""
        return self.nightly.schedule.inputs if self.nightly else self.reads

    @property
    def keys(self) -> Key:
        """Columns that name an entity; none where requests are about no entity."""
        return self.nightly.keys if self.nightly else ()


AnyModel: TypeAlias = Model[Any]


def _objects(values: list[Any]) -> NDArray[Any]:
    found = np.empty(len(values), object)
    found[:] = values
    return found
