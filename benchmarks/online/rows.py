"""A thousand rows in one request beside a thousand requests: how much less time, and equal answers.

Of a service that runs already, as after `make demo`, with a key in the variable KEY. Each round
asks about prices that were not asked about before, so that no answer comes from memory.
"""

from __future__ import annotations

import argparse
import json
import os
import time
from collections.abc import Sequence
from contextlib import closing
from http.client import HTTPConnection
from statistics import median
from typing import Any
from urllib.parse import urlsplit

Body = dict[str, Any]


def measure(
    connection: HTTPConnection, path: str, key: str, bodies: Sequence[Body], rounds: int
) -> Body:
    """Seconds of both ways, medians over rounds, and by how much they differ within a round.

    Raises ``AssertionError`` where an answer is another one together than alone.
    """

    def ask(body: Body) -> Body:
        headers = {"X-API-Key": key, "Content-Type": "application/json"}
        connection.request("POST", path, json.dumps(body), headers)
        with connection.getresponse() as response:
            answer: Body = json.loads(response.read())
        if response.status != 200:
            raise AssertionError(f"{response.status}: {answer}")
        return answer

    alone, together, ratios = [], [], []
    for number in range(rounds):
        rows = [body | {"price": 1 + number + place / 1024} for place, body in enumerate(bodies)]
        begun = time.perf_counter()
        at_once = ask({"rows": rows})["answers"]
        middle = time.perf_counter()
        one_by_one = [ask(row) for row in rows]
        ended = time.perf_counter()
        for one, each in zip(one_by_one, at_once, strict=True):
            if {name: one[name] for name in each} != each:
                raise AssertionError(f"alone {one}, together {each}")
        together.append(middle - begun)
        alone.append(ended - middle)
        ratios.append(alone[-1] / together[-1])
    return {
        "rows": len(bodies),
        "rounds": rounds,
        "alone_seconds": median(alone),
        "together_seconds": median(together),
        "times_less": median(ratios),
    }


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.online.rows",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--url", default="http://127.0.0.1:8793", help="of the service")
    parser.add_argument("--model", default="sales_forecast")
    parser.add_argument("--target-date", default="2026-07-02")
    parser.add_argument("--stores", type=int, default=7, help="S001 and so on")
    parser.add_argument("--items", type=int, default=45, help="I0001 and so on")
    parser.add_argument("--rows", type=int, default=1000)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args(arguments)
    bodies = [
        {
            "store_id": f"S{1 + number % options.stores:03}",
            "item_id": f"I{1 + number // options.stores % options.items:04}",
            "target_date": options.target_date,
        }
        for number in range(options.rows)
    ]
    url = urlsplit(options.url)
    path = f"/v1/models/{options.model}/predict"
    with closing(HTTPConnection(url.hostname or "", url.port or 80)) as connection:
        found = measure(connection, path, os.environ.get("KEY", ""), bodies, options.rounds)
    if options.json:
        print(json.dumps(found))
        return
    print(
        f"{found['rows']} rows: {found['alone_seconds']:.3f} s one by one, "
        f"{found['together_seconds']:.3f} s at once, {found['times_less']:.1f} times less"
    )


if __name__ == "__main__":
    main()
