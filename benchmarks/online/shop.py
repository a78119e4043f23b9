"""A shop with versions of the sales forecast to be published, in a warehouse of its own."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
from sqlalchemy import Engine, select

from benchmarks.bench_forecast import DEPTH, grow
from benchmarks.facts import AS_OF, BUSINESS_DATE, CUTOFF, fill, temporary_server
from benchmarks.online.witness import Question, Scores
from daybreak.jobs.registering import register_trained
from daybreak.ledger.generations import mark_audited, mark_staged, open_generation
from daybreak.models.base import Day, Trained
from daybreak.models.sales_forecast.link import SCORES
from daybreak.models.sales_forecast.model import MODEL
from daybreak.platform.postgres import Postgres
from daybreak.runtime import Runtime
from daybreak.scoring.audit import audit_generation
from daybreak.scoring.batch import rows_of_a_night, score_shard
from daybreak.scoring.engines.opening import open_engine
from daybreak.scoring.snapshot_shards import write_snapshot
from daybreak.scoring.snapshots import read_snapshot
from daybreak.settings import Settings
from daybreak.warehouse.engine import begin, connect

DAYS = 90


@dataclass(frozen=True)
class Size:
    """Of the shop, and of the trees of a version: four a round."""

    stores: int = 2
    items: int = 5
    rounds: int = 50
    depth: int = DEPTH

    @property
    def series(self) -> int:
        return self.stores * self.items


@dataclass
class Shop:
    """Versions of the forecast over one snapshot, and generations of them to be published."""

    runtime: Runtime
    postgres: Postgres
    size: Size
    snapshot_id: int
    versions: list[str]
    staged: int = 0

    def stage(self) -> dict[str, Any]:
        """A generation of one version after the other in turn, whole but invisible."""
        version = self.versions[self.staged % len(self.versions)]
        self.staged += 1
        engine = open_engine(self.runtime.registry.load(MODEL.name, version), threads=1)
        with begin(self.runtime.engine) as conn:
            made = open_generation(
                conn,
                model=MODEL.name,
                business_date=BUSINESS_DATE,
                run_key=f"bench/{self.staged}",
                run_type="cli",
                cutoff=CUTOFF,
                version=version,
                snapshot_id=self.snapshot_id,
                now=CUTOFF,
            )
            whole = {"shard": 0, "first": 0, "last": self.size.series}
            rows = score_shard(conn, MODEL, engine, made, **whole)
            audit_generation(conn, MODEL, made)
            mark_staged(conn, made.generation_id, rows, CUTOFF)
            mark_audited(conn, made.generation_id, CUTOFF)
        return {
            "run_key": made.run_key,
            "model": MODEL.name,
            "business_date": BUSINESS_DATE.isoformat(),
            "generation_id": made.generation_id,
            "version": version,
        }

    def scores(self, generation_id: int) -> dict[Question, Scores]:
        """What the table has of a generation, each number as its shortest decimal."""
        table = MODEL.night.score_table
        query = select(table).where(table.c.generation_id == generation_id)
        with connect(self.runtime.engine) as conn:
            return {
                (row.store_id, row.item_id, row.target_date.isoformat()): tuple(
                    float(str(np.float32(getattr(row, name)))) for name in SCORES
                )
                for row in conn.execute(query)
            }


@contextmanager
def shop(size: Size, offsets: Sequence[float] = (0.0,)) -> Iterator[Shop]:
    """Facts, a snapshot, and as many versions as there are ``offsets``: what each adds to its
    means, by which answers of one can be told from those of another."""
    with (
        temporary_server() as (postgres, engine),
        TemporaryDirectory(prefix="dbk-bench-") as home,
    ):
        url = engine.url.render_as_string(hide_password=False)
        runtime = Runtime(Settings(home=Path(home), warehouse_url=url))
        fill(engine, size.stores, size.items, DAYS)
        with begin(engine) as conn:
            snapshot_id = write_snapshot(conn, MODEL, AS_OF, CUTOFF)
        versions = _versions(runtime, engine, size, snapshot_id, offsets)
        yield Shop(runtime, postgres, size, snapshot_id, versions)
        runtime.engine.dispose()


def _versions(
    runtime: Runtime, engine: Engine, size: Size, snapshot_id: int, offsets: Sequence[float]
) -> list[str]:
    with connect(engine) as conn:
        snapshot = read_snapshot(conn, MODEL, snapshot_id, 0, size.series)
    day = Day(BUSINESS_DATE)
    untrained = type("Artifact", (), {"manifest": {"calibration": {}}, "files": {}})
    rows = rows_of_a_night(MODEL.night, MODEL.scorer(untrained, day), day, snapshot)  # type: ignore[arg-type]  # it asks for nothing else
    grown = grow(rows.features, size.rounds, size.depth)
    made = []
    for offset in offsets:
        calibration = {"round": False, "p10": [-0.1] * 28, "p90": [0.1] * 28}
        calibration |= {"mean": [offset] * 28}
        manifest = grown.manifest | {
            "trained_through": BUSINESS_DATE.isoformat(),
            "calibration": calibration,
        }
        trained = Trained(grown.booster, manifest, examples=rows.features)
        made.append(register_trained(runtime, MODEL.name, trained))
    return made
