"""Rounds: in each, every server is started, checked, warmed up, measured and stopped in turn.

So only one is there while it is measured (and our warehouse, which then has nothing to do). Each
round begins with the next of them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from benchmarks.online.peers.candidates import Candidate
from benchmarks.online.peers.load import Load, Measure
from benchmarks.online.processes import Memory, free_port, memory_of_a_worker, running
from daybreak.types import Progress

CONNECTIONS = (8, 1)
WARM_UP_SECONDS = 3.0
FOLDERS = ("TMPDIR", "RAY_TMPDIR", "BENTOML_HOME")
"""Where servers leave files."""
APART = 1_000_000
"""Requests of which a measurement may have more without asking about a price again."""


@dataclass(frozen=True)
class Turn:
    """What one server did in one round: its load by number of connections."""

    loads: dict[int, Load]
    worker: Memory


Round = dict[str, Turn]
"""By name of the server."""


def measure_rounds(
    candidates: Sequence[Candidate],
    rounds: int,
    seconds: float,
    measure: Measure,
    progress: Progress,
) -> list[Round]:
    """Raises ``RuntimeError`` where one does not start or fails a request, and ``AssertionError``
    where it answers wrongly."""
    found: list[Round] = []
    for number in range(rounds):
        first = number % len(candidates)
        found.append({})
        for one in [*candidates[first:], *candidates[:first]]:
            turn = found[-1][one.name] = _turn(one, seconds, measure)
            loads = ", ".join(
                f"{load.per_second:.0f}/s over {connections}"
                for connections, load in turn.loads.items()
            )
            progress(f"Round {number + 1} of {rounds}: {one.name}: {loads}")
    return found


def _turn(one: Candidate, seconds: float, measure: Measure) -> Turn:
    port = free_port()
    # Right under /tmp: sockets are in it, whose paths may have 107 bytes.
    with TemporaryDirectory(prefix="dbk-", dir="/tmp", ignore_cleanup_errors=True) as folder:
        env = {**one.env, **dict.fromkeys(FOLDERS, folder)}
        log = Path(folder) / "log"
        with running(one.command(port), env, log, lambda: one.ready(port)) as process:
            one.check(port)
            measure(port, one.asked, max(CONNECTIONS), min(seconds, WARM_UP_SECONDS), APART)
            loads = {
                connections: measure(port, one.asked, connections, seconds, place * APART)
                for place, connections in enumerate(CONNECTIONS, start=2)
            }
            return Turn(loads, memory_of_a_worker(process))
