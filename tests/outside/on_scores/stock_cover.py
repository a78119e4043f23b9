"""How far a stock lasts: a nightly model on another model's scores, without trees of its own."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field
from sqlalchemy import REAL, Column, Connection, SmallInteger, Text
from stock_cover_schedule import SCHEDULE

from daybreak.facts.scores import read_scores
from daybreak.models import base, get_model
from daybreak.models.options import chosen
from daybreak.registry.artifact import Artifact
from daybreak.warehouse.model_tables import score_table, snapshot_table

DAYS = 7
LAYOUT = tuple(f"through_day_{n}" for n in range(1, DAYS + 1))  # units needed up to then


class CoverRequest(BaseModel):
    """An item in a store, and how many of it are there."""

    model_config = ConfigDict(strict=True, extra="forbid", frozen=True)

    store: str = Field(min_length=1, max_length=200)
    item: str = Field(min_length=1, max_length=200)
    on_hand: float = Field(0.0, ge=0, le=1e6, description="Units in stock; 0: an empty shelf.")


@dataclass(frozen=True)
class CoverRows:
    """One row a question; a nightly row is the answer for an empty shelf."""

    items: base.SnapshotRows
    place: NDArray[np.int64]
    on_hand: base.Float32

    @property
    def features(self) -> base.Float32:
        return np.empty((len(self.place), 0), np.float32)

    def answers(self, margins: base.Float32) -> base.Answers:
        stores, items = (names[self.place] for names in self.items.keys)
        needed = self.items.values[self.place]
        days = (needed <= self.on_hand[:, None]).sum(axis=1).astype(np.int16)
        short = np.maximum(needed[:, -1] - self.on_hand, np.float32(0))
        keys = {"store_id": stores, "item_id": items}
        return base.Answers({**keys, "needed": needed[:, -1], "short": short, "days": days})

    def remarks(self, question: int) -> base.Remarks:
        return base.Remarks("live" if self.on_hand[question] else "published")


class CoverScorer:
    """Nothing is learned: the forecast knows it all."""

    def __init__(self, artifact: Artifact, day: base.Day) -> None:
        pass

    def rows(self, given: base.Given, questions: base.Questions) -> CoverRows:
        on_hand = np.nan_to_num(questions.number("on_hand"))  # nightly questions have no stock
        return CoverRows(given.entities, questions.entity, on_hand)


class CoverNightly(base.Nightly):
    """Every item in every store that the forecast knows."""

    schedule = SCHEDULE
    keys = ("store_id", "item_id")
    snapshot_table = snapshot_table("stock_cover", keys)
    score_table = score_table(
        "stock_cover",
        [Column("store_id", Text, primary_key=True), Column("item_id", Text, primary_key=True)],
        [
            Column("needed", REAL, nullable=False, comment="units that a week of P90 days needs"),
            Column("short", REAL, nullable=False, comment="units missing for that"),
            Column("days", SmallInteger, nullable=False, comment="days that the stock lasts"),
        ],
    )

    def layout(self, options: base.Options = base.NO_OPTIONS) -> tuple[str, ...]:
        return LAYOUT

    def rows(
        self, warehouse: Connection, span: base.Span, context: base.Context, part: base.Part
    ) -> Iterator[base.SnapshotRows]:
        chosen(span.options, {})
        (forecast,) = SCHEDULE.inputs
        table, read = get_model(forecast.model).night.score_table, (*self.keys, "horizon", "p90")
        scores = read_scores(warehouse, forecast.model, table, span.as_of, read).columns
        week = scores["horizon"] <= DAYS  # rows are in the order of store, item and horizon
        needed = np.add.accumulate(scores["p90"][week].reshape(-1, DAYS), axis=1)
        keys = tuple(scores[name][week][::DAYS] for name in self.keys)
        yield base.SnapshotRows(keys, needed)

    def audit(self, columns: Mapping[str, NDArray[Any]], day: base.Day) -> list[str]:
        needed, short, days = (columns[name] for name in ("needed", "short", "days"))
        rules = {
            "units are negative": (needed < 0).any(),
            "an empty shelf is not short of all that is needed": (short != needed).any(),
            "a week does not have so many days": ((days < 0) | (days > DAYS)).any(),
        }
        return [rule for rule, broken in rules.items() if broken]


MODEL = base.Model(
    "stock_cover",
    base.Endpoint(CoverRequest, entity=lambda request: (request.store, request.item)),
    scorer=CoverScorer,
    nightly=CoverNightly(),
)
