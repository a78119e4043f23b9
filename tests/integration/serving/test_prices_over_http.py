"""Two processes of gunicorn, a stream that goes on, and one price a slot for all who ask."""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from calling import calling
from daybreak.prices.ledger import in_force
from daybreak.runtime import system_clock
from daybreak.serving.http.keys import create_key
from daybreak.warehouse.engine import begin, connect
from daybreak.warehouse.tables import SERVICE_ROLE
from fast_clock import FastClock
from gunicorn_server import Server, gunicorn
from live_shop import FEED, LIVE, PREDICT, TILL, Price, Shelves, at, shelves, shop
from waiting import wait_for

PRICES = [("S002", "I0006"), ("S001", "I0002")]
TIMES = 300
"""A slot takes three seconds."""
SECONDS = 40
SLOT = timedelta(minutes=15)


@pytest.fixture(scope="module")
def made(postgres: Any, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shelves]:
    with shelves(postgres, tmp_path_factory.mktemp("live")) as found:
        yield found


class Crowd:
    """People who ask, and tills and competitors that send, until ``stop`` is set."""

    def __init__(self, server: Server, token: str, clock: FastClock) -> None:
        self.server, self.token, self.clock = server, token, clock
        self.stop = threading.Event()
        self.told: list[tuple[Price, datetime, int, str]] = []
        """Of each answer the price, until when it holds, what it is and its source."""

    def send(self, seed: int) -> int:
        draw, sent = random.Random(seed), 0
        with calling(self.server, self.token) as caller:
            while not self.stop.is_set():
                store, item = draw.choice(PRICES)
                event: dict[str, Any] = {
                    "event_id": f"{seed}-{sent}",
                    "event_at": self.clock().isoformat(),
                    "keys": {"store": store, "sku": item},
                }
                if draw.random() < 0.8:
                    address, amounts = TILL, {"quantity": draw.choice([0, 1, 3])}
                else:
                    address, amounts = FEED, {"price": draw.choice([4.5, 5.2, 5.8, 10.0, 0.0])}
                    event["keys"]["rival"] = draw.choice("ab")
                body = {"events": [event | {"amounts": amounts}]}
                status, answer = caller.send("POST", address, body)
                assert status == 200, answer
                sent += 1
                time.sleep(0.02)
        return sent

    def ask(self, seed: int) -> int:
        draw, asked = random.Random(seed), 0
        while not self.stop.is_set():
            # A connection each: any of the two processes may answer.
            with calling(self.server, self.token) as caller:
                price = draw.choice(PRICES)
                body = {"store_id": price[0], "item_id": price[1]}
                status, answer = caller.send("POST", PREDICT, body)
                assert status == 200, answer
                until = datetime.fromisoformat(answer["valid_until"])
                amount = int(answer["predictions"][0]["price"])
                self.told.append((price, until, amount, answer["source"]))
                asked += 1
        return asked


def test_two_processes_give_one_price_while_events_come(made: Shelves, tmp_path: Path) -> None:
    with shop(made) as here:
        clock = FastClock(system_clock(), at(9), TIMES, system_clock)
        runtime = here.runtime()
        with begin(here.owner) as conn:
            token = create_key(conn, "test", system_clock(), scopes=["admin"]).token
        environment = {
            "FAST_CLOCK": clock.as_text(),
            "DAYBREAK_DATASET": str(made.data_set),
            "DAYBREAK_API_WORKERS": "2",
            "DAYBREAK_WAREHOUSE_SERVICE_URL": here.url_of(SERVICE_ROLE),
            "DAYBREAK_REFRESH_SECONDS": "0.5",
        }
        with gunicorn(runtime, tmp_path, app="price_wsgi:app", env=environment) as server:
            wait_for(lambda: len(server.workers) == 2)
            crowd = Crowd(server, token, clock)
            with ThreadPoolExecutor(5) as pool:
                sending = [pool.submit(crowd.send, seed) for seed in (1, 2)]
                asking = [pool.submit(crowd.ask, seed) for seed in (3, 4, 5)]
                time.sleep(SECONDS)
                crowd.stop.set()
                assert sum(one.result() for one in sending) > 100
                assert sum(one.result() for one in asking) > 100
        by_slot: dict[tuple[Price, datetime], set[int]] = {}
        for price, until, amount, _ in crowd.told:
            by_slot.setdefault((price, until), set()).add(amount)
        assert {len(amounts) for amounts in by_slot.values()} == {1}
        assert len({until for _, until in by_slot}) > SECONDS // 5
        assert {source for *_, source in crowd.told} == {"published", "live"}
        with connect(here.owner) as conn:
            for (price, until), (amount,) in by_slot.items():
                found = in_force(conn, until - SLOT, at(1000))
                (one,) = (row for row in found if (row.store_id, row.item_id) == price)
                assert one.price == amount, (price, until)
        counts = here.rows("SELECT count(*) FROM ops.price_moment GROUP BY store_id, item_id")
        assert max(count for (count,) in counts) <= LIVE["changes_a_day"]
