"""An embedded PostgreSQL of the benchmark's own, with a warehouse for each data set."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date
from pathlib import Path

from sqlalchemy import Connection, Engine, text

from daybreak.clock import AsOf
from daybreak.facts.days import newest_closed_day
from daybreak.jobs.inputs import as_of
from daybreak.models import model_relations
from daybreak.models.base import Progress
from daybreak.platform.postgres import Postgres
from daybreak.runtime import system_clock
from daybreak.settings import Settings
from daybreak.sources.contract.spec import load_spec
from daybreak.sources.load import load_dataset
from daybreak.warehouse.engine import connect, make_engine
from daybreak.warehouse.migrate import migrate

LOADING = ("sources", "warehouse", "facts", "clock.py")
"""What decides how files become facts: a warehouse that other code has loaded is loaded anew."""


@dataclass(frozen=True)
class Warehouse:
    """One data set, loaded. ``last``: its newest closed day."""

    engine: Engine
    settings: Settings
    last: date

    def as_of(self, conn: Connection, model: str, day: date) -> AsOf:
        """What a run of ``model`` for a day knew, by the rule of the jobs."""
        return as_of(conn, model, day, settings=self.settings, now=system_clock())


@contextmanager
def server(home: Path) -> Iterator[Settings]:
    """A running server whose data stay in ``home``; stopped at the end."""
    home.mkdir(parents=True, exist_ok=True)
    settings = Settings(home=home, dataset="bench", warehouse_url=None)
    database = Postgres(
        settings.postgres_dir, settings.postgres_socket_dir, home.absolute() / "postgres.log"
    )
    database.start()
    try:
        yield settings
    finally:
        database.stop()


@contextmanager
def warehouse(started: Settings, dataset: Path, progress: Progress) -> Iterator[Warehouse]:
    """The warehouse of a YAML file, loaded where it is not yet, as ``daybreak data load`` does."""
    settings = started.model_copy(update={"dataset": f"{dataset.stem}_{_loading()}"})
    database = Postgres(
        settings.postgres_dir, settings.postgres_socket_dir, settings.home / "postgres.log"
    )
    database.create_databases(settings.warehouse_database)
    engine = make_engine(settings.dsn_for("migrations"))
    try:
        migrate(engine, relations=model_relations())
        last = _last(engine)
        if last is None:
            load_dataset(engine, load_spec(str(dataset)), now=system_clock(), progress=progress)
            with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as conn:
                conn.execute(text("VACUUM (ANALYZE)"))  # as autovacuum does within a minute
            last = _last(engine)
        if last is None:
            raise ValueError(f"{dataset} closes no day")
        yield Warehouse(engine, settings.model_copy(update={"dataset": str(dataset)}), last)
    finally:
        engine.dispose()


def _last(engine: Engine) -> date | None:
    with connect(engine) as conn:
        return newest_closed_day(conn)


def _loading() -> str:
    package = Path(load_spec.__code__.co_filename).parents[2]
    digest = hashlib.sha256()
    for name in LOADING:
        place = package / name
        for file in [place] if place.is_file() else sorted(place.rglob("*.py")):
            digest.update(file.read_bytes())
    return digest.hexdigest()[:6]
