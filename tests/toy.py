"""The smallest model that keeps the protocol, and a day of its scores, published for tests.

It proves that the platform carries any model: nothing here belongs to the sales forecast but
its two tables, which are borrowed so that no migration is needed.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, date, datetime, timedelta
from functools import lru_cache
from importlib.metadata import EntryPoint
from itertools import product
from typing import Any

import numpy as np
import xgboost
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field
from sqlalchemy import Connection, FromClause, Select

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
    Columns,
    Context,
    Float32,
    Options,
    Progress,
    Question,
    ScoringRows,
    Snapshot,
    SnapshotRows,
    Trained,
    quiet,
)
from daybreak.registry.artifact import Artifact
from daybreak.runtime import Runtime
from daybreak.scoring.audit import audit_generation
from daybreak.scoring.batch import score_shard
from daybreak.scoring.engines.predictor import Predictor
from daybreak.scoring.snapshots import write_snapshot
from daybreak.warehouse.engine import begin
from daybreak.warehouse.tables import score_sales_forecast, snapshot_sales_forecast

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


class Toy:
    """Scores from two snapshot values (level, price), the weekday and the horizon."""

    name = "toy"
    keys: tuple[str, ...] = ("store_id", "item_id")
    stranger = None
    notes = None
    snapshot_table = snapshot_sales_forecast
    score_table = score_sales_forecast
    request: type[BaseModel] = ToyRequest

    def __init__(self, level: float = 1.0) -> None:
        self.level = level

    def layout(self) -> tuple[str, ...]:
        return ("level", "price")

    def record_layout(self) -> tuple[str, ...]:
        return ()

    def context_layout(self) -> tuple[str, ...]:
        return ()

    def features(self) -> tuple[str, ...]:
        return ("level", "price", "weekday", "horizon")

    def build_snapshot(
        self, warehouse: Connection, as_of: AsOf, options: Options = NO_OPTIONS
    ) -> Snapshot:
        return Snapshot(iter([snapshot_rows(self.level)]))

    def scorer(self, artifact: Artifact, context: Context, business_date: date) -> ToyScorer:
        return ToyScorer(artifact.manifest, business_date)

    def rows_per_entity(self, context: Context) -> int:
        return HORIZON

    def entity(self, request: BaseModel) -> tuple[str, ...]:
        assert isinstance(request, ToyRequest)
        return (request.store, request.item)

    def train(
        self,
        warehouse: Connection,
        as_of: AsOf,
        progress: Progress = quiet,
        options: Options = NO_OPTIONS,
    ) -> Trained:
        return Trained(booster(), {"trained_through": as_of.business_date.isoformat()})

    def audit(self, columns: Mapping[str, NDArray[Any]]) -> list[str]:
        return []

    def audit_queries(self, scored: FromClause) -> dict[str, Select[int]]:
        return {}


class ToyScorer:
    """``scale`` of the manifest multiplies the scores."""

    def __init__(self, manifest: Mapping[str, Any], business_date: date) -> None:
        self.scale = np.float32(manifest["scale"])
        self.business_date = business_date

    def batch_rows(self, snapshot: SnapshotRows) -> ScoringRows:
        row, horizon = (
            grid.ravel()
            for grid in np.meshgrid(
                np.arange(len(snapshot)), np.arange(1, HORIZON + 1), indexing="ij"
            )
        )
        return self._rows(snapshot, row, horizon, None)

    def question(self, snapshot: SnapshotRows, request: BaseModel) -> Question:
        assert isinstance(request, ToyRequest)
        horizon = (request.date - self.business_date).days
        if not 1 <= horizon <= HORIZON:
            first, last = (self.business_date + timedelta(days=n) for n in (1, HORIZON))
            raise OutsideHorizon(
                f"date {request.date} lies outside the horizon.",
                remedy=f"Ask for a date from {first} to {last}.",
                field="date",
                first=first.isoformat(),
                last=last.isoformat(),
            )
        place, day = np.array([0]), np.array([horizon])
        rows = self._rows(snapshot, place, day, request.price)
        planned = self._rows(snapshot, place, day, None)
        same = rows.features.tobytes() == planned.features.tobytes()
        return Question(rows, "published" if same else "live")

    def answers(self, margins: Float32, rows: ScoringRows) -> Columns:
        ordered = np.maximum(np.sort(margins[:, :3], axis=1) * self.scale, np.float32(0))
        columns = np.column_stack([ordered, margins[:, 3] * self.scale])
        return {**rows.identity, **{name: columns[:, i] for i, name in enumerate(SCORES)}}

    def _rows(
        self,
        snapshot: SnapshotRows,
        row: NDArray[np.int64],
        horizon: NDArray[np.int64],
        price: float | None,
    ) -> ScoringRows:
        target = np.datetime64(self.business_date, "D") + horizon
        features = np.empty((len(row), 4), np.float32)
        features[:, :2] = snapshot.values[row]
        if price is not None:
            features[:, 1] = np.float32(price)
        features[:, 2] = (target.astype(np.int64) + 3) % 7
        features[:, 3] = horizon
        identity = {
            "store_id": snapshot.keys[0][row],
            "item_id": snapshot.keys[1][row],
            "horizon": horizon.astype(np.int16),
            "target_date": target,
        }
        return ScoringRows(features, identity)


TOY = Toy()
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
) -> Generation:
    """Register a version and publish its scores of a day, by the writers that a night uses.

    ``level`` changes the snapshot and ``scale`` the version, so that generations can be told
    apart by their scores.
    """
    now = datetime.combine(business_date, datetime.min.time(), UTC) + timedelta(days=1, hours=2)
    cutoff = now + timedelta(seconds=level)  # another level is another snapshot
    model = Toy(level)
    version = _put_in_force(runtime, now, scale)
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
        publish(conn, generation.generation_id, now)
        return get_generation(conn, generation.generation_id)


def _put_in_force(runtime: Runtime, now: datetime, scale: float) -> str:
    manifest = {
        "trained_through": (now - timedelta(days=2)).date().isoformat(),
        "features": list(TOY.features()),
        "scale": scale,
    }
    version = runtime.registry.register(TOY.name, booster(), manifest)
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


def only_the_toy() -> dict[str, EntryPoint]:
    """What ``daybreak.models`` finds where no other model is installed."""
    return {"toy": EntryPoint("toy", "toy:MODEL", GROUP)}
