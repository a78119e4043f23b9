"""A shop of prices in a warehouse, with champions in force: for the real jobs, in process."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path
from typing import Any

from sqlalchemy import text

from daybreak.clock import AsOf
from daybreak.jobs.promoting import promote
from daybreak.jobs.registering import register_trained
from daybreak.jobs.run import score_day
from daybreak.models import get_learning
from daybreak.runtime import Runtime
from daybreak.settings import Settings
from daybreak.sources.contract.spec import load_spec
from daybreak.sources.load import load_dataset
from daybreak.warehouse.engine import connect
from daybreak.warehouse.tables import WRITER_ROLE

FORECAST, PRICES = "sales_forecast", "pricing"


@dataclass(frozen=True)
class Site:
    """``database``: its name. ``home``: of the registry. ``dataset``: path of the YAML file."""

    database: str
    home: Path
    dataset: Path

    def settings(self, url: str) -> dict[str, Any]:
        """Of a runtime on a copy of the database."""
        return {"home": self.home, "dataset": str(self.dataset), "warehouse_url": url}


@contextmanager
def filled(postgres: Any, folder: Path, dataset: Path, first: date) -> Iterator[Site]:
    """All facts of a data set are loaded, and versions in force from the night of ``first`` on.

    The forecast's is a baseline, that of prices has learned.
    """
    with postgres.database("warehouse_template") as name:
        site = Site(name, folder / "home", dataset)
        runtime = Runtime(Settings(**site.settings(postgres.url(name, WRITER_ROLE))))
        load_dataset(runtime.engine, load_spec(str(dataset)), now=night(first, days=400))
        known = AsOf(first - timedelta(days=1), night(first - timedelta(days=1)))
        with connect(runtime.engine) as conn:
            baseline = get_learning(FORECAST).baseline(conn, known)
            assert baseline is not None
            made = {
                FORECAST: baseline.trained,
                PRICES: get_learning(PRICES).train(conn, known),
            }
        for model, trained in made.items():
            version = register_trained(runtime, model, trained)
            since = {"actor": "test", "effective_from": known.cutoff}
            promote(model, version, "a test", **since, runtime=runtime)
        runtime.engine.dispose()
        yield site


def night(day: date, hour: float = 3, days: int = 1) -> datetime:
    """A moment after a business date, by default at three in the night after it."""
    return datetime.combine(day, time(), UTC) + timedelta(days=days, hours=hour)


def score(runtime: Runtime, day: date, *models: str) -> list[int]:
    """Publish what these models say of a day; their generations."""
    return [
        int(score_day(model, day, runtime=runtime)["generation_id"])
        for model in models or (FORECAST, PRICES)
    ]


def rows(runtime: Runtime, query: str, **values: Any) -> list[dict[str, Any]]:
    """What a query finds."""
    with connect(runtime.engine) as conn:
        return [dict(row) for row in conn.execute(text(query), values).mappings()]
