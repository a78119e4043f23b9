"""The metrics of one app. All names begin with ``daybreak_``; docs/api.md lists them.

Under gunicorn the processes add up what they count by files (``processes.py``), and nobody else
does: elsewhere each app has a registry of its own.
"""

from __future__ import annotations

from collections import Counter as Counts
from threading import Lock
from typing import Any

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

from daybreak.errors import DaybreakError
from daybreak.serving.answers import Answered

BUCKETS = (
    *(0.0002, 0.0003, 0.0005, 0.0007, 0.001, 0.0015, 0.002, 0.003, 0.005, 0.01, 0.02, 0.05),
    *(0.1, 0.2, 0.5, 1.0, 2.0, 5.0),
)
"""Seconds: fine where answers from memory are, up to what an application gives up at."""
NO_ROUTE = "none"
"""Of a path that there is not, and of what is refused before the app sees it."""


class _Children(dict[tuple[str | int, ...], Any]):
    """The children of a metric by their labels: its own look-up takes 2 µs, this 0.1 µs."""

    def __init__(self, parent: Counter | Histogram | Gauge) -> None:
        super().__init__()
        self._parent = parent

    def __missing__(self, labels: tuple[str | int, ...]) -> Any:
        child = self[labels] = self._parent.labels(*labels)
        return child


class ServiceMetrics:
    """Counts for all threads of a process."""

    def __init__(self) -> None:
        self.registry = registry = CollectorRegistry()
        self.predictions = Histogram(
            "daybreak_prediction_seconds",
            "Time inside the app of predictions that were answered.",
            ("model", "source"),
            buckets=BUCKETS,
            registry=registry,
        )
        self.requests = Counter(
            "daybreak_requests",
            "Answers, also refusals that the app never saw; code is that of an error.",
            ("route", "status", "code"),
            registry=registry,
        )
        self.cache_lookups = Counter(
            "daybreak_cache_lookups",
            "What was asked of memory: answers given before, rows of snapshots.",
            ("cache", "result"),
            registry=registry,
        )
        self.confirmed = Gauge(
            "daybreak_publication_confirmed_timestamp_seconds",
            "When the warehouse confirmed last what is in force; of all processes the oldest.",
            ("model",),
            registry=registry,
            multiprocess_mode="livemin",
        )
        self.connections = _of_a_worker("daybreak_connections", "Connections held.", registry)
        self.queued = _of_a_worker(
            "daybreak_queued_requests", "Requests that wait for a thread.", registry
        )
        self.busy = _of_a_worker(
            "daybreak_busy_threads",
            "Requests in the app: answered, or waiting for the warehouse.",
            registry,
        )
        self.memory = _of_a_worker(
            "daybreak_memory_bytes", "Resident memory of a process.", registry
        )
        self._latency = _Children(self.predictions)
        self._counted = _Children(self.requests)
        self._cached: Counts[tuple[str, str]] = Counts()
        self._lock = Lock()

    def answered(self, route: str, status: int, code: str) -> None:
        """Count one answer; ``code`` is empty where it is no error."""
        self._counted[route, status, code].inc()

    def predicted(self, answered: Answered, seconds: float) -> None:
        """Count one prediction and how long it took."""
        self._latency[answered.model, answered.source].observe(seconds)

    def refused(self, error: DaybreakError) -> None:
        """Count what was refused before the app saw it."""
        self.answered(NO_ROUTE, error.status, error.code)

    def looked_up(self, cache: str, *, hits: int, misses: int) -> None:
        """Take over what a cache has counted since the start of the process."""
        with self._lock:
            for result, total in (("hit", hits), ("miss", misses)):
                # Who waited for the lock may have less than what was taken over meanwhile.
                more = max(total - self._cached[cache, result], 0)
                self._cached[cache, result] += more
                self.cache_lookups.labels(cache, result).inc(more)


def _of_a_worker(name: str, documentation: str, registry: CollectorRegistry) -> Gauge:
    return Gauge(name, documentation, ("worker",), registry=registry, multiprocess_mode="livesum")
