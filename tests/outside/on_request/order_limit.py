"""Whether a customer may order: no nightly run, no trees, nothing to learn. docs/own-model.md."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from pydantic import BaseModel, ConfigDict, Field

from daybreak.models import base
from daybreak.registry.artifact import Artifact


class OrderRequest(BaseModel):
    """An order, and what the customer owes already."""

    model_config = ConfigDict(strict=True, extra="forbid", frozen=True)

    owed: float = Field(ge=0, le=1e9)
    amount: float = Field(gt=0, le=1e9)


class OrderPrediction(BaseModel):
    """One row of the answer; there is no score table to take it from."""

    allowed: bool
    over: float = Field(description="By how much the limit is passed; 0 where it is not.")


@dataclass(frozen=True)
class OrderRows:
    """One row a question."""

    features: base.Float32  # (m, 0), as there is no engine
    over: base.Float32

    def answers(self, margins: base.Float32) -> base.Answers:
        return base.Answers({"allowed": self.over == 0, "over": self.over})

    def remarks(self, question: int) -> base.Remarks:
        return base.Remarks("live")


class OrderScorer:
    """The limit is a number of the version's manifest."""

    def __init__(self, artifact: Artifact, day: base.Day) -> None:
        self.limit = np.float32(artifact.manifest["limit"])

    def rows(self, given: base.Given, questions: base.Questions) -> OrderRows:
        due = questions.number("owed") + questions.number("amount")
        nothing = np.empty((len(questions), 0), np.float32)
        return OrderRows(nothing, np.maximum(due - self.limit, np.float32(0)))


MODEL = base.Model(
    "order_limit",
    base.Endpoint(OrderRequest, prediction=OrderPrediction),
    scorer=OrderScorer,
)
