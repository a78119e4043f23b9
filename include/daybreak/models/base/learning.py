"""How versions come to be: the facet of a model that learns."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import Any, ClassVar

import numpy as np
from sqlalchemy import Connection

from daybreak.clock import AsOf
from daybreak.errors import InvalidRequest
from daybreak.models.base.progress import quiet
from daybreak.models.base.rows import NO_OPTIONS, AsOfDay, Day, Options, SnapshotRows
from daybreak.models.hindsight import Hindsight
from daybreak.registry.artifact import Artifact
from daybreak.types import Float32, Progress


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
