"""The least model on another model's scores: units of the coming week, a formula."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from pydantic import BaseModel
from sqlalchemy import REAL, Column, Connection, Text
from week_ahead_schedule import SCHEDULE

from daybreak.clock import AsOf
from daybreak.facts.scores import read_scores
from daybreak.models import base, get_model
from daybreak.registry.artifact import Artifact
from daybreak.warehouse.model_tables import score_table, snapshot_table

KEYS = ("store_id", "item_id")


class Request(BaseModel):
    """A series."""

    store: str
    item: str


@dataclass(frozen=True)
class Rows:
    """One row a question."""

    entities: base.SnapshotRows
    questions: base.Questions

    @property
    def features(self) -> base.Float32:
        return np.empty((len(self.questions), 0), np.float32)

    def answers(self, margins: base.Float32) -> base.Answers:
        place = self.questions.entity
        keys = dict(zip(KEYS, (names[place] for names in self.entities.keys), strict=True))
        return base.Answers({**keys, "units": self.entities.values[place, 0]})

    def remarks(self, question: int) -> base.Remarks:
        return base.Remarks("published")


class Scorer:
    def __init__(self, artifact: Artifact, day: base.Day) -> None:
        pass

    def rows(self, given: base.Given, questions: base.Questions) -> Rows:
        return Rows(given.entities, questions)


class Night(base.Nightly):
    schedule = SCHEDULE
    keys = KEYS
    snapshot_table = snapshot_table("week_ahead", KEYS)
    score_table = score_table(
        "week_ahead",
        [Column(name, Text, primary_key=True) for name in KEYS],
        [Column("units", REAL, nullable=False, comment="mean of the coming seven days")],
    )

    def layout(self) -> tuple[str, ...]:
        return ("units",)

    def build_snapshot(
        self, warehouse: Connection, as_of: AsOf, options: base.Options = base.NO_OPTIONS
    ) -> base.Snapshot:
        table = get_model("sales_forecast").night.score_table
        scores = read_scores(warehouse, "sales_forecast", table, as_of).columns
        week = scores["horizon"] <= 7
        units = scores["mean"][week].reshape(-1, 7).sum(axis=1, keepdims=True)
        keys = tuple(scores[name][week][::7] for name in KEYS)
        return base.Snapshot(iter([base.SnapshotRows(keys, units.astype(np.float32))]))


MODEL = base.Model(
    "week_ahead",
    base.Endpoint(Request, entity=lambda request: (request.store, request.item)),
    scorer=Scorer,
    nightly=Night(),
)
