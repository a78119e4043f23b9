"""The connections of one process: each is read, answered and ended within its deadlines.

They belong to the thread whose turn it is, each but while its request is being answered. What a
client does with its connection costs that thread a few microseconds, and no other client anything.
"""

from __future__ import annotations

import math
import select
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from socket import IPPROTO_TCP, SHUT_WR, TCP_NODELAY, socket
from typing import Any

from daybreak.errors import DaybreakError, RequestTimeout
from daybreak.serving.server.client import Connection, Patience, State
from daybreak.serving.server.refusals import answer, refusal
from daybreak.serving.server.requests import Limits, Request
from daybreak.serving.server.wsgi import server_environ

READ_BYTES = 65_536
MOST_AT_ONCE = 64
MOST_DISCARDED = 4_194_304
ONCE = select.EPOLLONESHOT


class Connections:
    """Of all clients, and what else is waited for.

    ``most`` are held, and then the one whose deadline comes first goes. ``always``: answers by path
    that need no app. ``whole`` is called with each request that is, and ``refused`` with each error
    that no app answered.
    """

    def __init__(
        self,
        *,
        limits: Limits,
        patience: Patience,
        most: int,
        always: Mapping[bytes, Mapping[str, Any]],
        whole: Callable[[Connection, Request], None],
        refused: Callable[[DaybreakError], None],
    ) -> None:
        self.ending = False
        """Whether each ends with its next answer."""
        self._limits = limits
        self._patience = patience
        self._most = most
        self._always = always
        self._whole = whole
        self._refused = refused
        self._epoll = select.epoll()
        self._held: dict[int, Connection] = {}
        self._watched: dict[int, Callable[[], object]] = {}
        self._idle_until = math.inf

    def __len__(self) -> int:
        return len(self._held)

    def watch(self, fd: int, call: Callable[[], object]) -> None:
        """Call where something comes on a file descriptor."""
        self._watched[fd] = call
        self._epoll.register(fd, select.EPOLLIN)

    def forget(self, fd: int) -> None:
        """Watch it no more."""
        del self._watched[fd]
        self._epoll.unregister(fd)

    def events(self, seconds: float, most: int = -1) -> None:
        """See to what came, or comes within so many seconds; to ``most`` of it."""
        for fd, _ in self._epoll.poll(seconds, most):
            if fd in self._held:
                self._event(self._held[fd])
            elif fd in self._watched:
                self._watched[fd]()

    def end(self, now: float) -> None:
        """Let each end with its next answer, or after ``patience.leave`` seconds without a request:
        who is connected may just be asking, and that tells it to connect elsewhere."""
        self.ending = True
        self._idle_until = now + self._patience.leave

    def close(self) -> None:
        """Hang up on all."""
        for connection in list(self._held.values()):
            self._drop(connection)
        self._epoll.close()

    # Accepting

    def accept(self, listener: socket) -> None:
        """Let in who waits there."""
        for _ in range(MOST_AT_ONCE):
            try:
                sock, _peer = listener.accept()
            except OSError:  # another process took it, or the client is gone
                return
            if (connection := self.hold(sock)) is not None:
                connection.deadline = time.monotonic() + self._patience.header
                self._read(connection)

    def hold(self, sock: socket) -> Connection | None:
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
        self._epoll.register(sock.fileno(), ONCE)  # nothing yet; without, a reset would spin
        return connection

    def _make_room(self) -> None:
        """Hang up on whose time is over first; who was answered before has more of it."""
        unfinished = (State.IDLE, State.HEADER, State.BODY, State.LINGER)
        waiting = [one for one in list(self._held.values()) if one.state in unfinished]
        if waiting:
            self._drop(min(waiting, key=lambda one: one.deadline))

    def let_go(self, connection: Connection) -> None:
        """Forget a connection that another process goes on with."""
        # Not until the other one hangs up is the socket gone from what this one waits for.
        self._epoll.unregister(connection.sock.fileno())
        self._drop(connection)

    # Reading

    def _event(self, connection: Connection) -> None:
        match connection.state:
            case State.IDLE | State.HEADER | State.BODY:
                self._read(connection)
            case State.WRITE:
                self.send(connection, connection.out, close=connection.closing)
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
            self.refuse(connection, error)
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
            close = self.ends(request)
            data = answer(self._always[request.target], request, close=close)
            self.send(connection, data, close=close)
        else:
            self._whole(connection, request)

    def ends(self, request: Request | None) -> bool:
        """Whether a connection ends with the answer; where no request could be read, it does."""
        return self.ending or request is None or not request.keep_alive

    # Writing

    def refuse(
        self, connection: Connection, error: DaybreakError, request: Request | None = None
    ) -> None:
        """Answer with an error, which the client is told and who counts them."""
        self._refused(error)
        close = self.ends(request)
        data = refusal(error, request, close=close, target=connection.requests.target)
        self.send(connection, data, close=close)

    def send(self, connection: Connection, data: bytes, *, close: bool) -> None:
        """Send what the client's socket takes; whose turn it is sends the rest."""
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
                connection.deadline = time.monotonic() + self._patience.write
                connection.state = State.WRITE
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
        connection.deadline = time.monotonic() + self._patience.linger
        connection.state = State.LINGER
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

    def sweep(self, now: float) -> int:
        """End what is overdue, or too much. In how many threads the app hangs."""
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
                    self.refuse(connection, error)
                case State.IDLE if overdue or now >= self._idle_until:
                    self._drop(connection)
                case State.WRITE | State.LINGER if overdue:
                    self._drop(connection)
        return hanging
