"""The clock of a step of a nightly run."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from daybreak.jobs.addresses import RunAddress
from daybreak.monitoring.steps import WHOLE, Timed, timed_step
from daybreak.runtime import Runtime


@contextmanager
def job_step(runtime: Runtime, run: RunAddress, step: str, shard: int = WHOLE) -> Iterator[Timed]:
    """Time a step of a run, as ``timed_step`` does."""
    with timed_step(
        runtime.engine,
        runtime.metrics,
        runtime.clock,
        run_key=run["run_key"],
        model=run["model"],
        step=step,
        shard=shard,
    ) as timed:
        yield timed
