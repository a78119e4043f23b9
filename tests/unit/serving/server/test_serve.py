"""Slow, many and rude clients on real sockets: what happens to them, and to the others."""

from __future__ import annotations

import json
import os
import socket
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, closing, contextmanager
from dataclasses import replace
from functools import partial
from http.client import HTTPConnection
from threading import Event, Lock, Thread
from typing import Any

import pytest

from daybreak.errors import NotReady
from daybreak.serving.server import serve
from daybreak.serving.server.client import Patience, State
from daybreak.serving.server.connections import Connections
from daybreak.serving.server.requests import MOST_AHEAD, Limits, Request
from daybreak.serving.server.serve import COMPUTING, Server
from daybreak.serving.server.sharing import Places
from daybreak.serving.turn import pass_on

SOON = Patience(header=0.4, body=0.4, write=0.4, idle=0.4, work=0.4, linger=0.4, drain=5.0)
LONG = Patience()
WAIT = 20.0
"""Seconds after which a test gives up."""
TRACE = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
HEALTH = {b"/healthz": {"status": "ok"}}


class App:
    """Echoes bodies. ``/wait`` answers when it is let; ``/slow`` after 0.2 s; ``/big`` a megabyte;
    ``/fail`` fails."""

    def __init__(self) -> None:
        self.begun, self.go_on = Event(), Event()
        self.answered = 0
        self.inside = self.most_inside = 0
        self.counting = Lock()

    def __call__(self, environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        self.answered += 1
        match environ["PATH_INFO"]:
            case "/wait" | "/wait-for-others" as path:
                if path == "/wait-for-others":
                    pass_on()
                self.begun.set()
                assert self.go_on.wait(WAIT)
            case "/big":
                start_response("200 OK", [])
                return [b"x" * 1_000_000]
            case "/slow":
                with self.counting:
                    self.inside += 1
                    self.most_inside = max(self.most_inside, self.inside)
                time.sleep(0.2)
                with self.counting:
                    self.inside -= 1
            case "/panic":
                raise BaseException("of the inside")
            case "/header":
                start_response("200 OK", [("X-Price", "9 \N{EURO SIGN}")])
                return [b""]
            case "/fail":
                raise OSError("of the inside")
            case "/unready":
                raise NotReady("Not yet.", remedy="Wait.")
        start_response("200 OK", [("Content-Type", "text/plain")])
        return [environ["wsgi.input"].read()]


class Running:
    """A server in a thread."""

    def __init__(self, app: App, listener: socket.socket, places: Places, place: int) -> None:
        self.app, self.port, self.beats = app, listener.getsockname()[1], 0
        self.places, self.place = places, place
        self.refused: list[str] = []
        self.fault: OSError | None = None
        self.ended_by: OSError | None = None
        self._alive = True
        self._wake = os.pipe()
        self._listener = listener

    def start(self, patience: Patience, **options: Any) -> None:
        settings = {"threads": 1, "waiting": 8, "most": 100, **options}
        self.server = Server(
            [self._listener],
            self.app,
            limits=Limits(1000, unfinished=3000),
            patience=patience,
            places=self.places,
            place=self.place,
            always=HEALTH,
            probes={b"/ready"},
            refused=lambda error: self.refused.append(error.code),
            **settings,
        )

        self.longest_without_a_beat, self._last = 0.0, time.monotonic()

        def beat() -> None:
            if self.fault is not None:
                raise self.fault
            now = time.monotonic()
            self.longest_without_a_beat = max(self.longest_without_a_beat, now - self._last)
            self._last = now
            self.beats += 1

        def run() -> None:
            try:
                self.server.serve(lambda: self._alive, beat, self._wake[0])
            except OSError as error:
                self.ended_by = error

        self._thread = Thread(target=run, daemon=True)
        self._thread.start()

    @property
    def connections(self) -> int:
        return self.server.connections

    @property
    def queued(self) -> int:
        return self.server.queued

    def stop(self) -> None:
        self._alive = False
        if self._wake[1] >= 0:
            os.write(self._wake[1], b"1")

    def join(self) -> None:
        if self._wake[1] < 0:
            return
        self._thread.join(WAIT)
        assert not self._thread.is_alive()
        assert self.ended_by is self.fault
        for end in self._wake:
            os.close(end)
        self._wake = (-1, -1)

    def ask(self, method: str = "GET", path: str = "/", body: bytes = b"") -> tuple[int, bytes]:
        with closing(HTTPConnection("127.0.0.1", self.port, timeout=WAIT)) as connection:
            connection.request(method, path, body)
            response = connection.getresponse()
            return response.status, response.read()


@contextmanager
def running(patience: Patience = LONG, **options: Any) -> Iterator[Running]:
    with closing(Places(2)) as places, ExitStack() as stack:
        listener = stack.enter_context(socket.create_server(("127.0.0.1", 0)))
        server = Running(App(), listener, places, 0)
        server.start(patience, **options)
        stack.callback(server.join)
        stack.callback(server.stop)
        stack.callback(server.app.go_on.set)
        yield server


def client(server: Running) -> socket.socket:
    return socket.create_connection(("127.0.0.1", server.port), timeout=WAIT)


def all_of(sock: socket.socket) -> bytes:
    """What the server says until it hangs up."""
    found = b""
    while data := sock.recv(65_536):
        found += data
    return found


def status_of(raw: bytes) -> int:
    return int(raw.split(b" ", 2)[1]) if raw else 0


HALF_HEADER = b"POST / HTTP/1.1\r\nHost: x\r\n"
HALF_BODY = HALF_HEADER + b"Content-Length: 10\r\n\r\nabc"


@pytest.mark.parametrize(
    ("begin", "drip", "status"),
    [
        (b"", b"", 0),
        (HALF_HEADER, b"", 408),
        (HALF_HEADER, b"X", 408),
        (HALF_BODY, b"", 408),
        (HALF_BODY.replace(b"10", b"900"), b"x", 408),
        (b"GET / HTTP/1.1\r\n\r\n", b"", 200),  # and nothing more
    ],
)
def test_who_sends_slowly_is_told_and_hung_up_on_and_nobody_else_waits(
    begin: bytes, drip: bytes, status: int
) -> None:
    # Longer than a good client takes between its header and its body on a busy machine.
    some = replace(SOON, header=1.5, body=1.5, idle=1.5)
    with running(some, waiting=64) as server, ExitStack() as stack:
        slow = [stack.enter_context(client(server)) for _ in range(30)]
        for sock in slow:
            sock.sendall(begin)
        done, answers = Event(), []

        def trickle() -> None:
            while drip and not done.wait(0.05):
                for sock in slow:
                    try:
                        sock.send(drip)
                    except OSError:
                        return

        def others() -> None:
            while not done.is_set():
                answers.append(server.ask("POST", body=b"hello"))

        threads = [Thread(target=one) for one in (trickle, others)]
        for thread in threads:
            thread.start()
        said = []
        for sock in slow:
            try:
                said.append(status_of(all_of(sock)))
            except ConnectionResetError:  # it was still dripping when the answer came
                said.append(status)
        done.set()
        for thread in threads:
            thread.join()
        assert set(said) == {status}
        assert len(answers) > 1
        assert set(answers) == {(200, b"hello")}


def test_who_never_reads_is_hung_up_on() -> None:
    with running(SOON) as server, closing(client(server)) as deaf:
        deaf.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        deaf.sendall(b"GET /big HTTP/1.1\r\n\r\n" * MOST_AHEAD)
        until(partial(has, server, 0))
        assert server.ask("POST", body=b"hello") == (200, b"hello")


def test_a_large_answer_reaches_who_reads_in_pieces() -> None:
    with running() as server, closing(client(server)) as slow:
        slow.sendall(b"GET /big HTTP/1.1\r\nConnection: close\r\n\r\n")
        found = b""
        while data := slow.recv(9_000):
            found += data
        assert found.endswith(b"\r\n\r\n" + b"x" * 1_000_000)


def has(server: Running, connections: int) -> bool:
    return server.connections == connections


def sends(server: Running, connections: int) -> bool:
    """Whether so many are sending a body."""
    held = list(server.server._connections._held.values())
    return sum(one.state is State.BODY for one in held) == connections


def until(true: Callable[[], bool]) -> None:
    deadline = time.monotonic() + WAIT
    while not true():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def test_beyond_what_can_wait_requests_are_told_to_come_again_and_health_answers() -> None:
    with running(waiting=2) as server, ExitStack() as stack:
        busy = [stack.enter_context(client(server)) for _ in range(3)]
        busy[0].sendall(b"GET /wait HTTP/1.1\r\n\r\n")
        assert server.app.begun.wait(WAIT)
        for sock in busy[1:]:
            sock.sendall(b"GET /wait HTTP/1.1\r\nConnection: close\r\n\r\n")
        until(lambda: server.queued == 2)
        assert (server.server.connections, server.server.busy) == (3, 1)
        connection = stack.enter_context(
            closing(HTTPConnection("127.0.0.1", server.port, timeout=WAIT))
        )
        connection.request("GET", "/", headers={"X-Request-ID": "mine", "traceparent": TRACE})
        response = connection.getresponse()
        assert response.status == 503
        assert response.headers["Retry-After"] == "1"
        assert response.headers["X-Request-ID"] == "mine"
        assert response.headers["traceparent"] == TRACE
        assert json.loads(response.read())["error"]["code"] == "overloaded"
        assert server.refused == ["overloaded"]
        connection.request("GET", "/healthz")  # the same connection goes on
        healthy = connection.getresponse()
        assert (healthy.status, json.loads(healthy.read())) == (200, {"status": "ok"})
        server.app.go_on.set()
        assert [status_of(all_of(sock)) for sock in busy[1:]] == [200, 200]


def test_whether_it_can_be_asked_is_answered_where_others_have_no_room() -> None:
    """Else a load balancer would take out a replica that is only busy."""
    with running(waiting=0) as server, ExitStack() as stack:
        first, second = [stack.enter_context(client(server)) for _ in range(2)]
        first.sendall(b"GET /ready HTTP/1.1\r\nConnection: close\r\n\r\n")
        assert status_of(all_of(first)) == 200
        assert server.ask()[0] == 503
        second.sendall(b"GET /ready HTTP/1.1\r\nConnection: close\r\n\r\n")
        assert status_of(all_of(second)) == 200


def test_who_waits_for_a_thread_does_not_hang() -> None:
    """Many that wait longer than an answer may take, and none that does."""
    with running(replace(LONG, work=0.5), waiting=20) as server, ExitStack() as stack:
        clients = [stack.enter_context(client(server)) for _ in range(12)]
        for sock in clients:
            sock.sendall(b"GET /slow HTTP/1.1\r\nConnection: close\r\n\r\n")
        assert {status_of(all_of(sock)) for sock in clients} == {200}
        assert server.longest_without_a_beat < 2 * 0.5


def test_an_app_that_hangs_in_every_thread_has_no_pulse() -> None:
    with running(SOON) as server, closing(client(server)) as sock:
        sock.sendall(b"GET /wait HTTP/1.1\r\nConnection: close\r\n\r\n")
        assert server.app.begun.wait(WAIT)
        time.sleep(2 * SOON.work)
        before = server.beats
        time.sleep(2 * SOON.work)
        assert server.beats == before
        assert server.ask(path="/healthz")[0] == 200
        server.app.go_on.set()
        assert status_of(all_of(sock)) == 200
        until(lambda: server.beats > before)


def test_a_fault_of_its_own_ends_the_process() -> None:
    """Else it would hold its connections and answer none."""
    with running() as server:
        server.fault = OSError("of the inside")
        until(lambda: server.ended_by is server.fault)


def test_who_waits_for_others_lets_other_requests_be_answered() -> None:
    with running(threads=2) as server, closing(client(server)) as sock:
        sock.sendall(b"GET /wait-for-others HTTP/1.1\r\nConnection: close\r\n\r\n")
        assert server.app.begun.wait(WAIT)
        for _ in range(3):
            assert server.ask("POST", body=b"hello") == (200, b"hello")
        server.app.go_on.set()
        assert status_of(all_of(sock)) == 200
        assert server.ask("POST", body=b"hello") == (200, b"hello")


@pytest.mark.parametrize("path", ["/panic", "/header"])
def test_what_no_app_should_do_fails_one_request_and_no_other(path: str) -> None:
    with running(threads=2) as server, closing(client(server)) as other:
        other.sendall(b"GET /wait-for-others HTTP/1.1\r\nConnection: close\r\n\r\n")
        assert server.app.begun.wait(WAIT)
        status, body = server.ask(path=path)
        assert (status, b"inside" in body) == (500, False)
        server.app.go_on.set()
        assert status_of(all_of(other)) == 200


def test_of_answers_that_compute_for_long_two_go_on_at_a_time() -> None:
    with running(threads=8) as server, ExitStack() as stack:
        clients = [stack.enter_context(closing(client(server))) for _ in range(6)]
        for sock in clients:
            sock.sendall(b"GET /slow HTTP/1.1\r\nConnection: close\r\n\r\n")
        assert {status_of(all_of(sock)) for sock in clients} == {200}
        assert 1 <= server.app.most_inside <= COMPUTING


def test_who_takes_too_long_to_be_computing_leaves_its_place() -> None:
    with running(threads=COMPUTING + 1) as server, ExitStack() as stack:
        for _ in range(COMPUTING):
            stack.enter_context(closing(client(server))).sendall(b"GET /wait HTTP/1.1\r\n\r\n")
        assert server.ask("POST", body=b"hello") == (200, b"hello")


def test_between_two_answers_so_many_are_read_and_no_more() -> None:
    """Clients that ask again as soon as they are refused would leave no time to answer."""
    whole: list[Request] = []
    connections = Connections(
        limits=Limits(1000),
        patience=LONG,
        most=100,
        always=HEALTH,
        whole=lambda _, request: whole.append(request),
        refused=lambda _: None,
    )
    with ExitStack() as stack:
        stack.callback(connections.close)
        listener = stack.enter_context(socket.create_server(("127.0.0.1", 0)))
        listener.setblocking(False)
        connections.watch(listener.fileno(), partial(connections.accept, listener))
        clients = []
        for _ in range(5):
            sock = socket.create_connection(listener.getsockname())
            clients.append(stack.enter_context(sock))
        until(lambda: (connections.events(0.1), len(connections))[1] == 5)
        for sock in clients:
            sock.sendall(b"GET / HTTP/1.1\r\n\r\n")
        connections.events(WAIT, 3)
        assert len(whole) <= 3
        until(lambda: (connections.events(0.1), len(whole))[1] == 5)


def test_who_reads_is_woken_when_another_may_answer_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(serve, "SWEEP_SECONDS", 10 * WAIT)  # nothing else would wake it in time
    with running() as server, ExitStack() as stack:
        busy, late = [stack.enter_context(client(server)) for _ in range(2)]
        busy.sendall(b"GET /wait HTTP/1.1\r\nConnection: close\r\n\r\n")
        assert server.app.begun.wait(WAIT)
        late.sendall(b"GET / HTTP/1.1\r\nConnection: close\r\n\r\n")
        until(lambda: server.queued == 1)
        server.app.go_on.set()
        assert status_of(all_of(late)) == 200
        monkeypatch.undo()


def test_it_ends_though_the_sign_was_read_before_it_was_true(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """gunicorn's signal writes at once; that it is over is known when the main thread runs."""
    monkeypatch.setattr(serve, "SWEEP_SECONDS", 10 * WAIT)
    with running() as server:
        until(lambda: server.beats == 1)
        server._alive = False
        until(lambda: server.server._connections.ending)
        monkeypatch.undo()


def test_failures_of_the_app_say_nothing_of_the_inside() -> None:
    with running() as server:
        status, body = server.ask(path="/fail")
        assert (status, json.loads(body)["error"]["code"]) == (500, "internal_error")
        assert b"inside" not in body
        status, body = server.ask(path="/unready")
        assert (status, json.loads(body)["error"]["remedy"]) == (503, "Wait.")
        status, body = server.ask(path="ftp://x/")
        assert (status, json.loads(body)["error"]["code"]) == (400, "invalid_request")


def test_requests_sent_ahead_are_answered_in_order() -> None:
    with running() as server, closing(client(server)) as sock:
        sock.sendall(
            b"".join(
                b"POST / HTTP/1.1\r\nContent-Length: 1\r\n\r\n%d" % number for number in range(9)
            )
            + b"GET /healthz HTTP/1.1\r\nConnection: close\r\n\r\n"
        )
        parts = all_of(sock).split(b"HTTP/1.1 200 OK")[1:]
    assert [part[-1:] for part in parts] == [*(b"%d" % number for number in range(9)), b"}"]


def test_who_asks_first_may_send_its_body_and_a_head_has_none() -> None:
    with running() as server, closing(client(server)) as sock:
        sock.sendall(b"POST / HTTP/1.1\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\n")
        assert sock.recv(100) == b"HTTP/1.1 100 Continue\r\n\r\n"
        sock.sendall(b"okHEAD /healthz HTTP/1.0\r\n\r\n")
        answers = all_of(sock)
    assert answers.count(b"HTTP/1.1 200 OK") == 2
    assert answers.endswith(b"Content-Length: 15\r\nConnection: close\r\n\r\n")


def test_who_sends_too_much_is_told_before_it_has_sent_all() -> None:
    with running() as server, closing(client(server)) as sock:
        sock.sendall(b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n")
        for _ in range(200):
            sock.sendall(b"3e8\r\n" + b"x" * 1000 + b"\r\n")
        assert status_of(all_of(sock)) == 413
        assert server.app.answered == 0


def test_who_was_answered_before_stays_where_new_ones_that_send_nothing_make_room() -> None:
    with running(most=3) as server, closing(client(server)) as kept, ExitStack() as stack:
        kept.sendall(b"GET / HTTP/1.1\r\n\r\n")
        assert status_of(kept.recv(65_536)) == 200
        silent = [stack.enter_context(client(server)) for _ in range(5)]
        assert [all_of(sock) for sock in silent[:3]] == [b""] * 3
        kept.sendall(b"GET / HTTP/1.1\r\nConnection: close\r\n\r\n")
        assert status_of(all_of(kept)) == 200


def test_the_connection_whose_time_is_over_first_makes_room() -> None:
    with running(most=3) as server, ExitStack() as stack:
        held = []
        for number in range(3):
            held.append(stack.enter_context(client(server)))
            until(partial(has, server, number + 1))
        assert server.ask("POST", body=b"hello") == (200, b"hello")
        assert all_of(held[0]) == b""
        held[1].sendall(b"GET / HTTP/1.1\r\nConnection: close\r\n\r\n")
        assert status_of(all_of(held[1])) == 200


def test_bodies_that_do_not_end_are_not_more_than_memory_may_hold() -> None:
    with running() as server, ExitStack() as stack:
        halves = []
        for number in range(4):
            until(partial(sends, server, number))
            halves.append(stack.enter_context(closing(client(server))))
            halves[-1].sendall(HALF_HEADER + b"Content-Length: 1000\r\n\r\n" + b"x" * 900)
        assert all_of(halves[0]) == b"", "whose time is over first is hung up on"
        assert sends(server, 3)
        halves[-1].sendall(b"x" * 100)
        assert status_of(halves[-1].recv(100)) == 200


def test_what_was_begun_is_answered_before_the_end() -> None:
    with running() as server, closing(client(server)) as busy, closing(client(server)) as idle:
        busy.sendall(b"GET /wait HTTP/1.1\r\n\r\n")
        assert server.app.begun.wait(WAIT)
        server.stop()
        assert all_of(idle) == b""
        server.app.go_on.set()
        answer = all_of(busy)
        server.join()
        assert status_of(answer) == 200
        assert b"Connection: close" in answer


def test_who_is_connected_when_it_ends_may_ask_once_more() -> None:
    with running(replace(LONG, leave=WAIT)) as server, ExitStack() as stack:
        kept = [stack.enter_context(closing(client(server))) for _ in range(4)]
        until(partial(has, server, 4))
        server.stop()
        for one in kept:  # which takes longer than until the next sweep
            one.sendall(b"GET /slow HTTP/1.1\r\n\r\n")
            answer = all_of(one)
            assert status_of(answer) == 200
            assert b"Connection: close" in answer


def test_who_was_not_accepted_yet_when_it_ends_is_answered() -> None:
    with closing(Places(1)) as places, socket.create_server(("127.0.0.1", 0)) as listener:
        server = Running(App(), listener, places, 0)
        with closing(client(server)) as early:
            early.sendall(b"GET / HTTP/1.1\r\n\r\n")
            server.stop()
            server.start(LONG)
            assert status_of(all_of(early)) == 200
            server.join()


@contextmanager
def two(patience: Patience = LONG) -> Iterator[tuple[Running, Running]]:
    """Two servers that share the work; only the first one accepts."""
    with closing(Places(3)) as places, ExitStack() as stack:
        servers = []
        for place in range(2):
            listener = stack.enter_context(socket.create_server(("127.0.0.1", 0)))
            server = Running(App(), listener, places, place)
            server.start(patience)
            stack.callback(server.join)
            stack.callback(server.stop)
            stack.callback(server.app.go_on.set)
            servers.append(server)
        until(lambda: places.load(0) == places.load(1) == 0)
        yield servers[0], servers[1]


def test_who_is_busy_hands_requests_and_their_connections_to_who_is_not() -> None:
    with two() as (first, second), closing(client(first)) as busy, closing(client(first)) as other:
        busy.sendall(b"GET /wait HTTP/1.1\r\nConnection: close\r\n\r\n")
        assert first.app.begun.wait(WAIT)
        big = b"x" * 900
        for _ in range(2):  # the second time the connection is there already
            other.sendall(b"POST / HTTP/1.1\r\nX-A: b\r\nContent-Length: 900\r\n\r\n" + big)
            answer = b""
            while not answer.endswith(big):
                answer += other.recv(65_536)
            assert status_of(answer) == 200
        assert (first.app.answered, second.app.answered) == (1, 2)
        until(partial(has, first, 1))  # the answer may be there before the one who handed lets go
        assert second.connections == 1
        assert first.ask(path="/healthz")[0] == 200
        first.app.go_on.set()
        assert status_of(all_of(busy)) == 200
        assert first.ask("POST", body=b"hello") == (200, b"hello")
        assert first.app.answered == 2, "nothing is handed on where nothing waits"


def test_nothing_is_handed_to_who_leaves_nor_where_more_is_on_its_way() -> None:
    with two() as (first, second), ExitStack() as stack:
        busy, ahead = (stack.enter_context(closing(client(first))) for _ in range(2))
        busy.sendall(b"GET /wait HTTP/1.1\r\n\r\n")
        assert first.app.begun.wait(WAIT)
        ahead.sendall(b"GET / HTTP/1.1\r\n\r\nGET / HTTP/1.1\r\nConnection: close\r\n\r\n")
        second.stop()
        second.join()
        late = stack.enter_context(closing(client(first)))
        late.sendall(b"GET / HTTP/1.1\r\nConnection: close\r\n\r\n")
        until(partial(has, first, 3))
        first.app.go_on.set()
        assert all_of(ahead).count(b"HTTP/1.1 200 OK") == 2
        assert status_of(all_of(late)) == 200
        assert second.app.answered == 0


def test_what_was_handed_to_a_place_is_answered_by_who_takes_it() -> None:
    """As where a process was killed before it looked."""
    ours, theirs = socket.socketpair()
    with ExitStack() as stack:
        places = stack.enter_context(closing(Places(1)))
        listener = stack.enter_context(socket.create_server(("127.0.0.1", 0)))
        stack.enter_context(ours)
        asked = Request(b"POST", b"/", [(b"x-a", b"b")], b"hello", "1.1", keep_alive=False)
        assert places.hand(0, theirs, asked)
        theirs.close()
        assert not places.hand(0, ours, replace(asked, body=b"x" * 150_000)), "it is too long"
        server = Running(App(), listener, places, 0)
        server.start(LONG)
        try:
            ours.settimeout(WAIT)
            assert all_of(ours).endswith(b"hello")
        finally:
            server.stop()
            server.join()
