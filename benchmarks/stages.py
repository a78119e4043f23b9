"""Seconds and peak memory of each stage of a run."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

_STATUS = Path("/proc/self/status")
_RESET = Path("/proc/self/clear_refs")


@dataclass
class Stages:
    """``seconds`` and ``peak_mb`` (resident memory of this process) by stage, in order."""

    seconds: dict[str, float] = field(default_factory=dict)
    peak_mb: dict[str, float] = field(default_factory=dict)

    @contextmanager
    def stage(self, name: str) -> Iterator[None]:
        """Measure the block; a stage that comes again is added up."""
        reset_peak()
        started = time.perf_counter()
        yield
        elapsed = time.perf_counter() - started
        self.seconds[name] = self.seconds.get(name, 0.0) + elapsed
        self.peak_mb[name] = max(self.peak_mb.get(name, 0.0), peak_mb())


def reset_peak() -> None:
    """The peak starts anew from what is resident now."""
    _RESET.write_text("5")


def peak_mb() -> float:
    """The most that was resident of this process since then."""
    found = re.search(r"VmHWM:\s+(\d+) kB", _STATUS.read_text())
    return int(found[1]) / 1024 if found else float("nan")
