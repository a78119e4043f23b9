"""What the platform asks of a model. Nothing outside ``models/`` knows which model it carries.

Shapes: ``n`` entities, ``S`` snapshot values, ``R`` values a record, ``m`` rows to score, ``F``
features, ``K`` margins a row. Everything numeric is float32 from the snapshot to the score.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date
from types import MappingProxyType
from typing import Any, Literal, Protocol

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel
from sqlalchemy import Connection, FromClause, Select, Table

from daybreak.clock import AsOf
from daybreak.registry.artifact import Artifact

logger = logging.getLogger(__name__)

Float32 = NDArray[np.float32]
Progress = Callable[[str], None]
Context = Mapping[str, NDArray[Any]]
"""What all entities of a day have in common: named arrays of numbers, dates or numpy text."""

Columns = dict[str, NDArray[Any]]
"""Columns of a score table by name, all of one length."""

Options = Mapping[str, float]
NO_OPTIONS: Options = MappingProxyType({})

AsOfDay = Callable[[date], AsOf]
"""The bound on both clocks that a run for a business date has."""


def quiet(_message: str) -> None:
    """A progress listener that says nothing."""


def logged(message: str) -> None:
    """A progress listener that writes to the log, which is where a task of Airflow shows it."""
    logger.info("%s", message)


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


RowsOf = Callable[[SnapshotRows], NDArray[np.int64]]
"""How many rows of the score table each entity of (n,) has, (n,)."""


@dataclass(frozen=True)
class Snapshot:
    """A business date as a model sees it: what all entities share, and their rows, streamed."""

    rows: Iterator[SnapshotRows]
    context: Context = field(default_factory=dict)


@dataclass(frozen=True)
class ScoringRows:
    """What the booster is asked.

    ``features``: float32 (m, F) in manifest order. ``identity``: what the scorer needs to turn
    margins into answers (entity keys, horizon, candidate ...), each of length m.
    """

    features: Float32
    identity: dict[str, NDArray[Any]]

    def __len__(self) -> int:
        return len(self.features)


@dataclass(frozen=True)
class Question:
    """A request made into rows.

    ``source``: ``published`` where the answer is what batch published, bit for bit; ``default``
    where it is what batch published for those whom nobody knows; ``live`` otherwise. ``notes``:
    what the caller should know beside the predictions, as JSON in the form ``Model.notes``.
    """

    rows: ScoringRows
    source: Literal["published", "live", "default"]
    notes: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Trained:
    """A candidate version before it is registered.

    ``booster``: bytes of ``model.ubj``. ``manifest``: everything but name, version, sha256 and
    library versions, which the registry adds. ``files``: what else was learned, by file name.
    """

    booster: bytes
    manifest: dict[str, Any]
    files: dict[str, bytes] = field(default_factory=dict)


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


class Scorer(Protocol):
    """A version at work on one business date. The same one serves batch and single requests."""

    def batch_rows(self, snapshot: SnapshotRows) -> ScoringRows:
        """The rows that a nightly run scores, by the same code as ``question``.

        A row's features depend on its own entity only, not on the batch that it stands in.
        """
        ...

    def question(self, snapshot: SnapshotRows, request: BaseModel) -> Question:
        """The rows that answer one request about the entity of ``snapshot`` (n=1)."""
        ...

    def answers(self, margins: Float32, rows: ScoringRows) -> Columns:
        """Margins (m, K) to columns of the score table, without date, generation and shard.

        Uses IEEE-exact operations only (+ - * min max floor compare sort), so that the bits do
        not depend on the batch size, the processor or the number of threads.
        """
        ...


class Model(Protocol):
    """A named scorer. Implementations are stateless; all they learned is in the artifact."""

    name: str
    keys: tuple[str, ...]
    stranger: tuple[str, ...] | None
    """Key of the snapshot row that answers for an entity that has none; None: it is an error."""
    snapshot_table: Table
    score_table: Table
    request: type[BaseModel]
    notes: type[BaseModel] | None
    """Form of ``Question.notes``, whose fields stand in every answer; None: there are none."""

    def layout(self) -> tuple[str, ...]:
        """Names of the S snapshot values, in order."""
        ...

    def record_layout(self) -> tuple[str, ...]:
        """Names of the R values of a record, in order; empty for a model without records."""
        ...

    def context_layout(self) -> tuple[str, ...]:
        """Names of the context's arrays, and of whatever lies in them in order.

        Whatever renames, adds or moves something there changes this. Empty for a model without a
        context.
        """
        ...

    def features(self) -> tuple[str, ...]:
        """Names of the F features of the booster, in order."""
        ...

    def build_snapshot(
        self, warehouse: Connection, as_of: AsOf, options: Options = NO_OPTIONS
    ) -> Snapshot:
        """A business date in key order, batch by batch, no fact past as_of. Raises ``NoData``.

        ``options``: what the operator set for the model (``DAYBREAK_MODEL_OPTIONS``); what of it
        scoring needs goes into the context, so that a day that is scored again keeps it. Raises
        ``InvalidRequest`` for an option that the model does not have.
        """
        ...

    def scorer(self, artifact: Artifact, context: Context, business_date: date) -> Scorer:
        """The version at work on a day. Made once a day and version; may be costly."""
        ...

    def rows_per_entity(self, context: Context) -> int | RowsOf:
        """How many rows of the score table a nightly run writes for each entity.

        A function of the snapshot's rows where entities differ in it.
        """
        ...

    def entity(self, request: BaseModel) -> tuple[str, ...]:
        """The key of the snapshot row that a request is about, in the order of ``keys``."""
        ...

    def train(
        self,
        warehouse: Connection,
        as_of: AsOf,
        progress: Progress = quiet,
        options: Options = NO_OPTIONS,
    ) -> Trained:
        """Learn from facts visible at ``as_of``. Deterministic under the seed in the manifest.

        ``options`` as for ``build_snapshot``. What of it scoring needs as it was in training
        belongs into the manifest's ``options``: the version's days are built with these numbers,
        whatever the operator sets later.
        """
        ...

    def judge(
        self,
        warehouse: Connection,
        as_of: AsOf,
        challenger: Artifact,
        champion: Artifact | None,
        progress: Progress = quiet,
    ) -> Verdict:
        """The gate: challenger, champion and baselines on the same backtest up to ``as_of``."""
        ...

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
        ...

    def audit(self, columns: Mapping[str, NDArray[Any]]) -> list[str]:
        """Rules on the numbers and dates of any run of published rows; those that are broken."""
        ...

    def audit_queries(self, scored: FromClause) -> dict[str, Select[int]]:
        """Rules between rows: each query counts what breaks it among the rows of ``scored``."""
        ...

    def describe_backtest(self, found: Mapping[str, Any]) -> list[str]:
        """What ``backtest`` found, in lines for people."""
        ...
