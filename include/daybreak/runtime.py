"""The one composition root: settings, clock, engine, registry and metrics, opened when first used.

Every job takes ``runtime=None`` as its last parameter and falls back to ``get_runtime()``;
tests pass their own. Nothing connects at import.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cached_property, lru_cache
from typing import TYPE_CHECKING

from daybreak.settings import Part, Settings, load_settings

if TYPE_CHECKING:
    from sqlalchemy import Engine

    from daybreak.monitoring.metrics import Metrics
    from daybreak.registry.registry import Registry
    from daybreak.warehouse.asking import Asking


ANSWER_SECONDS = 5
"""That a statement of the service may take; each takes milliseconds."""
REPORT_SECONDS = 8
"""That a question of the page may take; most take milliseconds."""


def system_clock() -> datetime:
    """The present moment in UTC. The only place that asks the system for it."""
    return datetime.now(UTC)


@dataclass
class Runtime:
    """What a job needs of the outside world. Members open lazily and once."""

    settings: Settings = field(default_factory=load_settings)
    clock: Callable[[], datetime] = system_clock
    part: Part = "jobs"

    @contextmanager
    def on_dataset(self, dataset: str | None) -> Iterator[Runtime]:
        """The runtime on the warehouse of a data set: each embedded one has its own database."""
        if dataset is None or dataset == self.settings.dataset:
            yield self
            return
        own = {"dataset": dataset, "dataset_path": None}  # the path is that of our data set
        other = Runtime(self.settings.model_copy(update=own), self.clock, self.part)
        try:
            yield other
        finally:
            other.engine.dispose()

    @cached_property
    def engine(self) -> Engine:
        """SQLAlchemy engine on the warehouse, with the rights that this part needs."""
        from daybreak.warehouse.engine import make_engine

        seconds = ANSWER_SECONDS if self.part == "service" else None
        return make_engine(self.settings.dsn_for(self.part), within=seconds)

    @cached_property
    def lone_statements(self) -> Engine:
        """An engine whose statements are a transaction each, for what is asked in one."""
        from daybreak.warehouse.engine import make_engine

        return make_engine(self.settings.dsn_for(self.part), within=ANSWER_SECONDS, alone=True)

    @cached_property
    def asking(self) -> Asking:
        """How requests read in the warehouse, so that not all of them wait where it hangs."""
        from daybreak.warehouse.asking import Asking

        return Asking(lambda: self.engine)

    @cached_property
    def report_engine(self) -> Engine:
        """An engine that reads reports, with the rights for these."""
        from daybreak.warehouse.engine import make_engine

        dsn = self.settings.dsn_for("reports")
        return make_engine(dsn, within=REPORT_SECONDS + 1, by_keys=False)

    @cached_property
    def reports(self) -> Asking:
        """How the page reads reports, so that its questions do not take all threads."""
        from daybreak.warehouse.asking import Asking

        return Asking(lambda: self.report_engine)

    @cached_property
    def registry(self) -> Registry:
        """Registry of model versions."""
        from daybreak.registry.registry import Registry
        from daybreak.registry.store import open_store

        store = open_store(self.settings.registry_location, self.settings.s3_endpoint_url)
        return Registry(store, self.engine, self.clock)

    @cached_property
    def metrics(self) -> Metrics:
        """statsd client, or one that drops everything where no daemon is configured."""
        from daybreak.monitoring.metrics import open_metrics

        return open_metrics(self.settings.statsd_host, self.settings.statsd_port)


@lru_cache
def get_runtime(part: Part = "jobs") -> Runtime:
    """The process-wide runtime, made from the environment on first use."""
    return Runtime(part=part)
