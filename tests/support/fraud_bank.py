"""A small bank whose fraud model is in force, cloned for each test, and every decision proven."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from functools import cached_property
from pathlib import Path
from typing import Any

from flask import Flask
from flask.testing import FlaskClient
from psycopg import sql
from sqlalchemy import Engine, RowMapping, func, insert, select, text

from anybody import Anybody
from daybreak.clock import AsOf
from daybreak.jobs.promoting import promote
from daybreak.jobs.registering import register_trained
from daybreak.models.base import quiet
from daybreak.models.fraud.learn.examples import read_examples
from daybreak.models.fraud.learn.train import Trees, trained
from daybreak.models.fraud.model import MODEL
from daybreak.runtime import Runtime
from daybreak.scoring.engines.engine import Engine as ScoringEngine
from daybreak.scoring.engines.opening import open_engine
from daybreak.scoring.proving import Proven, prove
from daybreak.serving.app import create_app
from daybreak.serving.heads import Heads
from daybreak.serving.service import service_of
from daybreak.serving.spool import Spool
from daybreak.settings import Settings
from daybreak.signals.stream import Stream, read_stream
from daybreak.sources.contract.spec import load_spec
from daybreak.sources.load import load_dataset
from daybreak.warehouse.engine import begin, connect, make_engine
from daybreak.warehouse.tables import SERVICE_ROLE, decision
from daybreak.warehouse.tables import stream as streams

LAST = date(2026, 4, 20)
LOADED = datetime(2026, 4, 21, 2, tzinfo=UTC)
NOON = datetime(2026, 4, 21, 12, tzinfo=UTC)
SMALL = Trees(depth=3, eta=0.3, rounds=15, patience=5)
OTHER = Trees(depth=2, eta=0.4, rounds=8, patience=5)
SPEC = """
name: bank
generators:
  payments: {seed: 7, cards: 300, terminals: 60, start: 2026-03-01, end: 2026-04-20, timezone: UTC}
calendar: {timezone: UTC}
streams:
  name: payments
  generator: payments
  keys: [card, terminal]
  amounts: [amount]
  attributes: {channel: text, distance: number}
