"""The endpoint as it runs in production: gunicorn, real HTTP, API keys."""

from __future__ import annotations

import http.client
import json
import os
import signal
import socket
import time
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import psutil
import pytest
from prometheus_client.parser import text_string_to_metric_families

from calling import PREDICT, calling
from day_equality import assert_row_equals, published_rows
from daybreak.runtime import Runtime
from daybreak.serving.http.keys import create_key, revoke_key
from daybreak.warehouse.engine import begin
from gunicorn_server import Server, gunicorn
from toy import DAY, HORIZON, KEYS, TOY, publish_day
from waiting import wait_for

pytestmark = pytest.mark.slow

NOW = datetime(2026, 2, 1, tzinfo=UTC)
BODY = {"store": "S1", "item": "pear", "date": "2026-02-03"}


@pytest.fixture
def runtime(make_runtime: Callable[..., Runtime]) -> Runtime:
    return make_runtime(refresh_seconds=0.2)


@pytest.fixture
def published(runtime: Runtime) -> None:
    """A day that is there before the server starts, so each worker loads it at once."""
    publish_day(runtime)


@pytest.fixture
def server(runtime: Runtime, tmp_path: Path) -> Iterator[Server]:
    with gunicorn(runtime, tmp_path, env={"DAYBREAK_API_LOG_REQUESTS": "1"}) as running:
        yield running


def once(server: Server, token: str, method: str, path: str) -> tuple[int, dict[str, Any]]:
    """One request over a connection of its own."""
    with calling(server, token) as caller:
        return caller.send(method, path)


def make_key(runtime: Runtime) -> tuple[str, str]:
    with begin(runtime.engine) as conn:
        key = create_key(conn, "test", NOW, scopes=["admin"])  # which has the others
    return key.key_id, key.token


def test_a_day_over_http_equals_the_table_bit_for_bit(
    published: None, server: Server, runtime: Runtime
) -> None:
    _, token = make_key(runtime)
    generation, rows = published_rows(runtime.engine, TOY, DAY)
    assert len(rows) == len(KEYS) * HORIZON

    def compare(part: list[Mapping[str, Any]]) -> None:
        with calling(server, token) as caller:
            for row in part:
                assert_row_equals(caller.ask, generation, row, model=TOY)

    with ThreadPoolExecutor(4) as pool:  # over both workers and all their threads
        list(pool.map(compare, [rows[first::4] for first in range(4)]))


def test_a_key_is_closed_in_every_worker_and_reaches_no_log(
    server: Server, runtime: Runtime
) -> None:
    key_id, token = make_key(runtime)
    assert once(server, token, "GET", "/v1/models")[0] == 200
    with begin(runtime.engine) as conn:
        revoke_key(conn, key_id, NOW)
    time.sleep(0.3)
    for _ in range(10):
        assert once(server, token, "GET", "/v1/models")[0] == 401
    log = server.log.read_text()
    assert token.rsplit("_", 1)[1] not in log
    answered, *refused = [json.loads(line) for line in log.splitlines() if line[:1] == "{"]
    assert (answered["caller_id"], answered["status"]) == (key_id, 200)
    assert {line["caller"] for line in refused} == {None}
    status, error = once(server, "none", "GET", "/v1/nothing")
    assert (status, error["error"]["code"]) == (401, "unauthenticated")
    assert once(server, "none", "GET", "/healthz") == (200, {"status": "ok"})
    assert once(server, "none", "GET", "/readyz")[0] == 503, "nothing is published"


def test_an_endless_body_is_cut_off(published: None, server: Server, runtime: Runtime) -> None:
    """Chunked, so its length is known only by reading it."""
    _, token = make_key(runtime)

    def endless() -> Iterator[bytes]:
        yield b'{"store": "'
        for _ in range(2000):
            yield b"x" * 1000

    with calling(server, token) as caller:
        status, error = caller.send("POST", PREDICT, endless(), encode_chunked=True)
        assert (status, error["error"]["code"]) == (413, "request_too_large")
    with calling(server, token) as caller:
        pieces = (json.dumps(BODY).encode()[i : i + 7] for i in range(0, 100, 7))
        chunks = (piece for piece in pieces if piece)
        status, _ = caller.send("POST", PREDICT, chunks, encode_chunked=True)
        assert status == 200, "a short chunked body is read"


def metrics_of(server: Server, token: str) -> dict[tuple[str, frozenset[tuple[str, str]]], float]:
    """Each sample of ``/metrics`` by its name and labels."""
    with closing(http.client.HTTPConnection("127.0.0.1", server.port, timeout=30)) as connection:
        connection.request("GET", "/metrics", headers={"X-API-Key": token})
        response = connection.getresponse()
        text = response.read().decode()
        assert response.status == 200, text
    return {
        (sample.name, frozenset(sample.labels.items())): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


def test_a_killed_worker_is_replaced_and_term_leaves_nobody(
    published: None, server: Server, runtime: Runtime
) -> None:
    """What workers counted adds up, also that of the killed one."""
    _, token = make_key(runtime)
    parent = psutil.Process(server.process.pid)
    count = runtime.settings.api_workers
    for _ in range(5):
        with calling(server, token) as caller:
            caller.ask(BODY)
    victim = workers(parent, count)[0]
    os.kill(victim.pid, signal.SIGKILL)
    victim.wait(10)
    assert victim not in workers(parent, count)
    for _ in range(10):
        with calling(server, token) as caller:
            assert caller.ask(BODY)["source"] == "published"

    folder = runtime.settings.state / "run" / "metrics" / f"{socket.gethostname()}-{parent.pid}"
    wait_for(lambda: len(list(folder.glob("gauge_livesum_*.db"))) == count)
    assert not list(folder.glob(f"gauge_live*_{victim.pid}.db"))
    samples = metrics_of(server, token)
    model = {("model", "toy"), ("source", "published")}
    assert samples["daybreak_prediction_seconds_count", frozenset(model)] == 15
    for name in ("daybreak_connections", "daybreak_memory_bytes"):
        assert {labels for one, labels in samples if one == name} == {
            frozenset({("worker", str(place))}) for place in range(count)
        }

    everyone = [parent, *parent.children()]
    server.process.send_signal(signal.SIGTERM)
    assert server.process.wait(30) == 0
    assert psutil.wait_procs(everyone, timeout=10)[1] == []
    assert not folder.exists()


def workers(parent: psutil.Process, count: int) -> list[psutil.Process]:
    """The children of gunicorn's master, once there are as many as there should be."""
    wait_for(lambda: len(parent.children()) == count)
    return parent.children()
