"""Decisions about payments as they come, each recorded, and the night that makes them again:

python -m benchmarks.online.decisions --decisions 500000

Starts a PostgreSQL and a service of two workers of its own, on 45 days of payments of 5,000 cards
at 10,000 terminals. Asks 400 times a second over eight connections, and then as often as it is
answered. Then sends payments that are late, repeated and out of order, while a worker is killed
twice and PostgreSQL starts anew once; and more of them, undisturbed, while it looks at the memory
of the workers. At the end the night makes every decision again. What a decision costs is compared
on ten times the history.
"""

from __future__ import annotations

import itertools
import json
import os
import signal
import sys
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from datetime import date
from http.client import HTTPConnection, HTTPException
from statistics import median
from threading import Lock, Timer
from typing import Any

import numpy as np
from sqlalchemy import func, select

from benchmarks.online.bank import Bank, Books, Payments, bank
from benchmarks.online.drill import arguments_of, say, verdicts
from benchmarks.online.load import Asking, Seen, at_rate, in_turn
from benchmarks.online.memory import FLAT, workers
from benchmarks.online.service import service
from daybreak.models.fraud.model import MODEL
from daybreak.runtime import Runtime, system_clock
from daybreak.scoring.engines.opening import open_engine
from daybreak.scoring.proving import Proven, prove
from daybreak.serving.answers import SCORES_ALONE
from daybreak.serving.app import create_app
from daybreak.serving.http.auth import ApiKeys
from daybreak.serving.http.keys import create_key
from daybreak.serving.service import service_of
from daybreak.signals.incoming import DecisionForm
from daybreak.warehouse.engine import begin, connect
from daybreak.warehouse.tables import decision, event_id

CONNECTIONS = 8
RATE = 400
DISTURBED = 0.25
"""Of the payments that are sent."""
EACH = 50
"""Payments of a request, where they are sent as fast as they go."""
BARS = {"p50": 6.0, "p99": 40.0, "proven": 10_000, "history": 0.2}


def timed(bank: Bank, asking: Asking, seconds: float) -> dict[str, Any]:
    """At the rate of the bar, and as often as there is an answer; after a warm-up."""
    make = Payments(bank.books, seed=1)

    def request(number: int) -> bytes:
        return asking.request(make(number))

    in_turn(asking, request, CONNECTIONS, min(seconds, 5.0))
    say(f"asking {RATE} times a second for {seconds:.0f} s")
    first = 1_000_000
    sustained = at_rate(asking, request, RATE, seconds, first=first, connections=CONNECTIONS)
    say("asking as often as there is an answer")
    most = in_turn(asking, request, CONNECTIONS, seconds / 2, first=2 * first)
    alone = in_turn(asking, request, 1, seconds / 4, first=3 * first)
    return {
        "sustained": _times(sustained),
        "most": _times(most),
        "one_connection": _times(alone),
    }


def _times(seen: Seen) -> dict[str, float]:
    took = seen.seconds[seen.accepted] * 1000
    p50, p99 = (float(np.quantile(took, part)) for part in (0.5, 0.99))
    return {
        "asked": len(seen.seconds),
        "failed": int((~seen.accepted).sum()),
        "per_second": len(took) / seen.over,
        "p50_ms": p50,
        "p99_ms": p99,
    }


@dataclass
class Sent:
    """What was acknowledged: ids of events that were recorded, and how many answers there were.

    ``held``: bytes of each worker now and then.
    """

    recorded: set[str] = field(default_factory=set)
    answers: int = 0
    again: int = 0
    held: list[list[int]] = field(default_factory=list)
    lock: Lock = field(default_factory=Lock)


def send(bank: Bank, asking: Asking, count: int, sent: Sent, seed: int) -> None:
    """Payments of all kinds, ``EACH`` a request, each request until it is answered."""
    make = Payments(bank.books, seed=seed, late=100, repeated=20)
    numbers = itertools.count()

    def client(_number: int) -> None:
        connection = HTTPConnection("127.0.0.1", asking.port, timeout=60)
        while (request := next(numbers)) < count // EACH:
            rows = [make(request * EACH + place) for place in range(EACH)]
            body = b'{"rows":[%b]}' % b",".join(rows)
            while True:
                try:
                    status, answer = _post(connection, asking, body)
                except (OSError, HTTPException):
                    status, answer = 0, b""
                    connection.close()
                    connection = HTTPConnection("127.0.0.1", asking.port, timeout=60)
                if status == 200 and b'"warehouse_unavailable"' not in answer:
                    break
                if status not in {0, 200, 503}:
                    raise AssertionError(f"{status}: {answer[:300]!r}")
                with sent.lock:
                    sent.again += 1
                time.sleep(0.2)
            _note(sent, rows, answer)
            if request % 200 == 0:
                sent.held.append([one.memory_full_info().pss for one in workers()])
        connection.close()

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(client, range(4)))


