"""Answers while the warehouse hangs, while it is gone and while the registry is, under a load:

python -m benchmarks.online.faults --seconds 50

Starts a PostgreSQL and a service of two workers of its own and asks half of what they can answer,
by a generator that waits for no answer: about rows that are in memory, alone (an answer that was
given before) and as one of many (scored anew); one in fifty about an item that nobody knows, which
only the warehouse can say. Every answer is held against the table.
"""

from __future__ import annotations

import json
import signal
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from functools import partial
from typing import Any

import psutil

from benchmarks.online.drill import Served, arguments_of, say, served, verdicts
from benchmarks.online.load import Asking, Health, Seen, at_rate, health, in_turn
from benchmarks.online.shop import Shop
from benchmarks.online.witness import Question, Tables
from daybreak.jobs.publishing import publish
from daybreak.models.sales_forecast.link import SCORES

CONNECTIONS = 8
SHARE_OF_CAPACITY = 0.5
STRANGER_EVERY = 50
FIRST = 10**6
"""Numbers between the first requests of two phases."""
LONGEST_FAULT = 50.0
"""Seconds: what was confirmed 5 s before it may still be used at its end (60 s by default)."""
ANSWERED = 0.9
"""The bar: of the undisturbed rate."""


@dataclass(frozen=True)
class Mixture:
    """Requests by number: about a known question, alone or as one of many rows; or a stranger's."""

    asking: Asking
    questions: Sequence[Question]

    def __call__(self, number: int) -> bytes:
        store, item, date = self.questions[number % len(self.questions)]
        if is_stranger(number):
            item = f"nobody-{number}"
        row = f'{{"store_id":"{store}","item_id":"{item}","target_date":"{date}"}}'
        return self.asking.request((row if number % 2 else f'{{"rows":[{row}]}}').encode())


def is_stranger(number: int) -> bool:
    """Whether the request of this number asks about what nobody knows."""
    return number % STRANGER_EVERY == 1


@dataclass(frozen=True)
class Phase:
    """What was seen while ``name`` lasted; ``first``: the number of its first request."""

    name: str
    first: int
    seen: Seen
    healthy: Health


def measure(served: Served, seconds: float, calm: float = 10.0) -> dict[str, Any]:
    """Each fault for ``seconds``, and ``calm`` seconds before and after it."""
    made, asking = served.shop, served.asking
    coming = made.stage()
    tables = {version: made.scores(n) for n, version in enumerate(made.versions, start=1)}
    asked = Mixture(asking, served.questions)
    in_turn(asking, asked, CONNECTIONS, min(3.0, calm))  # warm
    most = in_turn(asking, asked, CONNECTIONS, calm)
    rate = SHARE_OF_CAPACITY * len(most.status) / calm
    say(f"{rate:.0f} requests a second")
    faults = {
        "undisturbed": nullcontext(),
        "warehouse hangs": hanging(made),
        "warehouse is gone": gone(made),
        "registry is away": without_registry(made),
    }
    phases = []
    with ProcessPoolExecutor(2) as pool:

        def phase(name: str, lasting: float) -> Callable[[], Phase]:
            say(f"{name}, {lasting:.0f} s …")
            first = FIRST * (len(phases) + 1)
            ask = partial(at_rate, asking, asked, rate, lasting, keep=True, first=first)
            seen: Future[Seen] = pool.submit(ask)
            healthy = pool.submit(health, asking.port, lasting)
            return lambda: Phase(name, first, seen.result(), healthy.result())

        for name, fault in faults.items():
            disturbed = name != "undisturbed"
            going_on = phase(name, seconds if disturbed else calm)
            with fault:
                if name == "registry is away":
                    publish(coming, made.runtime)
                time.sleep(seconds if disturbed else calm)
            phases.append(going_on())
            if disturbed:
                phases.append(phase("after it", calm)())
    return judged(phases, tables, coming["version"])


@contextmanager
def hanging(made: Shop) -> Iterator[None]:
    """The server takes connections and requests, and says nothing."""
    pid = made.postgres.pid()
    server = psutil.Process(pid)
    processes = [server, *server.children(recursive=True)]
    for one in processes:
        one.send_signal(signal.SIGSTOP)
    try:
        yield
    finally:
        for one in processes:
            one.send_signal(signal.SIGCONT)


