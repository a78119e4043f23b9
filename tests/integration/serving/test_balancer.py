"""Two replicas behind a real HAProxy, as in production: nobody notices where one of them goes."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass, field
from functools import partial
from itertools import cycle
from pathlib import Path
from tempfile import mkdtemp
from threading import Event
from typing import Any

import psutil
import pytest

from calling import PREDICT, Caller, calling
from day_equality import assert_row_equals, published_rows
from daybreak.ledger.generations import rollback
from daybreak.runtime import Runtime, system_clock
from daybreak.serving.http.keys import create_key
from daybreak.settings import Settings
from daybreak.warehouse.engine import begin
from daybreak.warehouse.tables import WRITER_ROLE
from gunicorn_server import Server, gunicorn
from haproxy import PRODUCTION, Balancer, haproxy, port_of, reserve
from toy import DAY, TOY, publish_day
from waiting import wait_for

pytestmark = [pytest.mark.slow, pytest.mark.balancer]

Way = Callable[[Caller, Mapping[str, Any]], Mapping[str, Any]]
SECONDS_BETWEEN = 0.01
"""That a client waits before it asks again: what is restarted needs the machine, too."""


@dataclass
class Replica:
    """One of the two; it always has the same port."""

    runtime: Runtime
    folder: Path
    port: int
    server: Server = field(init=False)
    _running: ExitStack = field(default_factory=ExitStack)

    def start(self) -> None:
        folder = Path(mkdtemp(dir=self.folder))
        running = gunicorn(self.runtime, folder, port=self.port)
        self.server = self._running.enter_context(running)

    def end(self) -> None:
        """Ask it to, and wait until it has."""
        self._running.close()


@dataclass(frozen=True)
class Site:
    """Everything that runs, with a day that is published."""

    runtime: Runtime
    token: str
    replicas: Sequence[Replica]
    balancer: Balancer

    def wait_for_up(self, replicas: int) -> None:
        wait_for(lambda: self.balancer.up == replicas)

    def answered_by_first(self) -> int:
        return self.balancer.count("server_http_responses_total", server="api1", code="2xx")

    def wait_for_first_to_answer(self) -> None:
        before = self.answered_by_first()
        wait_for(lambda: self.answered_by_first() > before)

    def kill_in_first(self, processes: Sequence[psutil.Process], requests: int) -> None:
        """Kill processes of the first replica while at least so many requests wait for its answer:
        it is stopped first, and still gets some."""
        for process in processes:
            process.suspend()
        now = partial(self.balancer.count, "server_current_sessions", server="api1")
        try:
            wait_for(lambda: now() >= requests)
        finally:
            for process in processes:
                process.kill()

    @contextmanager
    def load(self, ask: Way = Caller.ask, clients: int = 6) -> Iterator[None]:
        """Clients that ask for one published row after the other until the end of the block.

        Each has a connection that it keeps, and each answer is compared with the table.
        """
        ended = Event()
        with ThreadPoolExecutor(clients) as pool:
            watching = [pool.submit(self._watch, ask, ended) for _ in range(clients)]
            try:
                yield
            finally:
                ended.set()
        assert all(client.result() for client in watching), "each has asked"

    def _watch(self, ask: Way, ended: Event) -> int:
        """How many answers were right. Raises what is wrong with the first that is not."""
        right = 0
        generation, rows = published_rows(self.runtime.engine, TOY, DAY)
        with calling(self.balancer, self.token) as caller:
            for row in cycle(rows):
                if ended.wait(SECONDS_BETWEEN):
                    break
                assert_row_equals(partial(ask, caller), generation, row, model=TOY)
                right += 1
        return right


def ask_a_thousand_times(caller: Caller, body: Mapping[str, Any]) -> Mapping[str, Any]:
    """In one request, which is as large as they come."""
    status, answer = caller.send("POST", PREDICT, {"rows": [dict(body)] * 1000})
    assert status == 200, answer
    first, *others = answer["answers"]
    assert others == [first] * 999
    return {**answer, **first}


@pytest.fixture(scope="module")
def site(postgres: Any, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    with ExitStack() as stack:
        database = stack.enter_context(postgres.database("warehouse_template"))
        url = postgres.url(database).replace("://postgres@", f"://{WRITER_ROLE}@")
        settings = Settings(
            home=tmp_path_factory.mktemp("home"), warehouse_url=url, refresh_seconds=0.2
        )
        runtime = Runtime(settings, system_clock)
        stack.callback(runtime.engine.dispose)
        publish_day(runtime)
        with begin(runtime.engine) as conn:
            key = create_key(conn, "test", runtime.clock(), scopes=["predict"])
        ports = [port_of(stack.enter_context(closing(reserve()))) for _ in range(2)]
        replicas = [Replica(runtime, tmp_path_factory.mktemp("replica"), port) for port in ports]
        for replica in replicas:
            stack.callback(replica.end)
        with ThreadPoolExecutor() as pool:
            list(pool.map(Replica.start, replicas))
        balancer = stack.enter_context(haproxy(tmp_path_factory.mktemp("haproxy"), ports))
        wait_for(lambda: balancer.count("server_check_status", state="L7OK") == 2)
        yield Site(runtime, key.token, replicas, balancer)


def test_a_replica_that_is_killed_fails_no_request_and_comes_back(site: Site) -> None:
    """Neither large ones, which the balancer has to keep until they are answered."""
    first = site.replicas[0]
    with site.load(ask_a_thousand_times, clients=4):
        site.wait_for_first_to_answer()
        master = psutil.Process(first.server.process.pid)
        site.kill_in_first([master, *first.server.workers], requests=2)
        site.wait_for_up(1)
        first.end()
        first.start()
        site.wait_for_up(2)
        site.wait_for_first_to_answer()
    assert site.balancer.count("server_retry_warnings_total", server="api1") >= 2


def test_a_worker_that_is_killed_fails_no_request(site: Site) -> None:
    server = site.replicas[0].server
    with site.load():
        for victim in server.workers:
            site.wait_for_first_to_answer()
            site.kill_in_first([victim], requests=2)
            wait_for(lambda victim=victim: len({*server.workers} - {victim}) == 2)
        site.wait_for_first_to_answer()


def test_replicas_that_are_restarted_in_turn_fail_no_request(site: Site) -> None:
    with site.load():
        for replica in site.replicas:
            replica.end()
            replica.start()
            site.wait_for_up(2)
        site.wait_for_first_to_answer()


def test_where_no_replica_is_ready_the_balancer_says_so_in_our_words(site: Site) -> None:
    with begin(site.runtime.engine) as conn:
        rollback(conn, TOY.name, DAY, site.runtime.clock())
    site.wait_for_up(0)
    with calling(site.balancer, site.token) as caller:
        status, answer = caller.send("POST", PREDICT, {})
    expected = (PRODUCTION / "503.http").read_text().partition("\n\n")[2]
    assert (status, answer) == (503, json.loads(expected))
    publish_day(site.runtime, run_key="again")
    site.wait_for_up(2)
