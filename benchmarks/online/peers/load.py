"""wrk: one thread that asks a server over so many connections, and what it measured."""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from daybreak.errors import ConfigError

SCRIPT = Path(__file__).with_name("load.lua")
MARK = "PRICE....."
"""Becomes a price in each request, as ``load.lua`` says."""


@dataclass(frozen=True)
class Questions:
    """What a server is asked, in turn: an empty body is a GET, ``MARK`` in one a price."""

    path: str
    bodies: Sequence[str]
    headers: Mapping[str, str] = field(default_factory=dict)

    def body(self, number: int) -> str:
        """Of the request of that number."""
        return self.bodies[number % len(self.bodies)].replace(MARK, f"{price(number):.8f}")


def price(number: int) -> float:
    """The price of the request of that number, a float32: as in ``load.lua``."""
    return 1 + number % (9 << 20) / (1 << 20)


@dataclass(frozen=True)
class Load:
    """One measurement; latencies in milliseconds."""

    per_second: float
    p50_ms: float
    p99_ms: float


Measure = Callable[[int, Questions, int, float, int], Load]
"""Port, questions, connections, seconds, number of the first request."""


def wrk() -> str:
    """Raises ``ConfigError`` where there is none."""
    found = shutil.which("wrk")
    if found is None:
        raise ConfigError(
            "wrk is not on PATH.",
            remedy="Install it (apt-get install wrk, brew install wrk): it makes the load.",
        )
    return found


def measure(port: int, asked: Questions, connections: int, seconds: float, first: int) -> Load:
    """Raises ``RuntimeError`` where a request was not answered well."""
    headers = {"Content-Type": "application/json", **asked.headers}
    with TemporaryDirectory(prefix="dbk-bench-") as folder:
        bodies = Path(folder) / "bodies"
        bodies.write_text("".join(f"{body}\n" for body in asked.bodies), encoding="utf-8")
        command = [
            *(wrk(), "--threads", "1", "--connections", str(connections)),
            *("--duration", f"{round(seconds)}s", "--timeout", "10s", "--latency"),
            *("--script", str(SCRIPT)),
            *(text for name, value in headers.items() for text in ("--header", f"{name}: {value}")),
            *(f"http://127.0.0.1:{port}{asked.path}", "--", str(bodies), str(first)),
        ]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(f"wrk ended with {done.returncode}: {done.stderr or done.stdout}")
    return load_of(done.stdout)


def load_of(said: str) -> Load:
    """What wrk and ``load.lua`` printed. Raises ``RuntimeError`` as `measure` does."""
    found: dict[str, Any] = json.loads(said.splitlines()[-1])
    if found["refused"] or found["broken"] or not found["requests"]:
        raise RuntimeError(f"Not every request was answered well: {found}")
    return Load(found["requests"] / found["seconds"], found["p50_ms"], found["p99_ms"])
