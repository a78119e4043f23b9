"""What a service on this machine has counted since it started, from its files of metrics."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import NamedTuple

import psutil

PREDICTIONS = "daybreak_prediction_seconds_count"
LEAST_SECONDS = 3600.0
"""From less than an hour nothing follows for a day."""


class Counted(NamedTuple):
    """Predictions of a model since a service started, by source."""

    seconds: float
    by_source: Mapping[str, float]

    @property
    def total(self) -> float:
        """Of all sources."""
        return sum(self.by_source.values())

    @property
    def a_day(self) -> float | None:
        """None where the service has not run for ``LEAST_SECONDS``."""
        return self.total * 86_400 / self.seconds if self.seconds >= LEAST_SECONDS else None


def counted(home: Path, model: str, now: datetime) -> Counted | None:
    """Of the service of this state folder that has run longest; None where none runs here."""
    # prometheus-client reads its mode from the environment when it is imported.
    from prometheus_client import CollectorRegistry  # noqa: PLC0415
    from prometheus_client.multiprocess import MultiProcessCollector  # noqa: PLC0415

    started = dict(_services(home))
    if not started:
        return None
    oldest = min(started, key=lambda folder: started[folder])
    registry = CollectorRegistry()
    MultiProcessCollector(registry, path=str(oldest))  # type: ignore[no-untyped-call]
    by_source: dict[str, float] = {}
    for family in registry.collect():
        for sample in family.samples:
            if sample.name == PREDICTIONS and sample.labels.get("model") == model:
                source = sample.labels.get("source", "")
                by_source[source] = by_source.get(source, 0.0) + sample.value
    seconds = (now - datetime.fromtimestamp(started[oldest], UTC)).total_seconds()
    return Counted(max(seconds, 0.0), by_source)


def _services(home: Path) -> Iterator[tuple[Path, float]]:
    """The folder of each service that runs, which is named by its first process, and since when."""
    for folder in (home / "run" / "metrics").glob("*-*"):
        try:
            process = psutil.Process(int(folder.name.rpartition("-")[2]))
            yield folder, process.create_time()
        except (psutil.Error, ValueError):
            continue