def _post(connection: HTTPConnection, asking: Asking, body: bytes) -> tuple[int, bytes]:
    headers = {"X-API-Key": asking.key, "Content-Type": "application/json"}
    connection.request("POST", asking.path, body, headers)
    with connection.getresponse() as response:
        return response.status, response.read()


def _note(sent: Sent, rows: Sequence[bytes], answer: bytes) -> None:
    answers = json.loads(answer)["answers"]
    for row, one in zip(rows, answers, strict=True):
        if one.get("recorded"):
            sent.recorded.add(json.loads(row)["event_id"])
        elif "error" in one:
            raise AssertionError(f"{one}")
    with sent.lock:
        sent.answers += len(answers)


def disturbed(bank: Bank, after: float) -> list[Timer]:
    """Kill a worker, start PostgreSQL anew, kill another one."""

    def kill() -> None:
        say("killing a worker")
        os.kill(workers()[0].pid, signal.SIGKILL)

    def restart() -> None:
        say("starting PostgreSQL anew")
        bank.postgres.stop()
        bank.postgres.start()

    timers = [Timer(after, kill), Timer(2 * after, restart), Timer(3 * after, kill)]
    for timer in timers:
        timer.start()
    return timers


def proven(bank: Bank) -> tuple[Proven, float]:
    """Every decision made again, and the seconds that it took."""
    runtime, begun = bank.runtime, time.perf_counter()
    with connect(runtime.engine) as conn:
        days = conn.scalars(select(decision.c.business_date).distinct()).all()
        engines = {
            version: open_engine(runtime.registry.load(MODEL.name, version), 0)
            for version in conn.scalars(select(decision.c.version).distinct())
        }
        begun = time.perf_counter()
        found = [prove(conn, MODEL, engines.__getitem__, day, say) for day in days]
    first = next((one.first for one in found if one.first is not None), None)
    whole = Proven(
        date.min, sum(one.decisions for one in found), sum(one.differing for one in found), first
    )
    return whole, time.perf_counter() - begun


