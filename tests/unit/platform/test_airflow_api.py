"""The client of Airflow's API, beside a server that is slow to answer."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from datetime import date
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from daybreak.errors import PlatformError
from daybreak.platform import airflow_api
from daybreak.platform.airflow_api import AirflowApi, Days

READ = "GET /api/v2/dags"
DAYS = Days(date(2026, 1, 1), date(2026, 1, 3), "UTC")


class Slow(ThreadingHTTPServer):
    """Answers everything, but of each kind of call the first ``late`` ones when all is over."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Answers)
        self.late: dict[str, int] = {}
        self.asked: list[str] = []
        self.over = threading.Event()
        self.states: list[list[str]] = []
        """Of a DAG's runs, at each look; the last stays."""


class Answers(BaseHTTPRequestHandler):
    """A token for whoever asks, no DAGs, and the runs of any."""

    server: Slow

    def do_GET(self) -> None:
        call = f"{self.command} {self.path.partition('?')[0]}"
        self.server.asked.append(call)
        if self.server.asked.count(call) <= self.server.late.get(call, 0):
            self.server.over.wait(30)
        body = json.dumps({"dags": [], "access_token": "x", "dag_runs": self.runs()}).encode()
        try:
            self.send_response(200)
            self.send_header("content-length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)
        except OSError:
            self.close_connection = True  # nobody waits for it any more

    def runs(self) -> list[dict[str, str]]:
        states = self.server.states
        if not states or not self.path.split("?")[0].endswith("/dagRuns"):
            return []
        return [{"state": state} for state in (states.pop(0) if len(states) > 1 else states[0])]

    do_POST = do_GET  # noqa: N815 -- the name that http.server calls

    def log_message(self, format: str, *args: object) -> None:
        """Keep the test's output clean."""


@pytest.fixture
def slow(monkeypatch: pytest.MonkeyPatch) -> Iterator[Slow]:
    monkeypatch.setattr(airflow_api, "CALL_SECONDS", 0.5)
    monkeypatch.setattr(airflow_api, "LOOK_SECONDS", 0.2)
    server = Slow()
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield server
    server.over.set()
    server.shutdown()
    thread.join()
    server.server_close()


def client(server: Slow, reads: int = 3) -> AirflowApi:
    return AirflowApi(f"http://127.0.0.1:{server.server_port}", "admin", "secret", reads=reads)


def test_a_read_that_times_out_is_asked_again(slow: Slow) -> None:
    slow.late = {READ: 2}
    assert client(slow).paused() == []
    assert slow.asked.count(READ) == 3


def test_a_server_that_never_answers_is_given_up(slow: Slow) -> None:
    slow.late = {READ: 100}
    with pytest.raises(PlatformError, match="does not answer: timed out") as caught:
        client(slow).paused()
    assert "daybreak status" in caught.value.remedy
    assert slow.asked.count(READ) == 3
    with pytest.raises(PlatformError, match="does not answer"):
        client(slow, reads=1).paused()
    assert slow.asked.count(READ) == 4, "who does not wait for runs asks once"


def test_a_change_that_times_out_is_not_made_twice(slow: Slow) -> None:
    slow.late = {"POST /auth/token": 1}
    with pytest.raises(PlatformError, match="timed out"):
        client(slow)
    assert slow.asked == ["POST /auth/token"]


def test_days_are_waited_for_as_long_as_they_end(slow: Slow) -> None:
    looks = [["queued", "running"], ["success", "running"], ["success", "failed"]]
    slow.states = [*looks]
    seen: list[tuple[int, int]] = []
    found = client(slow).wait("daily", DAYS, 0.15, lambda done, of: seen.append((done, of)))
    assert [run["state"] for run in found] == ["success", "failed"]
    assert seen == [(0, 2), (1, 2), (2, 2)], "longer than the patience, but never without news"


def test_days_of_which_none_ends_are_given_up(slow: Slow) -> None:
    slow.states = [["success", "running", "queued"]]
    with pytest.raises(
        PlatformError, match="2 of 3 runs of daily are not done, and none has ended"
    ):
        client(slow).wait("daily", DAYS, 0.15, lambda done, of: None)
