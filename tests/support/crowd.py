"""The toy with two hundred entities, whose nights a test draws, publishes and measures."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, timedelta
from typing import Any

import numpy as np
from sqlalchemy import Connection

import toy
from daybreak.clock import AsOf
from daybreak.jobs import drift
from daybreak.jobs.addresses import GenerationAddress
from daybreak.ledger.champions import promote
from daybreak.ledger.generations import (
    get_generation,
    mark_audited,
    mark_staged,
    open_generation,
    publish,
)
from daybreak.models.base import Context, Measured, Model, Part, SnapshotRows, Span
from daybreak.monitoring.steps import begin_run
from daybreak.runtime import Runtime
from daybreak.scoring.audit import audit_generation
from daybreak.scoring.batch import score_shard
from daybreak.scoring.engines.predictor import Predictor
from daybreak.scoring.snapshot_shards import write_snapshot
from daybreak.warehouse.engine import begin

FIRST = date(2026, 1, 1)
ENTITIES = 200


@dataclass
class Crowd:
    """``shift`` is added to the level of all; ``missing`` of them have no price; ``bias``: of the
    day's forecasts, as it turns out. ``later``: than a night usually runs, for another snapshot."""

    runtime: Runtime
    version: str = ""
    shift: float = 0.0
    missing: int = 0
    entities: int = ENTITIES
    bias: float | None = None
    later: timedelta = timedelta(0)
    published: dict[date, GenerationAddress] = field(default_factory=dict)

    def model(self) -> Model[toy.ToyRequest]:
        """The toy as it is now."""
        return replace(toy.TOY, nightly=CrowdNightly(self))

    def register(self, scale: float = 1.0, **manifest: Any) -> str:
        """A version, in force from the beginning."""
        described = {
            "trained_through": "2025-12-31",
            "features": list(toy.TOY.features),
            "scale": scale,
            **manifest,
        }
        self.version = self.runtime.registry.register(toy.TOY.name, toy.booster(), described)
        with begin(self.runtime.engine) as conn:
            promote(
                conn,
                model=toy.TOY.name,
                version=self.version,
                effective_from=at(FIRST) - timedelta(days=1),
                reason="test",
                evidence={},
                actor="test",
                now=at(FIRST),
            )
        return self.version

    def publish(self, day: date, run_key: str = "night") -> GenerationAddress:
        """Score a day and publish it."""
        now, model = at(day) + self.later, self.model()
        predictor = Predictor(self.runtime.registry.load(model.name, self.version), threads=1)
        key = f"{run_key}/{day}/{self.version}"
        with begin(self.runtime.engine) as conn:
            begin_run(
                conn,
                run_key=key,
                model=model.name,
                business_date=day,
                run_type="scheduled",
                queued_at=now,
                now=now,
            )
            snapshot_id = write_snapshot(conn, model, AsOf(day, now), now)
            generation = open_generation(
                conn,
                model=model.name,
                business_date=day,
                run_key=key,
                run_type="scheduled",
                cutoff=now,
                version=self.version,
                snapshot_id=snapshot_id,
                now=now,
            )
            rows = score_shard(
                conn, model, predictor, generation, shard=0, first=0, last=self.entities
            )
            audit_generation(conn, model, generation)
            mark_staged(conn, generation.generation_id, rows, now)
            mark_audited(conn, generation.generation_id, now)
            publish(conn, generation.generation_id, now)
            made = get_generation(conn, generation.generation_id)
        self.published[day] = GenerationAddress(
            run_key=key,
            run_type="scheduled",
            model=model.name,
            business_date=day.isoformat(),
            knowledge="as_was",
            cutoff=now.isoformat(),
            snapshot_id=snapshot_id,
            rows=self.entities,
            version=self.version,
            generation_id=made.generation_id,
        )
        return self.published[day]

    def night(self, day: date) -> dict[str, Any]:
        """Publish a day and measure it."""
        return drift.measure(self.publish(day), self.runtime)

    def nights(self, first: date, many: int) -> date:
        """So many nights, one after the other; returns the day after them."""
        for one in range(many):
            self.night(first + timedelta(days=one))
        return first + timedelta(days=many)


class CrowdNightly(toy.ToyNightly):
    """Levels have a weekly rhythm: on some weekdays all of them double."""

    def __init__(self, crowd: Crowd) -> None:
        super().__init__()
        self.crowd = crowd

    def rows(
        self, warehouse: Connection, span: Span, context: Context, part: Part
    ) -> Iterator[SnapshotRows]:
        crowd, day = self.crowd, span.as_of.business_date
        random = np.random.default_rng(day.toordinal())
        own = np.linspace(1, 4, crowd.entities)
        rhythm = 2.0 if day.weekday() >= 5 else 1.0
        level = rhythm * own * random.normal(1, 0.03, crowd.entities) + crowd.shift
        price = np.linspace(2, 8, crowd.entities)
        price[: crowd.missing] = np.nan
        names = np.array([f"I{n:04}" for n in range(crowd.entities)], object)
        stores = np.full(crowd.entities, "S1", object)
        yield SnapshotRows((stores, names), np.column_stack([level, price]).astype(np.float32))

    def quality(self, warehouse: Connection, as_of: AsOf) -> Mapping[str, Measured]:
        if self.crowd.bias is None:
            return {}
        return {"bias": Measured(self.crowd.bias, self.crowd.entities, 0.1)}

    def promised(self, manifest: Mapping[str, Any]) -> Mapping[str, float]:
        return {"bias": 0.01}


def at(day: date) -> datetime:
    """When a night runs."""
    return datetime.combine(day, datetime.min.time(), UTC) + timedelta(days=1, hours=2)
