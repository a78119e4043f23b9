"""What answers requests of a model: a version, made ready for the day that is published."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from typing import Any, NamedTuple

from pydantic import BaseModel

from daybreak.errors import DaybreakError
from daybreak.histogram import ROW
from daybreak.ledger.generations import Generation, State
from daybreak.ledger.verdicts import Gate
from daybreak.models.base import AnyModel, DecidingScorer, Moves, MovingScorer, RowScorer, Scorer
from daybreak.monitoring.drift.reference import MANIFEST
from daybreak.scoring.engines.engine import Engine
from daybreak.serving.canary import drawn

Key = tuple[str, int | None]


@dataclass(frozen=True)
class Publication:
    """The version that answers, and the published generation that it answers from.

    ``generation``: None for a model that is not scored nightly; its champion answers. ``gate``:
    what the gate said of the version last. ``basis``: what became of the scores of other models
    that the generation was made from; None where it was made from none. ``problem``: why a
    newer one does not answer instead, or what is tried is not. ``canary``: answers for a share of
    the entities in its place. ``shadow``: is asked beside it.

    A request takes one of these and uses nothing else, so that its answer comes wholly from one
    generation, also while a publish flips the pointer.
    """

    version: str
    generation: Generation | None
    engine: Engine
    scorer: Scorer
    gate: Gate
    basis: State | None = None
    problem: DaybreakError | None = None
    canary: Canary | None = None
    shadow: Publication | None = None
    since: datetime | None = None

    def answering(self, model: AnyModel, asked: BaseModel) -> Publication:
        """What answers this request: itself, or its canary."""
        canary, entity = self.canary, model.endpoint.entity
        if canary is None or entity is None:
            return self
        chosen = drawn(canary.publication.version, entity(asked), canary.share)
        return canary.publication if chosen else self

    @cached_property
    def row_scorer(self) -> RowScorer | None:
        """Its scorer, where that has a shorter way for single requests."""
        return self.scorer if isinstance(self.scorer, RowScorer) else None

    @cached_property
    def moves(self) -> Moves | None:
        """What moves its answers during the day; None: nothing does."""
        return self.scorer.moves if isinstance(self.scorer, MovingScorer) else None

    @cached_property
    def decider(self) -> DecidingScorer:
        """Its scorer, where its model decides. Raises ``TypeError`` where it does not."""
        if not isinstance(self.scorer, DecidingScorer):
            raise TypeError(f"the scorer of {self.engine.artifact.model} does not decide")
        return self.scorer

    @cached_property
    def of_its_generation(self) -> bool:
        """Whether its version scored the generation, so that the table has its answers."""
        return self.generation is None or self.generation.version == self.version

    @cached_property
    def is_counted(self) -> bool:
        """Whether the rows of its answers are compared with those of the night: its version scored
        the generation, and says what it was trained on."""
        scored = self.generation is not None and self.of_its_generation
        listed = self.manifest.get(MANIFEST, ())
        return scored and any(one["kind"] == ROW for one in listed)

    @property
    def manifest(self) -> dict[str, Any]:
        """The manifest of the version."""
        return self.engine.artifact.manifest

    @property
    def key(self) -> Key:
        """What it is made of: the version, and the snapshot."""
        return key_of(self.version, self.generation)


class Canary(NamedTuple):
    """``share``: of the entities, 0 to 1."""

    publication: Publication
    share: float


def key_of(version: str, generation: Generation | None) -> Key:
    """What a publication of this version for this generation is made of."""
    return version, None if generation is None else generation.snapshot_id
