"""A small shop with a champion, in a platform of its own that a real scheduler drives."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Engine, select

from daybreak.warehouse.engine import connect, make_engine
from daybreak.warehouse.tables import sla
from installation import Installation

TRAINED = date(2026, 2, 20)
STORES, ITEMS = 2, 6

ENVIRONMENT = {
    "DAYBREAK_DATASET": "synthetic",
    "DAYBREAK_SYNTHETIC_STORES": str(STORES),
    "DAYBREAK_SYNTHETIC_ITEMS": str(ITEMS),
    "DAYBREAK_SYNTHETIC_USERS": "50",
    "DAYBREAK_SYNTHETIC_BASKETS": "12",
    "DAYBREAK_SYNTHETIC_START": "2025-01-01",
    "DAYBREAK_SYNTHETIC_END": "2026-02-28",
    "DAYBREAK_PAYMENTS_CARDS": "20",  # of months that no test here looks at
    "DAYBREAK_ENTITIES_PER_SHARD": "8",
    # Not less: on a loaded machine Airflow starts a task again before it has seen it leave, takes
    # it for lost, and waits 20 s before another try.
    "DAYBREAK_POLL_SECONDS": "5",
    # A model of another package, on the forecast's scores.
    "PYTHONPATH": str(Path(__file__).parents[1] / "outside" / "on_scores"),
    # Five seconds from the run to its due time: a run that waits for its inputs misses it.
    "DAYBREAK_RUN_AT": "02:00",
    "DAYBREAK_DUE": "02:00:05",
}


@dataclass
class Shop:
    """The running platform and its warehouse."""

    installation: Installation
    engine: Engine

    def airflow(self, *arguments: str) -> str:
        """Run a command of Airflow, fail where it does, and return its standard output."""
        return self.installation.must("airflow", *arguments)

    def read(self) -> AbstractContextManager[Connection]:
        """A connection to the warehouse."""
        return connect(self.engine)

    def sla(self, run_type: str) -> list[Any]:
        """The SLA records of such runs, in the order of their business dates."""
        query = select(sla).where(sla.c.run_type == run_type).order_by(sla.c.business_date)
        with self.read() as conn:
            return list(conn.execute(query))


def open_shop(home: Path) -> Shop:
    """Start PostgreSQL and Airflow, load the shop, train a champion as of ``TRAINED``."""
    installation = Installation(home, ENVIRONMENT)
    installation.must("up", "--only", "airflow")
    try:
        return Shop(installation, _first_champion(installation))
    except BaseException:
        installation.must("down")
        raise


def _first_champion(installation: Installation) -> Engine:
    script = Path(__file__).with_name("first_champion.py")
    done = subprocess.run(
        [sys.executable, "-P", str(script), TRAINED.isoformat()],
        env=installation.env,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return make_engine(done.stdout.splitlines()[-1])


def wait_until(condition: Callable[[], Any], what: str, patience: float = 180) -> Any:
    """What ``condition`` returns as soon as it is true. Fails after ``patience`` seconds."""
    give_up = time.monotonic() + patience
    while not (value := condition()):
        assert time.monotonic() < give_up, f"still waiting for: {what}"
        time.sleep(0.5)
    return value
