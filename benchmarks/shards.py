"""Shards in this process, or in several as mapped tasks of Airflow are."""

from __future__ import annotations

from argparse import ArgumentParser
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from contextlib import contextmanager
from functools import lru_cache
from multiprocessing import get_context
from typing import Any

from sqlalchemy import Engine

from benchmarks.facts import AS_OF, CUTOFF
from benchmarks.stages import Stages, peak_mb, reset_peak
from daybreak.jobs.snapshots import READ_AT_ONCE
from daybreak.ledger.generations import Generation
from daybreak.models import get_model
from daybreak.models.base import AnyModel
from daybreak.registry.artifact import Artifact
from daybreak.scoring import batch, snapshot_plan, snapshot_shards
from daybreak.scoring.engines.predictor import Predictor
from daybreak.warehouse.engine import begin, make_engine

SNAPSHOT = ("plan snapshot", "read facts", "share", "build shards", "finish snapshot")


class Workers:
    """Takes tasks; without processes they run in this one, as ``daybreak score`` runs them."""

    def __init__(self, engine: Engine, pool: ProcessPoolExecutor | None) -> None:
        self._engine, self._pool = engine, pool
        self._dsn = engine.url.render_as_string(hide_password=False)

    def run(
        self,
        stages: Stages,
        name: str,
        task: Callable[..., Any],
        arguments: Iterable[Any],
        at_once: int = 1,
    ) -> list[Any]:
        """The results of ``task(engine, *one)``; the stage has the peak of the largest process.

        ``at_once``: so many threads, where there are no processes.
        """
        with stages.stage(name):
            if self._pool is None:
                with ThreadPoolExecutor(at_once) as threads:
                    return list(threads.map(lambda one: task(self._engine, *one), arguments))
            waiting = [self._pool.submit(_away, self._dsn, task, one) for one in arguments]
            done = [one.result() for one in waiting]
        stages.peak_mb[name] = max([stages.peak_mb[name], *(peak for _, peak in done)])
        return [result for result, _ in done]


@contextmanager
def workers(engine: Engine, processes: int) -> Iterator[Workers]:
    """Processes that have started and imported what they need, as workers of Celery have."""
    if not processes:
        yield Workers(engine, None)
        return
    with ProcessPoolExecutor(processes, get_context("spawn")) as pool:
        list(pool.map(_ready, range(2 * processes)))
        yield Workers(engine, pool)


def add_processes(parser: ArgumentParser) -> None:
    """The option ``--shards-in-processes``."""
    parser.add_argument(
        "--shards-in-processes",
        type=int,
        default=0,
        metavar="N",
        help="run shards in N processes, as mapped tasks run",
    )


def take_snapshot(engine: Engine, stages: Stages, model: AnyModel, workers: Workers) -> int:
    """Plan, read, share, build and finish the snapshot of the day; returns its id."""
    with stages.stage("plan snapshot"), begin(engine) as conn:
        planned = snapshot_plan.plan(conn, model, AS_OF, CUTOFF)
    number = planned.snapshot_id
    to_read = [(model.name, number, shard) for shard in planned.to_read]
    workers.run(stages, "read facts", _read, to_read, READ_AT_ONCE)
    with stages.stage("share"), begin(engine) as conn:
        snapshot_shards.share(conn, model, number)
    to_build = [(model.name, number, shard) for shard in planned.shards]
    workers.run(stages, "build shards", _build, to_build)
    with stages.stage("finish snapshot"), begin(engine) as conn:
        snapshot_shards.finish(conn, model, number, CUTOFF)
    return number


def score(engine: Engine, artifact: Artifact, generation: Generation, shard: dict[str, int]) -> int:
    """What the task ``score_shard`` does; each loads its own version."""
    predictor = Predictor(artifact)
    with begin(engine) as conn:
        return batch.score_shard(conn, get_model(artifact.model), predictor, generation, **shard)


def _read(engine: Engine, model: str, snapshot_id: int, shard: int) -> None:
    with begin(engine) as conn:
        snapshot_shards.read(conn, get_model(model), snapshot_id, shard)


def _build(engine: Engine, model: str, snapshot_id: int, shard: int) -> None:
    with begin(engine) as conn:
        snapshot_shards.build(conn, get_model(model), snapshot_id, shard)


def _away(dsn: str, task: Callable[..., Any], arguments: Any) -> tuple[Any, float]:
    reset_peak()
    result = task(_engine(dsn), *arguments)
    return result, peak_mb()


@lru_cache(maxsize=1)
def _engine(dsn: str) -> Engine:
    return make_engine(dsn)


def _ready(_place: int) -> None:
    for model in ("sales_forecast", "recommendations"):
        get_model(model)
