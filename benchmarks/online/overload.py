"""Twice as many requests as the service can answer: what becomes of those that it accepts.

python -m benchmarks.online.overload --seconds 60

Starts a PostgreSQL and a service of two workers of its own, and a generator that shares the
processors with them. Capacity is what eight clients get that ask as soon as they were answered;
then come a fifth of it, twice of it and a fifth again, by a generator that waits for no answer.
Each request asks about another price, so that none is answered from memory.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np

from benchmarks.online.drill import Served, arguments_of, say, served, verdicts
from benchmarks.online.load import Asking, Health, Seen, at_rate, health, in_turn

CONNECTIONS = 8
UNLOADED, OVERLOADED = 0.2, 2.0
"""Times the capacity."""
GOODPUT, SLOWER, RECOVERED, RECOVERY_SECONDS = 0.9, 5.0, 2.0, 5.0
"""The bars: share of the capacity; times the unloaded p99, under the load and when it is over."""


@dataclass(frozen=True)
class Prices:
    """A request about one row, by its number at another price; always of the same length."""

    asking: Asking
    store: str
    item: str
    date: str

    def __call__(self, number: int) -> bytes:
        price = f"{1 + number // 10**6 % 9}.{number % 10**6:06}"
        return self.asking.request(
            f'{{"store_id":"{self.store}","item_id":"{self.item}","target_date":"{self.date}",'
            f'"price":{price}}}'.encode()
        )


def measure(served: Served, seconds: float, calm: float = 10.0) -> dict[str, Any]:
    """Overload for ``seconds``; what comes before and after takes ``calm`` seconds each."""
    asking = served.asking
    prices = Prices(asking, *served.questions[0])
    with ProcessPoolExecutor(2) as pool:
        in_turn(asking, prices, CONNECTIONS, min(2.0, calm))  # warm
        say("capacity …")
        most = pool.submit(in_turn, asking, prices, CONNECTIONS, calm, first=10**6).result()
        capacity = int(most.accepted.sum()) / calm
        say(f"{capacity:.0f}/s; then a fifth of it …")
        low = partial(at_rate, asking, prices, UNLOADED * capacity, calm)
        alone = pool.submit(low, first=2 * 10**6).result()
        say(f"p99 {1000 * alone.p99():.1f} ms; then twice of it for {seconds:.0f} s …")
        healthy = pool.submit(health, asking.port, seconds + calm)
        high = partial(at_rate, asking, prices, OVERLOADED * capacity, seconds)
        loaded = pool.submit(high, first=3 * 10**6).result()
        say("then a fifth again …")
        after = pool.submit(low, first=8 * 10**6).result()
        return judged(capacity, alone, loaded, after, healthy.result())


def judged(
    capacity: float, alone: Seen, loaded: Seen, after: Seen, healthy: Health
) -> dict[str, Any]:
    """All figures, and which bars they keep."""
    seconds = float(loaded.moment[-1] - loaded.moment[0])
    goodput = int(loaded.accepted.sum()) / seconds / capacity
    slower = loaded.p99() / alone.p99()
    recovery = recovery_seconds(after, float(loaded.moment[-1]), RECOVERED * alone.p99())
    refused = loaded.status == 503
    return {
        "seconds": round(seconds, 1),
        "capacity_per_second": round(capacity, 1),
        "asked_per_second": round(len(loaded.status) / seconds, 1),
        "answers": {
            str(status): n for status, n in sorted(Counter(loaded.status.tolist()).items())
        },
        "goodput": round(goodput, 3),
        "unloaded_p50_ms": _ms(alone.seconds[alone.accepted], 0.5),
        "unloaded_p99_ms": round(1000 * alone.p99(), 2),
        "accepted_p50_ms": _ms(loaded.seconds[loaded.accepted], 0.5),
        "accepted_p99_ms": round(1000 * loaded.p99(), 2),
        "accepted_slowest_ms": _ms(loaded.seconds[loaded.accepted], 1.0),
        "refused_p50_ms": _ms(loaded.seconds[refused], 0.5),
        "refused_p99_ms": _ms(loaded.seconds[refused], 0.99),
        "p99_against_unloaded": round(slower, 2),
        "health_asked": len(healthy.seconds),
        "health_failed": healthy.failed,
        "health_slowest_ms": round(1000 * max(healthy.seconds), 1),
        "recovery_seconds": recovery,
        "generator_processors": round(loaded.processor / loaded.over, 3),
        "held": {
            "goodput": goodput >= GOODPUT,
            "p99 of accepted": slower <= SLOWER,
            "health": healthy.failed == 0,
            "recovery": recovery is not None and recovery <= RECOVERY_SECONDS,
        },
    }


def recovery_seconds(after: Seen, ended: float, p99: float) -> int | None:
    """Whole seconds since the overload ``ended`` until all requests of a second are answered, 99 of
    100 within ``p99`` seconds; None where that never is."""
    number = (after.moment - ended).astype(int)
    for second in np.unique(number).tolist():
        there = number == second
        if after.accepted[there].all() and np.quantile(after.seconds[there], 0.99) <= p99:
            return int(second)
    return None


def _ms(seconds: Any, share: float) -> float | None:
    return round(1000 * float(np.quantile(seconds, share)), 2) if len(seconds) else None


def report(found: dict[str, Any]) -> str:
    """The figures for people."""
    lines = [
        f"capacity {found['capacity_per_second']}/s, p99 at a fifth of it "
        f"{found['unloaded_p99_ms']} ms",
        f"{found['asked_per_second']}/s for {found['seconds']} s, answers by status "
        f"{found['answers']}, with {found['generator_processors']} processors for the generator",
        f"goodput {found['goodput']:.1%} of the capacity (at least 90 %)",
        f"p99 of accepted {found['accepted_p99_ms']} ms, {found['p99_against_unloaded']} × the "
        f"unloaded (at most 5 ×), slowest {found['accepted_slowest_ms']} ms; refused within "
        f"{found['refused_p50_ms']} ms (median)",
        f"/healthz: {found['health_failed']} of {found['health_asked']} failed or took longer than "
        f"1 s, slowest {found['health_slowest_ms']} ms",
        f"recovered after {found['recovery_seconds']} s (at most 5 s)",
        *verdicts(found["held"]),
    ]
    return "\n".join(lines)


def main(arguments: Sequence[str] | None = None) -> None:
    parser = arguments_of("overload", __doc__)
    parser.add_argument("--seconds", type=float, default=60.0, help="of overload")
    options = parser.parse_args(arguments)
    with served() as made:
        found = measure(made, options.seconds)
    print(json.dumps(found) if options.json else report(found))


if __name__ == "__main__":
    main()
