"""The payments of ``daybreak demo``: they follow those of the data set, and are sent in order."""

from __future__ import annotations

import json
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Lock, Thread
from typing import Any

import pytest

from daybreak.cli.demo import fraud as demo_fraud
from daybreak.cli.demo.ask import Service
from daybreak.cli.demo.payments import CONNECTIONS, Decided, Drawn, decide, drawn
from daybreak.errors import PlatformError
from daybreak.runtime import Runtime
from daybreak.settings import Settings

LAST = date(2026, 6, 30)


def a_runtime(tmp_path: Path, now: datetime | None = None, **settings: Any) -> Runtime:
    moment = now or datetime(2026, 11, 1, tzinfo=UTC)
    return Runtime(Settings(home=tmp_path, **settings), clock=lambda: moment)


def test_payments_follow_those_that_are_loaded(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    runtime = a_runtime(tmp_path)
    assert demo_fraud.left_out(runtime, LAST) is None
    found = drawn(runtime, LAST)
    assert len(found.forms) == len(found.fraud) == 2_000
    moments = [datetime.fromisoformat(one["event_at"]) for one in found.forms]
    assert moments == sorted(moments)
    assert {moment.date() for moment in moments} == {LAST}
    assert len({one["event_id"] for one in found.forms}) == 2_000
    assert sum(found.fraud) >= 20
    cards = Counter(one["keys"]["card"] for one in found.forms)
    assert max(cards.values()) >= 8, "a burst is in them"

    monkeypatch.setenv("DAYBREAK_PAYMENTS_CARDS", "100")
    few = drawn(runtime, LAST)
    assert 50 < len(few.forms) < 200, "all that there are"


def test_the_demo_says_why_it_leaves_fraud_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    retail = a_runtime(tmp_path, dataset="online_retail")
    reason = "it needs streams and labels, which online_retail lacks"
    assert demo_fraud.left_out(retail, date(2011, 12, 9)) == reason
    late = a_runtime(tmp_path, datetime(2027, 9, 1, tzinfo=UTC))
    assert "2026-06-30 is 400 days ago or more" in str(demo_fraud.left_out(late, LAST))
    monkeypatch.setenv("DAYBREAK_PAYMENTS_END", "2026-06-30")
    said = demo_fraud.left_out(a_runtime(tmp_path), LAST)
    assert "end on 2026-06-30, and not on the day before" in str(said)


@dataclass
class Clerk:
    """Answers slowly, and notes what it was asked at the same time.

    ``refused``: events that get a 503 at first. ``status``: that all get.
    """

    refused: frozenset[str] = frozenset()
    status: int = 200
    taken: list[str] = field(default_factory=list)
    shared: list[str] = field(default_factory=list)
    most: int = 0
    _busy: Counter[tuple[str, str]] = field(default_factory=Counter)
    _active: int = 0
    _lock: Lock = field(default_factory=Lock)

    def answer(self, form: dict[str, Any]) -> tuple[int, dict[str, Any]]:
        name = form["event_id"]
        keys = list(form["keys"].items())
        with self._lock:
            first = name not in self.taken
            self.taken.append(name)
            self.shared += [name for key in keys if self._busy[key]]
            self._busy.update(keys)
            self._active += 1
            self.most = max(self.most, self._active)
        time.sleep(0.002)
        with self._lock:
            self._busy.subtract(keys)
            self._active -= 1
        if first and name in self.refused:
            return 503, {"error": {}}
        return self.status, {"predictions": [{"decision": name}]}

    @contextmanager
    def service(self) -> Iterator[Service]:
        clerk = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                status, answer = clerk.answer(json.loads(body))
                said = json.dumps(answer).encode()
                self.send_response(status)
                self.send_header("Content-Length", str(len(said)))
                self.end_headers()
                self.wfile.write(said)

            def log_message(self, *_: Any) -> None:
                """Nothing."""

        with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
            thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
            thread.start()
            try:
                yield Service(f"http://127.0.0.1:{server.server_port}", "dbk")
            finally:
                server.shutdown()
                thread.join()


def some(count: int) -> Drawn:
    """Payments of ten cards at seven terminals."""
    forms = [
        {"event_id": f"e{n}", "keys": {"card": f"c{n * n % 10}", "terminal": f"t{n % 7}"}}
        for n in range(count)
    ]
    return Drawn(LAST, forms, [False] * count)


def test_those_that_share_a_key_wait_for_each_other_and_all_are_answered() -> None:
    clerk = Clerk(refused=frozenset({"e5", "e6"}))
    answered: list[int] = []
    with clerk.service() as service:
        found = decide(service, "fraud", some(120), answered.append)

    assert isinstance(found, Decided)
    assert found.decisions == [f"e{n}" for n in range(120)]
    assert clerk.shared == []
    assert 1 < clerk.most <= CONNECTIONS
    assert Counter(clerk.taken) == Counter(f"e{n}" for n in range(120)) + Counter(["e5", "e6"])
    assert sorted(answered) == list(range(1, 121))


def test_what_is_refused_for_good_ends_it_with_the_answer() -> None:
    clerk = Clerk(status=422)
    with (
        clerk.service() as service,
        pytest.raises(PlatformError, match=r"answered 422 to POST /v1/models/fraud/predict"),
    ):
        decide(service, "fraud", some(500), lambda _: None)
    assert len(clerk.taken) <= CONNECTIONS
