"""A shop whose tills and competitors are streams, priced for a day, and somebody who asks."""

from __future__ import annotations

import csv
import itertools
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import yaml
from flask.testing import FlaskClient
from psycopg import sql
from sqlalchemy import Engine, make_url, text

from anybody import Anybody
from daybreak.clock import AsOf
from daybreak.jobs.promoting import promote
from daybreak.jobs.registering import register_trained
from daybreak.jobs.run import score_day
from daybreak.models import get_learning, get_model
from daybreak.runtime import Runtime
from daybreak.serving.app import create_app
from daybreak.settings import Settings
from daybreak.sources.contract.spec import load_spec
from daybreak.sources.load import load_dataset
from daybreak.warehouse.engine import begin, connect, make_engine
from daybreak.warehouse.tables import SERVICE_ROLE
from price_shop import LAST, write_shop

PREDICT, TILL, FEED = (
    "/v1/models/pricing/predict",
    "/v1/streams/till/events",
    "/v1/streams/feed/events",
)
DAY = LAST + timedelta(days=1)
MIDNIGHT = datetime(DAY.year, DAY.month, DAY.day, tzinfo=UTC) - timedelta(hours=1)
"""In London, where it is summer."""
LOADED = MIDNIGHT + timedelta(minutes=30)
OPENS, CLOSES = 8, 20
LIVE: dict[str, Any] = {
    "minutes": 15,
    "changes_a_day": 4,
    "sales": {"stream": "till", "units": "quantity", "store_id": "store", "item_id": "sku"},
    "competitors": {
        "stream": "feed",
        "price": "price",
        "item_id": "sku",
        "store_id": "store",
        "competitor": "rival",
        "newest_minutes": 120,
    },
}
Json = dict[str, Any]
Price = tuple[str, str]


def at(hours: float) -> datetime:
    """So many hours after midnight, by the clocks of the shop."""
    return MIDNIGHT + timedelta(hours=hours)


def write_live_shop(folder: Path, **rules: Any) -> Path:
    """The data set: that of ``write_shop`` with two streams, stock and a corridor."""
    corridor = {"below": 0.05, "above": 0.05}
    usual = {"competitor": corridor, "changes_a_night": 60, "live": LIVE}
    path = write_shop(folder, **(usual | rules))
    spec = yaml.safe_load(path.read_text())
    spec["generators"]["synthetic"] |= {"stores": 2, "items": 8}
    with (folder / "till.csv").open("w", newline="") as file:
        rows = csv.writer(file)
        rows.writerow(["id", "at", "store", "sku", "customer", "quantity"])
        for back, hour, store in itertools.product(
            range(28), range(OPENS, CLOSES), ("S001", "S002")
        ):
            day = LAST - timedelta(days=back)
            moment = f"{day} {hour:02}:30:00"
            rows.writerow([f"{day}-{hour}-{store}", moment, store, "I0001", "anna", 2])
    with (folder / "stock.csv").open("w", newline="") as file:
        rows = csv.writer(file)
        rows.writerow(["day", "store", "item", "units"])
        for store, item in itertools.product(("S001", "S002"), range(1, 9)):
            rows.writerow([LAST, store, f"I{item:04}", 12])
    spec["stock"] = {
        "files": "${HERE}/stock.csv",
        "columns": {
            "business_date": "day",
            "store_id": "store",
            "item_id": "item",
            "units": "units",
        },
    }
    spec["streams"] = [
        {
            "name": "till",
            "keys": ["store", "sku", "register", "customer"],
            "amounts": ["quantity"],
            "closes_days": False,
            "files": "${HERE}/till.csv",
            "columns": {
                **{"event_id": "id", "event_at": "at", "store": "store", "sku": "sku"},
                **{"customer": "customer", "quantity": "quantity"},
            },
        },
        {
            "name": "feed",
            "keys": ["sku", "store", "rival"],
            "amounts": ["price"],
            "closes_days": False,
        },
    ]
    path.write_text(yaml.safe_dump(spec, sort_keys=False))
    return path


@dataclass(frozen=True)
class Shelves:
    """What each shop is cloned from: prices of the day after ``LAST`` are published."""

    postgres: Any
    home: Path
    database: str
    data_set: Path


@contextmanager
def shelves(postgres: Any, home: Path, **rules: Any) -> Iterator[Shelves]:
    """Facts are loaded, versions in force, and the day is published."""
    data_set = write_live_shop(home, **rules)
    with postgres.database("warehouse_template") as name:
        settings = Settings(home=home, warehouse_url=postgres.url(name), dataset=str(data_set))
        runtime = Runtime(settings, clock=lambda: LOADED)
        load_dataset(runtime.engine, load_spec(data_set), now=LOADED)
        known = AsOf(LAST, LOADED)
        with connect(runtime.engine) as conn:
            forecast = get_learning("sales_forecast").baseline(conn, known)
            assert forecast is not None
            made = {
                "sales_forecast": forecast.trained,
                "pricing": get_learning("pricing").train(conn, known),
            }
        for model, trained in made.items():
            version = register_trained(runtime, model, trained)
            promote(model, version, "a test", actor="test", effective_from=LOADED, runtime=runtime)
            score_day(model, LAST, runtime=runtime)
        serve_from(runtime.engine, LOADED)
        runtime.engine.dispose()  # nobody may be connected to what is cloned
        yield Shelves(postgres, home, name, data_set)


