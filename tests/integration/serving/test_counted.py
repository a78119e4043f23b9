"""Requests a day, from the files by which a service's processes add up their metrics."""

from __future__ import annotations

import os
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

import psutil
import pytest

from daybreak.serving.metrics.counted import counted

pytestmark = pytest.mark.slow  # starts processes

COUNT = """
from daybreak.serving.answers import Answered
from daybreak.serving.metrics.registry import ServiceMetrics

metrics = ServiceMetrics()
for source, times in (("published", 30), ("live", 10)):
    for _ in range(times):
        metrics.predicted(Answered(b"", "toy", "v1", source), 0.01)
metrics.predicted(Answered(b"", "other", "v1", "live"), 0.01)
"""


def count(folder: Path) -> None:
    """As a worker of a service does."""
    folder.mkdir(parents=True)
    environment = os.environ | {"PROMETHEUS_MULTIPROC_DIR": str(folder)}
    subprocess.run([sys.executable, "-P", "-c", COUNT], env=environment, check=True)


def started() -> datetime:
    return datetime.fromtimestamp(psutil.Process().create_time(), UTC)


def test_what_a_running_service_has_counted(tmp_path: Path) -> None:
    assert counted(tmp_path, "toy", started()) is None
    count(tmp_path / "run" / "metrics" / f"host-{os.getpid()}")
    found = counted(tmp_path, "toy", started() + timedelta(hours=2))
    assert found is not None
    assert found.by_source == {"published": 30, "live": 10}
    assert found.a_day == pytest.approx(40 * 12)


def test_from_minutes_nothing_follows_for_a_day(tmp_path: Path) -> None:
    count(tmp_path / "run" / "metrics" / f"host-{os.getpid()}")
    found = counted(tmp_path, "toy", started() + timedelta(minutes=59))
    assert found is not None
    assert found.total == 40
    assert found.a_day is None


def test_a_service_that_has_ended_counts_no_more(tmp_path: Path) -> None:
    ended = subprocess.Popen([sys.executable, "-c", ""])
    ended.wait()
    count(tmp_path / "run" / "metrics" / f"host-{ended.pid}")
    (tmp_path / "run" / "metrics" / "no-number").mkdir()
    assert counted(tmp_path, "toy", started()) is None
