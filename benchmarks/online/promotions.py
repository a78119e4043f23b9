"""Publications, rollbacks and canaries while clients ask, and every answer held against the ledger:

python -m benchmarks.online.promotions --changes 100

Starts a PostgreSQL and a service of two workers of its own. Each client keeps two connections and
asks over them in turn; it may see no failed answer, none that mixes two versions or generations,
and none from before what it was told already.
"""

from __future__ import annotations

import argparse
import json
import os
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import partial
from itertools import cycle, islice
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any
from urllib.error import URLError
from urllib.request import urlopen

import numpy as np
from sqlalchemy import Engine, select

from benchmarks.bench_forecast import grow
from benchmarks.facts import AS_OF, BUSINESS_DATE, CUTOFF, fill, temporary_warehouse
from benchmarks.online.witness import (
    Client,
    Judgement,
    Question,
    Scores,
    State,
    states_of,
)
from daybreak.jobs import trials
from daybreak.jobs.publishing import publish, rollback
from daybreak.jobs.registering import register_trained
from daybreak.ledger.generations import mark_audited, mark_staged, open_generation
from daybreak.models.base import Day, Trained
from daybreak.models.sales_forecast.model import MODEL
from daybreak.runtime import Runtime
from daybreak.scoring.audit import audit_generation
from daybreak.scoring.batch import rows_of_a_night, score_shard
from daybreak.scoring.engines.opening import open_engine
from daybreak.scoring.snapshot_shards import write_snapshot
from daybreak.scoring.snapshots import read_snapshot
from daybreak.serving.http.keys import create_key
from daybreak.settings import Settings
from daybreak.warehouse.engine import begin, connect
from daybreak.warehouse.tables import generation, serving, trial

STORES, ITEMS, DAYS, ROUNDS = 2, 5, 90, 50
NAMES = ("p10", "p50", "p90", "mean")
PATIENCE_SECONDS = 120


@dataclass
class Shop:
    """Two versions of the forecast over one snapshot, and generations of them to be published."""

    runtime: Runtime
    snapshot_id: int
    versions: list[str]
    staged: int = 0

    def stage(self) -> dict[str, Any]:
        """A generation of one version, then of the other, whole but invisible."""
        version = self.versions[self.staged % 2]
        self.staged += 1
        engine = open_engine(self.runtime.registry.load(MODEL.name, version), threads=1)
        with begin(self.runtime.engine) as conn:
            made = open_generation(
                conn,
                model=MODEL.name,
                business_date=BUSINESS_DATE,
                run_key=f"bench/{self.staged}",
                run_type="cli",
                cutoff=CUTOFF,
                version=version,
                snapshot_id=self.snapshot_id,
                now=CUTOFF,
            )
            whole = {"shard": 0, "first": 0, "last": STORES * ITEMS}
            rows = score_shard(conn, MODEL, engine, made, **whole)
            audit_generation(conn, MODEL, made)
            mark_staged(conn, made.generation_id, rows, CUTOFF)
            mark_audited(conn, made.generation_id, CUTOFF)
        return {
            "run_key": made.run_key,
            "model": MODEL.name,
            "business_date": BUSINESS_DATE.isoformat(),
            "generation_id": made.generation_id,
            "version": version,
        }

    def scores(self, generation_id: int) -> dict[Question, Scores]:
        """What the table has of a generation, each number as its shortest decimal."""
        table = MODEL.night.score_table
        query = select(table).where(table.c.generation_id == generation_id)
        with connect(self.runtime.engine) as conn:
            return {
                (row.store_id, row.item_id, row.target_date.isoformat()): tuple(
                    float(str(np.float32(getattr(row, name)))) for name in NAMES
                )
                for row in conn.execute(query)
            }


@contextmanager
def shop() -> Iterator[Shop]:
    """Facts, a snapshot, and two versions."""
    with (
        temporary_warehouse() as engine,
        TemporaryDirectory(prefix="dbk-bench-") as home,
    ):
        url = engine.url.render_as_string(hide_password=False)
        runtime = Runtime(Settings(home=Path(home), warehouse_url=url))
        fill(engine, STORES, ITEMS, DAYS)
        with begin(engine) as conn:
            snapshot_id = write_snapshot(conn, MODEL, AS_OF, CUTOFF)
        versions = _versions(runtime, engine, snapshot_id)
        yield Shop(runtime, snapshot_id, versions)
        runtime.engine.dispose()


def _versions(runtime: Runtime, engine: Engine, snapshot_id: int) -> list[str]:
    with connect(engine) as conn:
        snapshot = read_snapshot(conn, MODEL, snapshot_id, 0, STORES * ITEMS)
    day = Day(BUSINESS_DATE)
    untrained = type("Artifact", (), {"manifest": {"calibration": {}}, "files": {}})
    rows = rows_of_a_night(MODEL.night, MODEL.scorer(untrained, day), day, snapshot)  # type: ignore[arg-type]  # it asks for nothing else
    grown = grow(rows.features, ROUNDS)
    made = []
    for offset in (0.0, 0.5):
        calibration = {"round": False, "p10": [-0.1] * 28, "p90": [0.1] * 28}
        calibration |= {"mean": [offset] * 28}
        manifest = grown.manifest | {
            "trained_through": BUSINESS_DATE.isoformat(),
            "calibration": calibration,
        }
        trained = Trained(grown.booster, manifest, examples=rows.features)
        made.append(register_trained(runtime, MODEL.name, trained))
    return made


@contextmanager
def service(runtime: Runtime) -> Iterator[int]:
    """Two workers; yields their port."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    env = os.environ | {
        **{name: value for name, value in runtime.settings.as_environment().items() if value},
        "DAYBREAK_API_WORKERS": "2",
    }
    log = runtime.settings.state / "gunicorn.log"
    command = [
        *(sys.executable, "-m", "gunicorn", "--config", "python:daybreak.serving.gunicorn_conf"),
        *("--bind", f"127.0.0.1:{port}", "daybreak.serving.wsgi:app"),
    ]
    with log.open("wb") as output:
        process = subprocess.Popen(command, env=env, stdout=output, stderr=output)
    try:
        give_up = time.monotonic() + PATIENCE_SECONDS
        while not _ready(port):
            if process.poll() is not None or time.monotonic() > give_up:
                raise RuntimeError(f"the service did not start:\n{log.read_text()}")
            time.sleep(0.1)
        yield port
    finally:
        process.terminate()
        process.wait(30)


def _ready(port: int) -> bool:
    with suppress(URLError, OSError), urlopen(f"http://127.0.0.1:{port}/readyz") as response:
        return bool(response.status == 200)
    return False


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
    with shop() as made:
        committed = [_committed(partial(publish, made.stage(), made.runtime))]
        coming = changes_of(made, changes)
        with begin(made.runtime.engine) as conn:
            key = create_key(conn, "bench", CUTOFF).token
        tables = {made.versions[0]: made.scores(1), made.versions[1]: made.scores(2)}
        path = f"/v1/models/{MODEL.name}/predict"
        questions = sorted(tables[made.versions[0]])
        with service(made.runtime) as port, ProcessPoolExecutor(1) as pool:
            client = Client(port, path, key, questions, NAMES)
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
