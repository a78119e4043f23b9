"""What ``GET /metrics`` shows: the counts of all processes, and what is in force in this one."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import suppress
from datetime import UTC, datetime, time

from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.multiprocess import MultiProcessCollector
from prometheus_client.registry import Collector

from daybreak.errors import DaybreakError
from daybreak.serving.metrics.processes import FOLDER
from daybreak.serving.publications import Publication
from daybreak.serving.service import Service


def sample(service: Service) -> None:
    """Take over what is not counted request by request. What is in force is looked at, if it is
    due, so that it gets no older in a process that nobody asks."""
    metrics, now = service.metrics, service.runtime.clock().timestamp()
    for model in service.models:
        with suppress(DaybreakError):  # nothing is in force that could be confirmed
            service.publications.current(model)
            metrics.confirmed.labels(model).set(now - service.publications.age(model))
    for name, cache in (("answers", service.remembered), ("rows", service.inputs.rows)):
        metrics.looked_up(name, hits=cache.hits, misses=cache.misses)


class Exposition(Collector):
    """All metrics, as they are now."""

    def __init__(self, service: Service) -> None:
        self._service = service

    def collect(self) -> Iterator[Metric]:
        """Those of every process of the service, where there are several."""
        sample(self._service)
        if FOLDER in os.environ:
            yield from MultiProcessCollector(None).collect()  # type: ignore[no-untyped-call]
        else:
            yield from self._service.metrics.registry.collect()
        yield from _in_force(self._service)


def _in_force(service: Service) -> Iterator[Metric]:
    info = GaugeMetricFamily(
        "daybreak_publication_info",
        "1 for the version and generation in force, in the process that was asked.",
        labels=("model", "version", "generation", "business_date", "gate"),
    )
    day = GaugeMetricFamily(
        "daybreak_business_date_timestamp_seconds",
        "When the business date in force began, in UTC.",
        labels=("model",),
    )
    for model in service.models:
        with suppress(DaybreakError):
            publication = service.publications.current(model)
            info.add_metric(_labels(model, publication), 1)
            if publication.generation is not None:
                midnight = datetime.combine(publication.generation.business_date, time(), UTC)
                day.add_metric((model,), midnight.timestamp())
    yield from (info, day)


def _labels(model: str, publication: Publication) -> tuple[str, ...]:
    generation = publication.generation
    number, date = (
        (str(generation.generation_id), generation.business_date.isoformat())
        if generation is not None
        else ("", "")
    )
    return model, publication.version, number, date, publication.gate