def serve_from(owner: Engine, moment: datetime, model: str = "pricing") -> None:
    """Let the newest publication have been answering since then, by the clock of a test."""
    newest = "(SELECT max(entry_id) FROM ops.serving WHERE model = :model)"
    with begin(owner) as conn:
        conn.execute(text("ALTER TABLE ops.serving DISABLE TRIGGER USER"))
        statement = f"UPDATE ops.serving SET serve_from = :moment WHERE entry_id = {newest}"
        conn.execute(text(statement), {"moment": moment, "model": model})
        conn.execute(text("ALTER TABLE ops.serving ENABLE TRIGGER USER"))


@dataclass
class Clock:
    """Stands still until it is set."""

    now: datetime = field(default_factory=lambda: at(OPENS))

    def __call__(self) -> datetime:
        return self.now


@dataclass
class Shop:
    """A warehouse of its own, workers that answer from it, and its owner to look at it."""

    shelves: Shelves
    url: str
    owner: Engine
    clock: Clock = field(default_factory=Clock)
    runtimes: list[Runtime] = field(default_factory=list)
    numbers: Iterator[int] = field(default_factory=itertools.count)

    def url_of(self, role: str) -> str:
        """For somebody else than the owner."""
        return self.url.replace("://postgres@", f"://{role}@")

    def runtime(self, part: Any = "service", role: str = SERVICE_ROLE) -> Runtime:
        settings = Settings(
            home=self.shelves.home,
            dataset=str(self.shelves.data_set),
            warehouse_url=self.url,
            warehouse_service_url=self.url_of(role),
            refresh_seconds=1e-6,
            stale_seconds=1800.0,
        )
        found = Runtime(settings, self.clock, part)
        self.runtimes.append(found)
        return found

    def worker(self, role: str = SERVICE_ROLE) -> FlaskClient:
        """A process that answers, with nothing in memory."""
        runtime, models = self.runtime(role=role), [get_model("pricing")]
        return create_app(runtime, authenticator=Anybody(), models=models).test_client()

    def rows(self, query: str, **values: Any) -> list[Any]:
        with connect(self.owner) as conn:
            return [tuple(row) for row in conn.execute(text(query), values)]

    def jobs(self) -> Runtime:
        """What the night runs with."""
        return self.runtime("jobs")

    @contextmanager
    def outage(self) -> Iterator[None]:
        """The server ends all connections to the warehouse and takes no new ones."""
        execute, name = self.shelves.postgres.execute, make_url(self.url).database
        allow = sql.SQL("ALTER DATABASE {} ALLOW_CONNECTIONS {}")
        self.owner.dispose()
        execute(allow.format(sql.Identifier(name), sql.SQL("false")))
        ended = "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity WHERE datname = {}"
        execute(sql.SQL(ended).format(sql.Literal(name)))
        try:
            yield
        finally:
            execute(allow.format(sql.Identifier(name), sql.SQL("true")))

    def sell(self, client: FlaskClient, price: Price, units: float, **changes: Any) -> None:
        """At the till, now."""
        store, item = price
        self.send(client, TILL, {"store": store, "sku": item}, {"quantity": units}, **changes)

    def see(
        self, client: FlaskClient, price: Price, cents: float, rival: str = "near", **changes: Any
    ) -> None:
        """What a competitor asks, now."""
        store, item = price
        keys = {"sku": item, "rival": rival} | ({"store": store} if store else {})
        self.send(client, FEED, keys, {"price": cents / 100}, **changes)

    def send(
        self, client: FlaskClient, address: str, keys: Json, amounts: Json, **changes: Any
    ) -> None:
        event = {
            "event_id": f"e{next(self.numbers)}",
            "event_at": self.clock.now.isoformat(),
            "keys": keys,
            "amounts": amounts,
        }
        response = client.post(address, json={"events": [event | changes]})
        assert response.status_code == 200, response.get_data(as_text=True)


def ask(client: FlaskClient, price: Price, **words: Any) -> Json:
    """The answer about a price."""
    store, item = price
    response = client.post(PREDICT, json={"store_id": store, "item_id": item} | words)
    assert response.status_code == 200, response.get_data(as_text=True)
    found: Json = response.get_json()
    return found


def price_in(answer: Json) -> int:
    """Minor units of an answer."""
    return int(answer["predictions"][0]["price"])


@contextmanager
def shop(shelves: Shelves) -> Iterator[Shop]:
    """A clone."""
    with shelves.postgres.database(shelves.database) as name:
        url = shelves.postgres.url(name)
        found = Shop(shelves, url, make_engine(url))
        try:
            yield found
        finally:
            for runtime in found.runtimes:
                runtime.engine.dispose()
                runtime.lone_statements.dispose()
            found.owner.dispose()
