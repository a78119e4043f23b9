"""Events of a stream sent over HTTP, some hundred a request: how many are taken in a second.

Starts a PostgreSQL and a service of two workers of its own. What was acknowledged is counted in the
log at the end.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from datetime import timedelta
from http.client import HTTPConnection
from typing import Any

import numpy as np
from sqlalchemy import text

from benchmarks.online.drill import Served, arguments_of, say, served, verdicts
from daybreak.runtime import system_clock
from daybreak.serving.http.keys import create_key
from daybreak.signals.stream import Stream, declare
from daybreak.warehouse.engine import begin, connect

STREAM = Stream("payments", ("card", "terminal"), ("amount",), 2, {"channel": "text"}, "UTC")
CARDS, TERMINALS = 5_000, 10_000
LEAST_PER_SECOND = 5_000


def bodies(requests: int, each: int, seed: int = 7) -> list[bytes]:
    """Requests with different events of the last minutes."""
    rng, now = np.random.default_rng(seed), system_clock()
    made = []
    for request in range(requests):
        events = [
            {
                "event_id": f"{seed}-{request}-{place}",
                "event_at": (now - timedelta(seconds=float(rng.uniform(0, 600)))).isoformat(),
                "keys": {
                    "card": f"c{rng.integers(CARDS):06d}",
                    "terminal": f"t{rng.integers(TERMINALS):05d}",
                },
                "amounts": {"amount": int(rng.integers(1, 50_000)) / 100},
                "attributes": {"channel": "web"},
            }
            for place in range(each)
        ]
        made.append(json.dumps({"events": events}).encode())
    return made


def measure(made: Served, *, events: int, each: int, connections: int) -> dict[str, Any]:
    """Raises ``AssertionError`` where a request fails, or the log has not what was acknowledged."""
    with begin(made.shop.runtime.engine) as conn:
        declare(conn, STREAM, system_clock())
        key = create_key(conn, "events", system_clock(), scopes=["events"]).token
    requests = bodies(max(connections, events // each), each)

    def send(mine: Sequence[bytes]) -> int:
        headers = {"X-API-Key": key, "Content-Type": "application/json"}
        taken = 0
        with closing(HTTPConnection("127.0.0.1", made.asking.port, timeout=60)) as connection:
            for body in mine:
                connection.request("POST", "/v1/streams/payments/events", body, headers)
                with connection.getresponse() as response:
                    answer = response.read()
                if response.status != 200:
                    raise AssertionError(f"{response.status}: {answer[:300]!r}")
                taken += answer.count(b'"outcome":"new"')
        return taken

    shares = [requests[number::connections] for number in range(connections)]
    begun = time.perf_counter()
    with ThreadPoolExecutor(connections) as pool:
        taken = sum(pool.map(send, shares))
    seconds = time.perf_counter() - begun
    with connect(made.shop.runtime.engine) as conn:
        logged = conn.scalar(text("SELECT count(*) FROM raw.event"))
    if not taken == logged == len(requests) * each:
        raise AssertionError(f"{taken} were acknowledged, {logged} are in the log")
    rate = taken / seconds
    return {
        "events": taken,
        "each": each,
        "connections": connections,
        "seconds": seconds,
        "per_second": rate,
        "held": {f"{LEAST_PER_SECOND:,} events a second": rate >= LEAST_PER_SECOND},
    }


def main(arguments: Sequence[str] | None = None) -> None:
    parser = arguments_of("events", __doc__)
    parser.add_argument("--events", type=int, default=200_000)
    parser.add_argument("--each", type=int, default=500, help="of a request")
    parser.add_argument("--connections", type=int, default=4)
    options = parser.parse_args(arguments)
    with served() as made:
        say(f"sending {options.events:,} events")
        found = measure(
            made, events=options.events, each=options.each, connections=options.connections
        )
    if options.json:
        print(json.dumps(found))
        return
    print(
        f"{found['events']:,} events, {found['each']} a request over {found['connections']} "
        f"connections: {found['per_second']:,.0f} a second"
    )
    print("\n".join(verdicts(found["held"])))


if __name__ == "__main__":
    main(sys.argv[1:])