@contextmanager
def gone(made: Shop) -> Iterator[None]:
    """The server is stopped: it refuses."""
    made.postgres.stop()
    try:
        yield
    finally:
        made.postgres.start()


@contextmanager
def without_registry(made: Shop) -> Iterator[None]:
    """The folder of versions is not where it was."""
    folder = made.runtime.settings.state / "registry"
    away = folder.with_name("away")
    folder.rename(away)
    try:
        yield
    finally:
        away.rename(folder)


def judged(phases: Sequence[Phase], tables: Tables, coming: str) -> dict[str, Any]:
    """All figures, and which bars they keep."""
    rows = [_row(phase, tables) for phase in phases]
    usual = rows[0]["answered_per_second"]
    for row in rows:
        row["share"] = round(row["answered_per_second"] / usual, 3)
    return {
        "phases": rows,
        "held": {
            "rate": all(row["share"] >= ANSWERED for row in rows),
            "no wrong answer": not sum(row["wrong"] for row in rows),
            "health": not sum(row["health_failed"] for row in rows),
            "new version after the registry is back": coming in rows[-1]["versions"],
        },
    }


def _row(phase: Phase, tables: Tables) -> dict[str, Any]:
    seen, answered, wrong, slowest, versions = phase.seen, 0, 0, 0.0, set()
    failed: Counter[str] = Counter()
    strangers: list[float] = []
    for place, (seconds, status, body) in enumerate(
        zip(seen.seconds.tolist(), seen.status.tolist(), seen.body, strict=True)
    ):
        if is_stranger(phase.first + place):
            strangers.append(seconds)
            continue
        slowest = max(slowest, seconds)
        if status != 200:
            failed[json.loads(body)["error"]["code"] if body else "none"] += 1
            continue
        answered += 1
        found = json.loads(body)
        versions.add(found["version"])
        wrong += not is_right(found, tables)
    return {
        "name": phase.name,
        "answered": answered,
        "answered_per_second": round(answered / float(seen.moment[-1] - seen.moment[0]), 1),
        "failed": dict(failed),
        "wrong": wrong,
        "slowest_ms": round(1000 * slowest, 1),
        "p99_ms": round(1000 * seen.p99(), 1),
        "strangers": len(strangers),
        "stranger_slowest_ms": round(1000 * max(strangers, default=0.0), 1),
        "versions": sorted(versions),
        "health_asked": len(phase.healthy.seconds),
        "health_failed": phase.healthy.failed,
        "health_slowest_ms": round(1000 * max(phase.healthy.seconds), 1),
    }


def is_right(found: Mapping[str, Any], tables: Tables) -> bool:
    """Whether an answer about one row is what the table of its version has."""
    (answer,) = found.get("answers", [found])
    (row,) = answer["predictions"]
    question = (row["store_id"], row["item_id"], row["target_date"])
    return tables[found["version"]][question] == tuple(row[name] for name in SCORES)


def report(found: dict[str, Any]) -> str:
    """The figures for people."""
    lines = [
        f"{row['name']:<18} {row['answered_per_second']:>7}/s ({row['share']:.1%}), "
        f"{row['failed'] or 'none'} failed, {row['wrong']} wrong, slowest {row['slowest_ms']} ms, "
        f"strangers within {row['stranger_slowest_ms']} ms; health {row['health_failed']} of "
        f"{row['health_asked']} failed, slowest {row['health_slowest_ms']} ms"
        for row in found["phases"]
    ]
    lines += verdicts(found["held"])
    return "\n".join(lines)


def main(arguments: Sequence[str] | None = None) -> None:
    parser = arguments_of("faults", __doc__)
    parser.add_argument(
        "--seconds", type=float, default=LONGEST_FAULT, help="of each fault, at most 50"
    )
    options = parser.parse_args(arguments)
    if not 0 < options.seconds <= LONGEST_FAULT:
        parser.error(f"--seconds: after {LONGEST_FAULT:.0f} s what is in memory may be too old")
    with served() as made:
        found = measure(made, options.seconds)
    print(json.dumps(found) if options.json else report(found))


if __name__ == "__main__":
    main()
