"""The smallest model that keeps the protocol, and a day of its scores, published for tests.

It proves that the platform carries any model: nothing here belongs to the sales forecast but
its two tables, which are borrowed so that no migration is needed.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from functools import lru_cache
from importlib.metadata import EntryPoint
from itertools import product

import numpy as np
import xgboost
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field
from sqlalchemy import Connection

from daybreak.clock import AsOf
from daybreak.errors import OutsideHorizon
from daybreak.ledger.champions import promote
from daybreak.ledger.generations import (
    Generation,
    get_generation,
    mark_audited,
    mark_staged,
    open_generation,
    publish,
)
from daybreak.models import GROUP
from daybreak.models.base import (
    NO_OPTIONS,
    Answers,
    Context,
    Day,
    Endpoint,
    Float32,
    Given,
    Learning,
    Model,
    Nightly,
    Options,
    Part,
    Progress,
    Questions,
    Remarks,
    SnapshotRows,
    Span,
    Trained,
    Verdict,
    quiet,
)
from daybreak.models.sales_forecast.tables import scores as score_sales_forecast
from daybreak.models.sales_forecast.tables import snapshots as snapshot_sales_forecast
from daybreak.registry.artifact import Artifact
from daybreak.runtime import Runtime
from daybreak.scoring.audit import audit_generation
from daybreak.scoring.batch import score_shard
from daybreak.scoring.engines.predictor import Predictor
from daybreak.scoring.snapshot_shards import write_snapshot
from daybreak.warehouse.engine import begin

HORIZON = 7
STORES = ("S1", "S2")
ITEMS = ("apple", "pear", "ünï ✓")
KEYS = tuple(product(STORES, ITEMS))
SCORES = ("p10", "p50", "p90", "mean")
DAY = date(2026, 2, 1)


class ToyRequest(BaseModel):
    """Which row, and the price if it is another one than planned."""

    model_config = ConfigDict(extra="forbid")

    store: str = Field(min_length=1, max_length=50)
    item: str = Field(min_length=1, max_length=50)
    date: date
    price: float | None = Field(None, gt=0, lt=1e6, allow_inf_nan=False)


class ToyNightly(Nightly):
    """Every entity for a week ahead; ``level`` moves every score."""

    keys = ("store_id", "item_id")
    snapshot_table = snapshot_sales_forecast
    score_table = score_sales_forecast

    def __init__(self, level: float = 1.0) -> None:
        self.level = level

    def layout(self, options: Options = NO_OPTIONS) -> tuple[str, ...]:
        return ("level", "price")

    def rows(
        self, warehouse: Connection, span: Span, context: Context, part: Part
    ) -> Iterator[SnapshotRows]:
        yield snapshot_rows(self.level)

    def questions(self, day: Day, entities: int) -> Questions:
        assert day.business_date is not None
        ahead = np.datetime64(day.business_date, "D") + np.arange(1, HORIZON + 1)
        return Questions(
            np.repeat(np.arange(entities), HORIZON), {"date": np.tile(ahead, entities)}
        )

    def rows_per_entity(self, day: Day) -> int:
        return HORIZON


@dataclass(frozen=True)
class ToyRows:
    """Scores from two snapshot values (level, price), the weekday and the horizon."""

    business_date: date
    scale: np.float32
    entities: SnapshotRows
    place: NDArray[np.int64]
    horizon: NDArray[np.int64]
    price: Float32

    @property
    def target(self) -> NDArray[np.datetime64]:
        return np.datetime64(self.business_date, "D") + self.horizon

    @property
    def features(self) -> Float32:
        planned = self.planned
        given = ~np.isnan(self.price)
        planned[given, 1] = self.price[given]
        return planned

    @property
    def planned(self) -> Float32:
        features = np.empty((len(self.place), 4), np.float32)
        features[:, :2] = self.entities.values[self.place]
        features[:, 2] = (self.target.astype(np.int64) + 3) % 7
        features[:, 3] = self.horizon
        return features

    def answers(self, margins: Float32) -> Answers:
        ordered = np.maximum(np.sort(margins[:, :3], axis=1) * self.scale, np.float32(0))
        columns = np.column_stack([ordered, margins[:, 3] * self.scale])
        identity = {
            "store_id": self.entities.keys[0][self.place],
            "item_id": self.entities.keys[1][self.place],
            "horizon": self.horizon.astype(np.int16),
            "target_date": self.target,
        }
        return Answers({**identity, **{name: columns[:, i] for i, name in enumerate(SCORES)}})

    def remarks(self, question: int) -> Remarks:
        same = self.features[question].tobytes() == self.planned[question].tobytes()
        return Remarks("published" if same else "live")


class ToyScorer:
    """``scale`` of the manifest multiplies the scores."""

    def __init__(self, artifact: Artifact, day: Day) -> None:
        assert day.business_date is not None
        self.scale = np.float32(artifact.manifest["scale"])
        self.business_date = day.business_date

    def rows(self, given: Given, questions: Questions) -> ToyRows:
        asked = questions.columns["date"].astype("M8[D]")
        horizon = (asked - np.datetime64(self.business_date, "D")).astype(np.int64)
        for day in asked[(horizon < 1) | (horizon > HORIZON)]:
            first, last = (self.business_date + timedelta(days=n) for n in (1, HORIZON))
            raise OutsideHorizon(
                f"date {day} is outside the horizon.",
                remedy=f"Ask for a date from {first} to {last}.",
                field="date",
                first=first.isoformat(),
                last=last.isoformat(),
            )
        return ToyRows(
            self.business_date,
            self.scale,
            given.entities,
            questions.entity,
            horizon,
            questions.number("price"),
        )


class ToyLearning(Learning):
    """Learns nothing and is never refused."""

    def train(
        self,
        warehouse: Connection,
        as_of: AsOf,
        progress: Progress = quiet,
        options: Options = NO_OPTIONS,
    ) -> Trained:
        return Trained(booster(), {"trained_through": as_of.business_date.isoformat()})

    def judge(
        self,
        warehouse: Connection,
        as_of: AsOf,
        challenger: Artifact,
        champion: Artifact | None,
        progress: Progress = quiet,
    ) -> Verdict:
        return Verdict(True, "Passed.", {})


def toy(level: float = 1.0) -> Model[ToyRequest]:
    """The model; ``level`` changes its snapshots."""
    return Model(
        "toy",
        Endpoint(ToyRequest, entity=lambda request: (request.store, request.item)),
        scorer=ToyScorer,
        features=("level", "price", "weekday", "horizon"),
        nightly=ToyNightly(level),
        learning="toy:LEARNING",
    )


LEARNING = ToyLearning()
TOY = toy()
MODEL = TOY


def snapshot_rows(level: float) -> SnapshotRows:
    """Rows of all entities in key order; ``level`` moves every score."""
    stores, items = (np.array(column, object) for column in zip(*KEYS, strict=True))
    ranks = np.arange(len(KEYS), dtype=np.float32)
    values = np.column_stack([np.float32(level) * (10 + ranks / 3), 2 + ranks / 7])
    return SnapshotRows((stores, items), values.astype(np.float32))


@lru_cache(maxsize=1)
def booster() -> bytes:
    """Four outputs, base margin 0, trained on noise with a slope for level and price."""
    random = np.random.default_rng(7)
    X = random.uniform((0, 1, 0, 1), (60, 5, 7, 8), (2000, 4)).astype(np.float32)
    base = X[:, 0] * 0.8 - X[:, 1] * 2 + np.sin(X[:, 2])
    noise = random.normal(0, 1, (2000, 4))
    y = base[:, None] + noise + np.array([-2, 0, 2, 0])
    trained = xgboost.train(
        {"objective": "reg:squarederror", "base_score": 0, "max_depth": 4, "nthread": 1},
        xgboost.DMatrix(X, y),
        num_boost_round=20,
    )
    return bytes(trained.save_raw("ubj"))


def publish_day(
    runtime: Runtime,
    business_date: date = DAY,
    *,
    level: float = 1.0,
    scale: float = 1.0,
    run_key: str = "test",
    lead: timedelta = timedelta(0),
    files: Mapping[str, bytes] | None = None,
) -> Generation:
    """Register a version and publish its scores of a day, by the writers that a nightly run uses.

    ``level`` changes the snapshot and ``scale`` the version, so that generations differ
    in their scores. The endpoint follows ``lead`` later. ``files``: of the
    version.
    """
    now = datetime.combine(business_date, datetime.min.time(), UTC) + timedelta(days=1, hours=2)
    cutoff = now + timedelta(seconds=level)  # another level is another snapshot
    model = toy(level)
    version = _put_in_force(runtime, now, scale, files)
    predictor = Predictor(runtime.registry.load(TOY.name, version), threads=1)
    with begin(runtime.engine) as conn:
        snapshot_id = write_snapshot(conn, model, AsOf(business_date, cutoff), now)
        generation = open_generation(
            conn,
            model=TOY.name,
            business_date=business_date,
            run_key=f"{run_key}/{level}/{scale}",
            run_type="manual",
            cutoff=now,
            version=version,
            snapshot_id=snapshot_id,
            now=now,
        )
        rows = score_shard(conn, model, predictor, generation, shard=0, first=0, last=len(KEYS))
        assert audit_generation(conn, model, generation) == rows
        mark_staged(conn, generation.generation_id, rows, now)
        mark_audited(conn, generation.generation_id, now)
        publish(conn, generation.generation_id, now, lead)
        return get_generation(conn, generation.generation_id)


def _put_in_force(
    runtime: Runtime, now: datetime, scale: float, files: Mapping[str, bytes] | None
) -> str:
    manifest = {
        "trained_through": (now - timedelta(days=2)).date().isoformat(),
        "features": list(TOY.features),
        "scale": scale,
    }
    version = runtime.registry.register(TOY.name, booster(), manifest, files)
    with begin(runtime.engine) as conn:
        promote(
            conn,
            model=TOY.name,
            version=version,
            effective_from=now,
            reason="test",
            evidence={},
            actor="test",
            now=now,
        )
    return version


def only_the_toy(group: str = GROUP) -> dict[str, EntryPoint]:
    """What ``daybreak.models`` finds where no other model is installed."""
    place = "toy:MODEL" if group == GROUP else "daybreak.models.schedule:DAILY"
    return {"toy": EntryPoint("toy", place, group)}