labels: {stream: payments, generator: payments}
"""
Row = dict[str, Any]


@dataclass(frozen=True)
class Books:
    """What each bank is cloned from. ``other``: a version that is not in force yet."""

    postgres: Any
    home: Path
    database: str
    version: str
    other: str


@contextmanager
def books(postgres: Any, home: Path) -> Iterator[Books]:
    """Payments of 51 days, a champion that learned from them, and another version."""
    spec = home / "bank.yaml"
    spec.write_text(SPEC)
    with postgres.database("warehouse_template") as name:
        settings = Settings(home=home, warehouse_url=postgres.url(name), dataset=str(spec))
        runtime = Runtime(settings, clock=lambda: LOADED)
        load_dataset(runtime.engine, load_spec(str(spec)), now=LOADED)
        with connect(runtime.engine) as conn:
            examples = read_examples(conn, AsOf(LAST, LOADED))
        version, other = (
            register_trained(runtime, MODEL.name, trained(examples, LAST, trees=trees))
            for trees in (SMALL, OTHER)
        )
        promote(MODEL.name, version, "a test", actor="test", runtime=runtime)
        runtime.engine.dispose()  # nobody may be connected to what is cloned
        yield Books(postgres, home, name, version, other)


@dataclass
class Clock:
    """Goes on by a millisecond each time it is looked at, as no two requests come at once."""

    now: datetime = NOON
    _looks: Iterator[int] = field(default_factory=itertools.count)

    def __call__(self) -> datetime:
        return self.now + next(self._looks) * timedelta(milliseconds=1)


@dataclass
class Bank:
    """A service on a warehouse of its own, and the warehouse's owner to look at it."""

    books: Books
    database: str
    runtime: Runtime
    owner: Engine
    clock: Clock

    @cached_property
    def app(self) -> Flask:
        return create_app(self.runtime, authenticator=Anybody(), models=[MODEL])

    @cached_property
    def client(self) -> FlaskClient:
        return self.app.test_client()

    @property
    def spool(self) -> Spool:
        return service_of(self.app).decisions.spool

    @property
    def spooled(self) -> list[Path]:
        """Files of decisions that are on their way."""
        return sorted(self.runtime.settings.spool.glob("*.jsonl"))

    @property
    def stream(self) -> Stream:
        with connect(self.owner) as conn:
            return read_stream(conn, "payments")

    def rows(self, query: str, **values: Any) -> list[tuple[Any, ...]]:
        with connect(self.owner) as conn:
            return [tuple(row) for row in conn.execute(text(query), values)]

    def decisions(self, event_id: str | None = None) -> list[Any]:
        """Rows of decisions in the order in which they were made, about one event or about all."""
        query = select(decision).order_by(decision.c.decided_at, decision.c.decision_id)
        if event_id is not None:
            query = query.where(decision.c.event_id == event_id)
        with connect(self.owner) as conn:
            return list(conn.execute(query))

    def events(self, event_id: str) -> int:
        """How often an event is in the log."""
        ((count,),) = self.rows("SELECT count(*) FROM raw.event WHERE event_id = :e", e=event_id)
        return int(count)

    def promote(self, version: str) -> None:
        """Put another version in force."""
        settings = self.runtime.settings.model_copy(update={"warehouse_service_url": None})
        jobs = Runtime(settings, clock=lambda: NOON - timedelta(hours=1))
        promote(MODEL.name, version, "a test", actor="test", runtime=jobs)
        jobs.engine.dispose()

    def proven(self) -> list[Proven]:
        """All decisions there are, made again day by day."""
        engines: dict[str, ScoringEngine] = {}

        def engine_of(version: str) -> ScoringEngine:
            if version not in engines:
                engines[version] = open_engine(self.runtime.registry.load(MODEL.name, version), 1)
            return engines[version]

        days = select(decision.c.business_date).distinct().order_by(decision.c.business_date)
        with connect(self.owner) as conn:
            return [prove(conn, MODEL, engine_of, day, quiet) for day in list(conn.scalars(days))]

    def differing(self) -> list[str]:
        """What is wrong with the decisions there are, which have all been looked at."""
        found = self.proven()
        with connect(self.owner) as conn:
            made = conn.scalar(select(func.count()).select_from(decision))
        assert sum(one.decisions for one in found) == made
        return [one.first.text for one in found if one.first is not None]

    def check(self) -> None:
        """Every decision there is, made again, is the same."""
        self.spool.drain()
        assert self.differing() == []

    def clear(self) -> None:
        """Forget what happened since the books were made: a clone of its own takes a second."""
        with begin(self.owner) as conn:
            for table in ("ops.decision", "feature.tile"):
                conn.execute(text(f"DELETE FROM {table}"))
            for table in ("event", "event_id", "label"):
                conn.execute(text(f"DELETE FROM raw.{table} WHERE loaded_at > :l"), {"l": LOADED})
            conn.execute(text("DELETE FROM ops.stream"))
            conn.execute(insert(streams), [dict(self._stream_row)])
        self.clock.now = NOON
        service_of(self.app).decisions._heads = Heads(self.runtime.settings.stale_seconds)

    @cached_property
    def _stream_row(self) -> RowMapping:
        with connect(self.owner) as conn:
            return conn.execute(select(streams)).mappings().one()

    @contextmanager
    def outage(self) -> Iterator[None]:
        """The server ends all connections to the warehouse and takes no new ones."""
        name = sql.Identifier(self.database)
        allow = sql.SQL("ALTER DATABASE {} ALLOW_CONNECTIONS {}")
        self.owner.dispose()
        self.books.postgres.execute(allow.format(name, sql.SQL("false")))
        self.books.postgres.execute(
            sql.SQL(
                "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity WHERE datname = {}"
            ).format(sql.Literal(self.database))
        )
        try:
            yield
        finally:
            self.books.postgres.execute(allow.format(name, sql.SQL("true")))

    def at_once(self, asked: Sequence[Callable[[FlaskClient], Any]]) -> list[Any]:
        """What each gets, all asked at the same time by clients of their own."""
        with ThreadPoolExecutor(len(asked)) as pool:
            futures = [pool.submit(one, self.app.test_client()) for one in asked]
            return [future.result() for future in futures]


@contextmanager
def bank(books: Books, spool: Path, **settings: Any) -> Iterator[Bank]:
    """A clone. At the end every decision that was made in it is made again, and has to be equal."""
    with books.postgres.database(books.database) as name:
        url = books.postgres.url(name)
        given = {"refresh_seconds": 1e-6, "stale_seconds": 3600.0, "spool_dir": spool}
        asked = Settings(
            home=books.home,
            dataset=str(books.home / "bank.yaml"),
            warehouse_url=url,
            warehouse_service_url=url.replace("://postgres@", f"://{SERVICE_ROLE}@"),
            **(given | settings),
        )
        clock = Clock()
        found = Bank(books, name, Runtime(asked, clock, "service"), make_engine(url), clock)
        assert found._stream_row["sequence"] > 0
        try:
            yield found
            found.check()
        finally:
            for engine in (found.runtime.engine, found.runtime.lone_statements, found.owner):
                engine.dispose()
