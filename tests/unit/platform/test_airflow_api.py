"""The client of Airflow's API, beside a server that is slow to answer."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from daybreak.errors import PlatformError
from daybreak.platform import airflow_api
from daybreak.platform.airflow_api import AirflowApi

READ = "GET /api/v2/dags"


class Slow(ThreadingHTTPServer):
    """Answers everything, but of each kind of call the first ``late`` ones when all is over."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Answers)
        self.late: dict[str, int] = {}
        self.asked: list[str] = []
        self.over = threading.Event()


class Answers(BaseHTTPRequestHandler):
    """An empty list of DAGs, and a token for whoever asks."""

    server: Slow

    def do_GET(self) -> None:
        call = f"{self.command} {self.path.partition('?')[0]}"
        self.server.asked.append(call)
        if self.server.asked.count(call) <= self.server.late.get(call, 0):
            self.server.over.wait(30)
        body = b'{"dags": [], "access_token": "x"}'
        try:
            self.send_response(200)
            self.send_header("content-length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)
        except OSError:
            self.close_connection = True  # nobody waits for it any more

    do_POST = do_GET  # noqa: N815 -- the name that http.server calls

    def log_message(self, format: str, *args: object) -> None:
        """Keep the test's output clean."""


@pytest.fixture
def slow(monkeypatch: pytest.MonkeyPatch) -> Iterator[Slow]:
    monkeypatch.setattr(airflow_api, "CALL_SECONDS", 1.0)
    monkeypatch.setattr(airflow_api, "READS", 3)
    server = Slow()
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield server
    server.over.set()
    server.shutdown()
    thread.join()
    server.server_close()


def client(server: Slow) -> AirflowApi:
    return AirflowApi(f"http://127.0.0.1:{server.server_port}", "admin", "secret")


def test_a_read_that_times_out_is_asked_again(slow: Slow) -> None:
    slow.late = {READ: 2}
    assert client(slow).paused() == []
    assert slow.asked.count(READ) == 3


def test_a_server_that_never_answers_is_given_up(slow: Slow) -> None:
    slow.late = {READ: 100}
    with pytest.raises(PlatformError, match="does not answer: timed out") as caught:
        client(slow).paused()
    assert "daybreak status" in caught.value.remedy
    assert slow.asked.count(READ) == airflow_api.READS


def test_a_change_that_times_out_is_not_made_twice(slow: Slow) -> None:
    slow.late = {"POST /auth/token": 1}
    with pytest.raises(PlatformError, match="timed out"):
        client(slow)
    assert slow.asked == ["POST /auth/token"]
