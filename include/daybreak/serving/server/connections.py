"""The connections of one process: each is read, answered and ended within its deadlines.

One thread waits for all of them and reads; an app sees a request when it is whole. What a client
does with its connection costs that thread a few microseconds, and no other client anything.
"""

from __future__ import annotations

import logging
import math
import os
import select
import time
from collections.abc import Callable, Collection, Mapping, Sequence
from contextlib import suppress
from socket import IPPROTO_TCP, SHUT_WR, TCP_NODELAY, socket
from threading import Lock, Thread
from typing import Any

from daybreak.errors import DaybreakError, RequestTimeout
from daybreak.serving.server.client import Connection, Patience, State
from daybreak.serving.server.refusals import FAILED, OVERLOADED, answer, refusal
from daybreak.serving.server.requests import Limits, Request
from daybreak.serving.server.sharing import Places
from daybreak.serving.server.waiting import Waiting
from daybreak.serving.server.wsgi import App, answer_of, response, server_environ
from daybreak.serving.turn import pass_on, take

logger = logging.getLogger("gunicorn.error")
SWEEP_SECONDS = 0.25
READ_BYTES = 65_536
MOST_AT_ONCE = 64
MOST_DISCARDED = 4_194_304
ONCE = select.EPOLLONESHOT


class Server:
    """Serves a WSGI app on listening sockets until it is told to end.

    ``always``: answers by path that need no app, such as that the process lives. ``probes``: paths
    by which a load balancer asks, of which a few may wait where others are refused. ``threads`` run
    the app; ``waiting`` requests may wait for one (fewer while more come than can be answered), and
    others are told to come again. ``most`` connections are held, and then the one whose deadline
    comes first goes.
    ``places``: of all processes that serve the same; this one has ``place``. ``refused`` is called
    with each error that no app answered.
    """

    def __init__(
        self,
        listeners: Sequence[socket],
        app: App,
        *,
        limits: Limits,
        patience: Patience,
        threads: int,
        waiting: int,
        most: int,
        places: Places,
        place: int,
        always: Mapping[bytes, Mapping[str, Any]],
        probes: Collection[bytes],
        refused: Callable[[DaybreakError], None],
    ) -> None:
        self._listeners = {one.fileno(): one for one in listeners}
        self._app = app
        self._limits = limits
        self._patience = patience
        self._most = most
        self._places = places
        self._place = place
        self._always = always
        self._probes = probes
        self._refused = refused
        self._epoll = select.epoll()
        self._held: dict[int, Connection] = {}
        self._jobs: Waiting[tuple[Connection, Request]] = Waiting(waiting)
        self._draining = False
        self._idle_until = math.inf
        self._load = 0
        self._counting = Lock()
        self._turn = Lock()
        self._threads = [Thread(target=self._work, daemon=True) for _ in range(threads)]

    def serve(self, alive: Callable[[], bool], beat: Callable[[], None], wake: int) -> None:
        """Until ``alive`` is false; then answer what has begun, for ``patience.drain`` seconds.

        ``beat`` is called a few times a second, unless the app hangs in every thread. ``wake``: a
        file descriptor on which something comes where ``alive`` may have changed.
        """
        for thread in self._threads:
            thread.start()
        for fd, listener in self._listeners.items():
            listener.setblocking(False)
            self._epoll.register(fd, select.EPOLLIN)
        door = self._places.door(self._place)
        for fd in (wake, door):
            self._epoll.register(fd, select.EPOLLIN)
        self._places.busy(self._place, 0)
        swept, since, ends = 0.0, math.inf, math.inf
        while (now := time.monotonic()) < ends:
            if now - swept >= SWEEP_SECONDS:
                swept = now
                if self._sweep(now) < len(self._threads):
                    beat()
            if not self._draining and not alive():
                self._stop_accepting(now)
                since, ends = now, now + self._patience.drain
            self._events(wake, door)
            # Another process may have handed something on before it saw that this one leaves.
            if self._draining and not self._held and now > since + SWEEP_SECONDS:
                break
        for connection in list(self._held.values()):
            self._drop(connection)
        self._jobs.end(len(self._threads))
        self._epoll.close()

    @property
    def connections(self) -> int:
        """How many are held."""
        return len(self._held)

    @property
    def queued(self) -> int:
        """How many requests wait for a thread."""
        return len(self._jobs)

    @property
    def busy(self) -> int:
        """How many requests are being answered."""
        return max(self._load - self.queued, 0)

    def _events(self, wake: int, door: int) -> None:
        for fd, _ in self._epoll.poll(SWEEP_SECONDS):
            if fd in self._held:
                self._event(self._held[fd])
            elif fd in self._listeners:
                self._accept(self._listeners[fd])
            elif fd == door:
                for sock, request in self._places.taken(self._place):
                    if (connection := self._hold(sock)) is not None:
                        self._queue(connection, request)
            elif fd == wake:
                os.read(wake, READ_BYTES)

    # Accepting

    def _accept(self, listener: socket) -> None:
        for _ in range(MOST_AT_ONCE):
            try:
                sock, _peer = listener.accept()
            except OSError:  # another process took it, or the client is gone
                return
            if (connection := self._hold(sock)) is not None:
                connection.deadline = time.monotonic() + self._patience.header
                self._read(connection)

    def _hold(self, sock: socket) -> Connection | None:
        """A connection that came, here or to another process; None where it is gone again."""
        if len(self._held) >= self._most:
            self._make_room()
        try:
            sock.setblocking(False)
            name, peer = sock.getsockname(), sock.getpeername()
            if isinstance(name, tuple):
                sock.setsockopt(IPPROTO_TCP, TCP_NODELAY, 1)
        except OSError:
            sock.close()
            return None
        host, port = name[:2] if isinstance(name, tuple) else ("localhost", 0)
        environ = server_environ(host, port, peer[0] if isinstance(peer, tuple) else "")
        connection = Connection(sock, self._limits, environ)
        self._held[sock.fileno()] = connection
        self._epoll.register(sock.fileno(), 0)
        return connection

    def _make_room(self) -> None:
        """Hang up on whose time is over first; who was answered before has more of it."""
        unfinished = (State.IDLE, State.HEADER, State.BODY, State.LINGER)
        waiting = [one for one in list(self._held.values()) if one.state in unfinished]
        if waiting:
            self._drop(min(waiting, key=lambda one: one.deadline))

    def _stop_accepting(self, now: float) -> None:
        """Let nobody else in. Who is connected may just be asking, or waits to be accepted: such
        requests are answered, and that tells their clients to connect elsewhere."""
        self._draining = True
        self._idle_until = now + self._patience.leave
        self._places.leave(self._place)
        for fd, listener in self._listeners.items():
            self._accept(listener)
            self._epoll.unregister(fd)
            listener.close()
        self._listeners.clear()

    # Reading

    def _event(self, connection: Connection) -> None:
        match connection.state:
            case State.IDLE | State.HEADER | State.BODY:
                self._read(connection)
            case State.WRITE:
                self._send(connection, connection.out, close=connection.closing)
            case State.LINGER:
                self._discard(connection)

    def _read(self, connection: Connection) -> None:
        try:
            data = connection.sock.recv(READ_BYTES)
        except BlockingIOError:
            self._await(connection, select.EPOLLIN)
            return
        except OSError:
            data = b""
        if not data:
            self._drop(connection)
            return
        requests = connection.requests
        try:
            requests.feed(data)
        except DaybreakError as error:
            self._refuse(connection, error)
            return
        if requests.ready:
            self._next(connection)
            return
        connection.wait_for_more(self._patience)
        if requests.awaits_continue:
            requests.awaits_continue = False
            with suppress(OSError):
                connection.sock.send(b"HTTP/1.1 100 Continue\r\n\r\n")
        self._await(connection, select.EPOLLIN)

    def _next(self, connection: Connection) -> None:
        """Hand on the next whole request of a connection."""
        request = connection.requests.ready.popleft()
        if request.method in {b"GET", b"HEAD"} and request.target in self._always:
            close = self._ends(request)
            data = answer(self._always[request.target], request, close=close)
            self._send(connection, data, close=close)
        elif not self._give_away(connection, request):
            self._queue(connection, request)

    def _queue(self, connection: Connection, request: Request) -> None:
        """Let it wait for a thread of this process."""
        connection.state = State.APP
        connection.deadline = math.inf  # until a thread takes it: who waits does not hang
        self._count(1)
        if not self._jobs.put((connection, request), probe=request.target in self._probes):
            self._count(-1)
            self._refuse(connection, OVERLOADED, request)

    def _give_away(self, connection: Connection, request: Request) -> bool:
        """Hand a request to a process that has nothing to do, if this one has."""
        requests = connection.requests
        if not self._load or requests.ready or requests.begun:
            return False
        place = self._places.idle()
        if place is None or not self._places.hand(place, connection.sock, request):
            return False
        # Not until the other one hangs up is the socket gone from what this one waits for.
        self._epoll.unregister(connection.sock.fileno())
        self._drop(connection)
        return True

    def _count(self, more: int) -> None:
        with self._counting:
            self._load += more
            if not self._draining:
                self._places.busy(self._place, self._load)

    # The app, in its threads

    def _work(self) -> None:
        while True:
            take(self._turn)
            if (job := self._jobs.get()) is None:
                pass_on()
                return
            connection, request = job
            connection.deadline = time.monotonic() + self._patience.work
            data, close = self._answered(connection, request)
            self._count(-1)  # before the client sees it: the next request may come at once
            self._send(connection, data, close=close)

    def _answered(self, connection: Connection, request: Request) -> tuple[bytes, bool]:
        """What is sent, and whether the connection ends with it."""
        try:
            found = answer_of(self._app, request, connection.environ)
        except Exception as error:
            if not isinstance(error, DaybreakError):
                logger.exception("the app failed to answer a request")
                error = FAILED
            self._refused(error)
            close = self._ends(request)
            return refusal(error, request, close=close), close
        close = self._ends(request)
        return response(found, request, close=close), close

    def _ends(self, request: Request | None) -> bool:
        """Whether a connection ends with the answer; where no request could be read, it does."""
        return self._draining or request is None or not request.keep_alive

    # Writing

    def _refuse(
        self, connection: Connection, error: DaybreakError, request: Request | None = None
    ) -> None:
        self._refused(error)
        close = self._ends(request)
        data = refusal(error, request, close=close, target=connection.requests.target)
        self._send(connection, data, close=close)

    def _send(self, connection: Connection, data: bytes, *, close: bool) -> None:
        """Send what the client's socket takes; the reading thread sends the rest."""
        try:
            sent = connection.sock.send(data)
        except BlockingIOError:
            sent = 0
        except OSError:
            self._drop(connection)
            return
        if sent < len(data):
            connection.out, connection.closing = data[sent:], close
            if connection.state is not State.WRITE:
                connection.state = State.WRITE
                connection.deadline = time.monotonic() + self._patience.write
            self._await(connection, select.EPOLLOUT)
            return
        connection.out = b""
        if close:
            self._end(connection)
        elif connection.requests.ready:
            self._next(connection)
        else:
            connection.state = State.APP  # whatever comes now has a deadline of its own
            connection.wait_for_more(self._patience)
            self._await(connection, select.EPOLLIN)

    def _end(self, connection: Connection) -> None:
        """Close. Of a client that is still sending read on for a while, unseen: a socket that is
        closed before takes the answer with it."""
        if not connection.requests.begun:
            self._drop(connection)
            return
        connection.state = State.LINGER
        connection.deadline = time.monotonic() + self._patience.linger
        with suppress(OSError):
            connection.sock.shutdown(SHUT_WR)
        self._await(connection, select.EPOLLIN)

    def _discard(self, connection: Connection) -> None:
        with suppress(OSError):
            data = connection.sock.recv(READ_BYTES)
            connection.discarded += len(data)
            if data and connection.discarded < MOST_DISCARDED:
                self._await(connection, select.EPOLLIN)
                return
        self._drop(connection)

    def _await(self, connection: Connection, event: int) -> None:
        with suppress(OSError, ValueError):  # closed by its deadline a moment ago
            self._epoll.modify(connection.sock.fileno(), event | ONCE)

    def _drop(self, connection: Connection) -> None:
        fd = connection.sock.fileno()
        if fd >= 0 and self._held.pop(fd, None) is not None:
            connection.sock.close()

    def _relieve(self) -> None:
        """Hang up on clients whose unfinished bodies are more than may be in memory."""
        sending = [one for one in list(self._held.values()) if one.state is State.BODY]
        held = sum(one.requests.held for one in sending)
        for connection in sorted(sending, key=lambda one: one.deadline):
            if held <= self._limits.unfinished:
                return
            held -= connection.requests.held
            self._drop(connection)

    def _sweep(self, now: float) -> int:
        """End what is overdue, or too much. In how many threads the app hangs."""
        if not self._load:
            self._jobs.rest()
        self._relieve()
        hanging = 0
        for connection in list(self._held.values()):
            overdue = now >= connection.deadline
            match connection.state:
                case State.APP:
                    hanging += overdue
                case State.HEADER | State.BODY if overdue:
                    what = "header" if connection.state is State.HEADER else "body"
                    error = RequestTimeout(
                        f"The {what} of the request did not come in time.",
                        remedy="Send a request in one piece.",
                    )
                    self._refuse(connection, error)
                case State.IDLE if overdue or now >= self._idle_until:
                    self._drop(connection)
                case State.WRITE | State.LINGER if overdue:
                    self._drop(connection)
        return hanging
