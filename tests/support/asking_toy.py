"""The toy model, as one that asks somebody before it is published."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from sqlalchemy import Connection, FromClause, func, select

import toy
from daybreak.models.base import Day, Model, Proposal
from daybreak.models.schedule import DAILY
from daybreak.registry.artifact import Artifact

PERCENT = "percent"


class AskingNightly(toy.ToyNightly):
    """Asks about every generation that has no terms yet."""

    schedule = replace(DAILY, asks=True)

    def proposal(self, warehouse: Connection, scored: FromClause, day: Day) -> Proposal | None:
        if day.terms:
            return None
        total = warehouse.scalar(select(func.sum(scored.c.mean)))
        return Proposal("42 rows", "**42** rows", {"mean": float(total or 0)}, 6.0, PERCENT)


class AskingScorer(toy.ToyScorer):
    """Scores are so many per cent of what they would be."""

    def __init__(self, artifact: Artifact, day: Day) -> None:
        super().__init__(artifact, day)
        self.scale = np.float32(self.scale * day.terms.get(PERCENT, 100) / 100)


ASKING = Model(
    "toy",
    toy.TOY.endpoint,
    scorer=AskingScorer,
    features=toy.TOY.features,
    nightly=AskingNightly(),
    learning="toy:LEARNING",
)