def cost(runtime: Runtime, books: Books, count: int = 1500) -> float:
    """Milliseconds of one decision in this process: the median."""
    app = create_app(runtime, authenticator=ApiKeys(runtime), models=[MODEL])
    service, make = service_of(app), Payments(books, seed=3)
    publication = service.publications.current(MODEL.name)
    took = []
    for number in range(count):
        form = DecisionForm.model_validate_json(make(number))
        begun = time.perf_counter()
        service.decisions.of(MODEL, publication, [form], SCORES_ALONE, begun)
        took.append(time.perf_counter() - begun)
    return 1000 * median(took[count // 3 :])


def history(books: Books, times: int = 10) -> dict[str, Any]:
    """What a decision costs by so many days, and by ``times`` as many."""
    found = {}
    for days in (books.days, books.days * times):
        with bank(replace(books, days=days)) as made:
            service_part = Runtime(made.runtime.settings, part="service")
            found[days] = cost(service_part, made.books)
            service_part.engine.dispose()
            service_part.lone_statements.dispose()
            say(f"{days} days: {found[days]:.2f} ms a decision")
    few, many = found.values()
    return {"ms_by_days": dict(found), "grows": many / few - 1}


def measure(
    books: Books, *, seconds: float, decisions: int, after: float, times: int = 10
) -> dict[str, Any]:
    """Raises ``AssertionError`` where an answer was an error."""
    with bank(books) as made:
        with begin(made.runtime.engine) as conn:
            key = create_key(conn, "bench", system_clock(), scopes=["predict", "events"]).token
        with service(made.runtime) as port:
            asking = Asking(port, f"/v1/models/{MODEL.name}/predict", key)
            times_found = timed(made, asking, seconds)
            sent, begun = Sent(), time.perf_counter()
            few = int(decisions * DISTURBED)
            say(f"sending {few:,} payments, disturbed")
            timers = disturbed(made, after)
            send(made, asking, few, sent, seed=2)
            for timer in timers:
                timer.join()
            sent.held.clear()  # of workers that are gone
            say(f"sending {decisions - few:,} payments")
            send(made, asking, decisions - few, sent, seed=4)
            took = time.perf_counter() - begun
        say("making the decisions again")
        again, night = proven(made)
        with connect(made.runtime.engine) as conn:
            names = list(conn.scalars(select(event_id.c.event_id)))
            twice = conn.scalar(
                select(func.count()).select_from(
                    select(decision.c.event_id)
                    .where(decision.c.recorded)
                    .group_by(decision.c.event_id)
                    .having(func.count() > 1)
                    .subquery()
                )
            )
        lost = len(sent.recorded - set(names))
    grown = history(replace(books, rounds=min(books.rounds, 100)), times) if times else {}
    rate, growth = again.decisions / night, _growth(sent.held)
    sustained = times_found["sustained"]
    return {
        **times_found,
        "sent": {"answers": sent.answers, "again": sent.again, "seconds": took},
        "decisions": again.decisions,
        "differing": again.differing,
        "lost": lost,
        "twice": twice,
        "proven_per_second": rate,
        "growth": growth,
        "mebibytes": [round(max(each) / 2**20, 1) for each in sent.held],
        "history": grown,
        "held": {
            f"{RATE} decisions a second": sustained["per_second"] > 0.97 * RATE
            and not sustained["failed"],
            f"p50 {BARS['p50']:.0f} ms": sustained["p50_ms"] <= BARS["p50"],
            f"p99 {BARS['p99']:.0f} ms": sustained["p99_ms"] <= BARS["p99"],
            "none differs, is lost or there twice": not (again.differing or lost or twice),
            f"{BARS['proven']:,} made again a second": rate >= BARS["proven"],
            "memory": growth < FLAT,
            **({"ten times the history": grown["grows"] < BARS["history"]} if grown else {}),
        },
    }


def _growth(held: Sequence[Sequence[int]]) -> float:
    """Of the largest worker: the last third beside the first third."""
    most = [max(each) for each in held]
    third = max(len(most) // 3, 1)
    return median(most[-third:]) / median(most[:third]) - 1


def report(found: dict[str, Any]) -> Iterator[str]:
    """The figures for people."""
    for name, what in (
        ("sustained", f"{RATE} a second over {CONNECTIONS} connections"),
        ("most", f"as often as answered over {CONNECTIONS} connections"),
        ("one_connection", "over one connection"),
    ):
        one = found[name]
        yield (
            f"{what}: {one['per_second']:,.0f} a second, p50 {one['p50_ms']:.1f} ms, p99 "
            f"{one['p99_ms']:.1f} ms, {one['failed']} of {one['asked']:,} failed"
        )
    yield (
        f"{found['decisions']:,} decisions made again, {found['proven_per_second']:,.0f} a second: "
        f"{found['differing']} differ, {found['lost']} lost, {found['twice']} twice; "
        f"{found['sent']['again']} requests were sent again"
    )
    yield f"memory of a worker: {found['growth']:+.1%}, {found['mebibytes'][-1]} MiB at the end"
    if found["history"]:
        yield f"by days of history: {found['history']}"
    yield from verdicts(found["held"])


def main(arguments: Sequence[str] | None = None) -> None:
    parser = arguments_of("decisions", __doc__)
    parser.add_argument("--seconds", type=float, default=60.0, help="at 400 a second")
    parser.add_argument("--decisions", type=int, default=200_000)
    parser.add_argument("--after", type=float, default=30.0, help="seconds between disturbances")
    parser.add_argument("--times", type=int, default=10, help="as much history; 0: not compared")
    options = parser.parse_args(arguments)
    found = measure(
        Books(),
        seconds=options.seconds,
        decisions=options.decisions,
        after=options.after,
        times=options.times,
    )
    print(json.dumps(found) if options.json else "\n".join(report(found)))


if __name__ == "__main__":
    main(sys.argv[1:])
