"""When a stock will be gone: a request on the scores that another model has published."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date

import numpy as np
from pydantic import BaseModel, ConfigDict, Field

from daybreak.models import base
from daybreak.models.schedule import ScoresOf
from daybreak.registry.artifact import Artifact

FORECAST = "sales_forecast"


class StockRequest(BaseModel):
    """An item in a store, and how many of it are there."""

    model_config = ConfigDict(strict=True, extra="forbid", frozen=True)

    store: str = Field(min_length=1, max_length=200)
    item: str = Field(min_length=1, max_length=200)
    on_hand: float = Field(ge=0, le=1e6)


class SellsOut(BaseModel):
    """One row of the answer."""

    on: date | None = Field(description="The first day that the stock is short of; null: none.")
    left: float = Field(description="Units left at the end of the forecast.")


@dataclass(frozen=True)
class StockRows:
    """One row a question, each about the one entity whose scores were given."""

    features: base.Float32
    on_hand: base.Float32
    dates: np.ndarray
    needed: base.Float32

    def answers(self, margins: base.Float32) -> base.Answers:
        short = self.needed > self.on_hand[:, None]
        on = np.where(short.any(axis=1), self.dates[short.argmax(axis=1)], np.datetime64("NaT"))
        left = np.maximum(self.on_hand - self.needed[-1], np.float32(0))
        return base.Answers({"on": on, "left": left})

    def remarks(self, question: int) -> base.Remarks:
        return base.Remarks("live")


class StockScorer:
    """Half of all days need no more than P50."""

    def __init__(self, artifact: Artifact, day: base.Day) -> None:
        pass

    def rows(self, given: base.Given, questions: base.Questions) -> StockRows:
        forecast = given.scores[FORECAST]  # its columns, in the order of its horizons
        needed = np.add.accumulate(forecast["p50"])  # one after the other, so the order is fixed
        nothing = np.empty((len(questions), 0), np.float32)
        return StockRows(nothing, questions.number("on_hand"), forecast["target_date"], needed)


MODEL = base.Model(
    "sells_out",
    base.Endpoint(
        StockRequest,
        entity=lambda request: (request.store, request.item),
        prediction=SellsOut,
    ),
    scorer=StockScorer,
    reads=(ScoresOf(FORECAST),),
)
