"""Publications, rollbacks and canaries while clients ask, and every answer held against the ledger:

python -m benchmarks.online.promotions --changes 100

Starts a PostgreSQL and a service of two workers of its own. Each client keeps two connections and
asks over them in turn; it may see no failed answer, none that mixes two versions or generations,
and none from before what it was told already.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from itertools import cycle, islice
from typing import Any

import numpy as np
from sqlalchemy import select

from benchmarks.facts import BUSINESS_DATE, CUTOFF
from benchmarks.online.service import service
from benchmarks.online.shop import Shop, Size, shop
from benchmarks.online.witness import Client, Judgement, State, states_of
from daybreak.jobs import trials
from daybreak.jobs.publishing import publish, rollback
from daybreak.models.sales_forecast.link import SCORES
from daybreak.models.sales_forecast.model import MODEL
from daybreak.runtime import Runtime
from daybreak.serving.http.keys import create_key
from daybreak.warehouse.engine import begin, connect
from daybreak.warehouse.tables import generation, serving, trial

TURNS = ("publish", "publish", "rollback", "canary", "publish", "more", "rollback", "stop")


def changes_of(shop: Shop, count: int) -> list[Callable[[], object]]:
    """So many changes in turn. What they publish is scored now."""
    said: dict[str, Any] = {"actor": "bench", "runtime": shop.runtime}

    def change(turn: str) -> Callable[[], object]:
        match turn:
            case "publish":
                return partial(publish, shop.stage(), shop.runtime)
            case "rollback":
                return partial(rollback, MODEL.name, BUSINESS_DATE, shop.runtime)
            case "stop":
                return partial(trials.stop, MODEL.name, "canary", "bench", **said)
        share = {"canary": 50, "more": 80}[turn]
        return partial(trials.canary, MODEL.name, shop.versions[1], share, "bench", **said)

    return [change(turn) for turn in islice(cycle(TURNS), count)]


def measure(changes: int, clients: int = 4, every: float = 1.5) -> dict[str, Any]:
    """Make the changes, one ``every`` so many seconds, while the clients ask."""
    with shop(Size(), offsets=(0.0, 0.5)) as made:
        committed = [_committed(partial(publish, made.stage(), made.runtime))]
        coming = changes_of(made, changes)
        with begin(made.runtime.engine) as conn:
            key = create_key(conn, "bench", CUTOFF).token
        tables = {made.versions[0]: made.scores(1), made.versions[1]: made.scores(2)}
        path = f"/v1/models/{MODEL.name}/predict"
        questions = sorted(tables[made.versions[0]])
        with service(made.runtime) as port, ProcessPoolExecutor(1) as pool:
            client = Client(port, path, key, questions, SCORES)
            lead = made.runtime.settings.lead.total_seconds()
            began = time.time()
            until = began + changes * every + lead + 5
            watching = pool.submit(client.watch, clients, until)
            for turn, change in enumerate(coming, start=1):
                time.sleep(max(0.0, began + turn * every - time.time()))
                committed.append(_committed(change))
            seen = watching.result()
        states = _states(made.runtime, committed)
    judged = Judgement()
    for one in seen:
        judged.take(one, states, tables)
    took = np.array([answer.heard - answer.asked for one in seen for answer in one])
    return {
        "changes": changes,
        "answers": judged.answers,
        "per_second": round(judged.answers / (until - began), 1),
        "p50_ms": round(1000 * float(np.median(took)), 2),
        "p99_ms": round(1000 * float(np.quantile(took, 0.99)), 2),
        "slowest_ms": round(1000 * float(took.max()), 1),
        "failed": judged.failed,
        "mixed": judged.mixed,
        "backward": judged.backward,
        "states_seen": f"{len(judged.reached)} of {len(states)}",
        "last_old_answer_after_commit_seconds": round(judged.late, 3),
        "beside_its_moment_ms": round(1000 * judged.apart, 3),
    }


def _committed(change: Callable[[], object]) -> float:
    change()
    return time.time()


def _states(runtime: Runtime, committed: Sequence[float]) -> list[State]:
    with connect(runtime.engine) as conn:
        of_version = serving.join(generation, generation.c.generation_id == serving.c.generation_id)
        served = conn.execute(
            select(serving.c.serve_from, serving.c.generation_id, generation.c.version)
            .select_from(of_version)
            .where(serving.c.model == MODEL.name)
        ).all()
        tried = conn.execute(select(trial.c.serve_from, trial.c.version, trial.c.share)).all()
    return list(states_of(served, tried, committed))


def main() -> None:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.online.promotions",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--changes", type=int, default=100)
    parser.add_argument("--clients", type=int, default=4)
    parser.add_argument("--every", type=float, default=1.5, help="seconds between two changes")
    options = parser.parse_args()
    print(json.dumps(measure(options.changes, options.clients, options.every), indent=1))


if __name__ == "__main__":
    main()
