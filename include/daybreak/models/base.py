"""What the platform asks of a model. Nothing outside ``models/`` knows which model it carries.

Shapes: ``n`` entities, ``S`` snapshot values, ``m`` rows to score, ``F`` features, ``K`` margins
a row. Everything numeric is float32 from the snapshot to the published score.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel
from sqlalchemy import Connection, Table

from daybreak.clock import AsOf
from daybreak.registry.registry import Artifact

Float32 = NDArray[np.float32]
Progress = Callable[[str], None]


def quiet(_message: str) -> None:
    """A progress listener that says nothing."""


@dataclass(frozen=True)
class SnapshotRows:
    """A run of snapshot rows in key order.

    ``keys``: one object array (n,) a key column. ``values``: float32 (n, S).
    """

    keys: tuple[NDArray[np.object_], ...]
    values: Float32

    def __len__(self) -> int:
        return len(self.values)


@dataclass(frozen=True)
class ScoringRows:
    """What the booster is asked.

    ``features``: float32 (m, F) in manifest order. ``identity``: the columns of the score table
    that say which row is which (entity keys, horizon, target date ...), each of length m.
    """

    features: Float32
    identity: dict[str, NDArray[Any]]

    def __len__(self) -> int:
        return len(self.features)


@dataclass(frozen=True)
class Trained:
    """A candidate version before it is registered.

    ``booster``: bytes of ``model.ubj``. ``manifest``: everything but name, version, sha256 and
    library versions, which the registry adds.
    """

    booster: bytes
    manifest: dict[str, Any]


@dataclass(frozen=True)
class Verdict:
    """Whether a challenger may become champion, in a sentence, and what was measured (JSON)."""

    passed: bool
    reason: str
    evidence: dict[str, Any]


class Model(Protocol):
    """A named scorer. Implementations are stateless; all they learned is in the artifact."""

    name: str
    keys: tuple[str, ...]
    snapshot_table: Table
    score_table: Table
    request: type[BaseModel]

    def layout(self) -> tuple[str, ...]:
        """Names of the S snapshot values, in order."""
        ...

    def features(self) -> tuple[str, ...]:
        """Names of the F features of the booster, in order."""
        ...

    def build_snapshot(self, warehouse: Connection, as_of: AsOf) -> Iterator[SnapshotRows]:
        """Snapshot rows for a business date in key order, batch by batch, no fact past as_of."""
        ...

    def batch_rows(self, snapshot: SnapshotRows, business_date: date) -> ScoringRows:
        """The rows that a nightly run scores, by the same ``assemble`` as ``request_rows``."""
        ...

    def entity(self, request: BaseModel) -> tuple[str, ...]:
        """The key of the snapshot row that a request is about, in the order of ``keys``."""
        ...

    def request_rows(
        self, snapshot: SnapshotRows, business_date: date, request: BaseModel
    ) -> ScoringRows:
        """The rows that answer one request, overrides applied. Raises ``OutsideHorizon``."""
        ...

    def scores(
        self, margins: Float32, rows: ScoringRows, manifest: Mapping[str, Any]
    ) -> dict[str, Float32]:
        """The link: margins (m, K) to the score columns, float32 (m,) each.

        Uses IEEE-exact operations only (+ - * min max floor compare), so that the bits do not
        depend on the batch size, the processor or the number of threads.
        """
        ...

    def train(self, warehouse: Connection, as_of: AsOf, progress: Progress = quiet) -> Trained:
        """Learn from facts visible at ``as_of``. Deterministic under the seed in the manifest."""
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

    def audit(
        self, scores: Mapping[str, NDArray[Any]], identity: Mapping[str, NDArray[Any]]
    ) -> list[str]:
        """Rules that published scores keep; an empty list where all hold."""
        ...
