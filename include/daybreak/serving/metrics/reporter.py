"""A thread in each process of the service that says, from time to time, what it has counted.

What is not counted request by request is looked at, and the essentials go to statsd: no request
waits for that.
"""

from __future__ import annotations

import logging
from dataclasses import astuple, dataclass
from threading import Event, Thread
from typing import Protocol

import psutil

from daybreak.monitoring.metrics import Metrics
from daybreak.serving.metrics.exposition import sample
from daybreak.serving.metrics.registry import ServiceMetrics
from daybreak.serving.service import Service

logger = logging.getLogger(__name__)
EVERY_SECONDS = 5.0


class Load(Protocol):
    """How busy a process is now: connections held, requests that wait, threads that answer."""

    @property
    def connections(self) -> int: ...  # noqa: D102
    @property
    def queued(self) -> int: ...  # noqa: D102
    @property
    def busy(self) -> int: ...  # noqa: D102


@dataclass(frozen=True)
class Totals:
    """Of one process since its start. ``seconds``: of all predictions."""

    requests: float = 0
    errors: float = 0
    shed: float = 0
    predictions: float = 0
    seconds: float = 0

    @classmethod
    def of(cls, metrics: ServiceMetrics) -> Totals:
        """Everything that was counted."""
        answers = [
            (sample.labels, sample.value)
            for metric in metrics.requests.collect()
            for sample in metric.samples
            if sample.name.endswith("_total")
        ]
        took = [sample for metric in metrics.predictions.collect() for sample in metric.samples]
        return cls(
            requests=sum(count for _, count in answers),
            errors=sum(count for labels, count in answers if labels["status"] >= "500"),
            shed=sum(count for labels, count in answers if labels["code"] == "overloaded"),
            predictions=sum(one.value for one in took if one.name.endswith("_count")),
            seconds=sum(one.value for one in took if one.name.endswith("_sum")),
        )

    def since(self, before: Totals) -> Totals:
        """What came on top."""
        pairs = zip(astuple(self), astuple(before), strict=True)
        return Totals(*(now - then for now, then in pairs))


class Reporter:
    """Reports while its block lasts. ``worker``: the place of the process among those of the
    service."""

    def __init__(self, service: Service, load: Load, *, worker: int) -> None:
        self._service = service
        self._load = load
        self._worker = str(worker)
        self._process = psutil.Process()
        self._sent = Totals()
        self._ended = Event()
        self._thread = Thread(target=self._run, name="metrics", daemon=True)

    def __enter__(self) -> Reporter:
        self._thread.start()
        return self

    def __exit__(self, *_error: object) -> None:
        self._ended.set()

    def report(self) -> None:
        """Look at everything once, and send what is new."""
        sample(self._service)
        metrics, worker = self._service.metrics, self._worker
        metrics.connections.labels(worker).set(self._load.connections)
        metrics.queued.labels(worker).set(self._load.queued)
        metrics.busy.labels(worker).set(self._load.busy)
        metrics.memory.labels(worker).set(self._process.memory_info().rss)
        totals = Totals.of(metrics)
        _send(self._service.runtime.metrics, totals.since(self._sent))
        self._sent = totals

    def _run(self) -> None:
        while True:
            try:
                self.report()
            except Exception:
                logger.exception("metrics could not be reported")
            if self._ended.wait(EVERY_SECONDS):
                return


def _send(metrics: Metrics, new: Totals) -> None:
    metrics.incr("endpoint.requests", int(new.requests))
    metrics.incr("endpoint.errors", int(new.errors))
    metrics.incr("endpoint.shed", int(new.shed))
    if new.predictions:
        metrics.timing("endpoint.prediction", new.seconds / new.predictions)
