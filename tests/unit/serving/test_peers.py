"""The bench of ``benchmarks/online/peers``: its parts, without a server, a load or a network."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
from benchmarks.online.peers.load import MARK, SCRIPT, Load, Questions, load_of, price, wrk
from benchmarks.online.peers.others import PEERS, REQUIREMENTS
from benchmarks.online.peers.ours import CACHED, SCORED
from benchmarks.online.peers.report import BARS, summary, tables
from benchmarks.online.peers.rounds import Round, Turn
from benchmarks.online.processes import Memory
from lupa.luajit21 import LuaRuntime

from daybreak.errors import ConfigError

SAID = """Running 2s test @ http://127.0.0.1:34567/predict
  1 threads and 8 connections
  Thread Stats   Avg      Stdev     Max   +/- Stdev
    Latency     6.10ms    4.21ms  46.11ms   88.12%
    Req/Sec     1.23k   150.12     1.50k    75.00%
  Latency Distribution
     50%    5.28ms
     75%    7.00ms
     90%   10.99ms
     99%   29.17ms
  2461 requests in 2.00s, 427.74KB read
Requests/sec:   1230.50
Transfer/sec:    213.87KB

{"requests": 2461, "seconds": 2.000000, "refused": 0, "broken": 0, "p50_ms": 5.280, "p99_ms": 29.170}
"""  # noqa: E501 (as it was printed)


def test_what_wrk_says_is_read() -> None:
    assert load_of(SAID) == Load(1230.5, 5.28, 29.17)


@pytest.mark.parametrize("fault", ['"refused": 1', '"broken": 3', '"requests": 0'])
def test_an_answer_that_failed_is_an_error(fault: str) -> None:
    name, _ = fault.split(":")
    with pytest.raises(RuntimeError, match="answered well"):
        load_of(re.sub(rf"{name}: \d+", fault, SAID))


def test_without_wrk_it_says_how_to_get_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "")
    with pytest.raises(ConfigError, match="apt-get install wrk"):
        wrk()


def script(bodies: Path, first: int) -> Any:
    """``load.lua`` in wrk's own language, with what wrk gives it."""
    lua = LuaRuntime()
    lua.execute(
        """
        wrk = { format = function(method, path, headers, body)
           local length = body and ("Content-Length: %d\\r\\n"):format(#body) or ""
           return method .. " /predict HTTP/1.1\\r\\n" .. length .. "\\r\\n" .. (body or "")
        end }
        said = ""
        io.write = function(text) said = said .. text end
        """
    )
    lua.execute(SCRIPT.read_text())
    lua.globals().init(lua.table_from({0: "http://…", 1: str(bodies), 2: str(first)}))
    return lua.globals()


def test_each_request_has_a_price_of_its_own(tmp_path: Path) -> None:
    bodies = [f'{{"store_id": "S{n}", "price": {MARK}}}' for n in range(3)]
    asked = Questions("/predict", bodies)
    (tmp_path / "bodies").write_text("".join(f"{body}\n" for body in bodies))
    first = (9 << 20) - 50  # the last prices, then the first ones again
    lua = script(tmp_path / "bodies", first)

    requests = [lua.request() for _ in range(100)]

    for number, request in enumerate(requests, start=first):
        head, _, body = request.partition("\r\n\r\n")
        assert body == asked.body(number)
        assert head.endswith(f"Content-Length: {len(body)}")
        assert json.loads(body)["price"] == pytest.approx(price(number), abs=1e-8)
    assert len(set(requests)) == 100


def test_other_bodies_are_asked_in_turn_and_none_is_a_get(tmp_path: Path) -> None:
    (tmp_path / "bodies").write_text('{"a": 1}\n\n')
    lua = script(tmp_path / "bodies", 0)

    assert [lua.request() for _ in range(3)] == [
        'POST /predict HTTP/1.1\r\nContent-Length: 8\r\n\r\n{"a": 1}',
        "GET /predict HTTP/1.1\r\n\r\n",
        'POST /predict HTTP/1.1\r\nContent-Length: 8\r\n\r\n{"a": 1}',
    ]


def test_what_the_script_says_in_the_end_is_what_is_read(tmp_path: Path) -> None:
    (tmp_path / "bodies").write_text("\n")
    lua = script(tmp_path / "bodies", 0)
    errors = {"status": 0, "connect": 0, "read": 0, "write": 0, "timeout": 0}

    def latency(_self: object, share: float) -> float:
        return 10 * share

    summary = {"requests": 30, "duration": 2e6, "errors": errors}
    lua.done(summary, {"percentile": latency}, None)

    assert load_of(lua.said) == Load(15, 0.5, 0.99)


@pytest.mark.parametrize("peer", PEERS, ids=lambda peer: peer.name)
def test_what_a_peer_runs_on_is_pinned(peer: Any) -> None:
    locked = (REQUIREMENTS / f"{peer.lock}.txt").read_text()

    assert all(re.search(rf"^{package}==\d", locked, re.MULTILINE) for package in peer.packages)
    assert "://" not in locked, "an index of packages is everybody's own"


def test_ratios_are_taken_within_a_round() -> None:
    rounds = [turns(1000, 900), turns(500, 300), turns(2000, 1000)]
    found = summary(rounds)

    assert found[SCORED]["per_second_8"] == 900
    assert found[SCORED]["per_second_8_to_bare"] == 0.6, "of 0.9, 0.6 and 0.5"
    assert found["bare"]["per_second_8_to_bare"] == 1
    assert "per_second_8_to_bare" not in summary([{SCORED: rounds[0][SCORED]}])[SCORED]


def test_the_bars_stand_beside_what_was_found() -> None:
    about = {"date": "2026-11-28", "commit": "a", "machine": "2 cores", "seconds": 10}
    text = tables([turns(1000, 900)], {"bare": "flask 3"}, about)

    assert "| requests/s of daybreak_scored, × bare, 8 connections | ≥ 0.75 | 0.90 | ✓ |" in text
    assert "| p99 of daybreak_scored, × bare, 8 connections | ≤ 2 | 3.00 | ✗ |" in text
    assert "× mlflow_frame, 8 connections | ≥ 50 | not measured | |" in text
    assert text.count("\n| ") == 3 + 1 + len(BARS)
    assert {bar.name for bar in BARS} == {SCORED, CACHED}
    assert {bar.other for bar in BARS} <= {None, *(peer.name for peer in PEERS)}


def turns(bare: float, scored: float) -> Round:
    def turn(per_second: float, p99: float) -> Turn:
        load = Load(per_second, 1.0, p99)
        return Turn({8: load, 1: load}, Memory(100.0, 50.0))

    return {"bare": turn(bare, 2.0), SCORED: turn(scored, 6.0)}
