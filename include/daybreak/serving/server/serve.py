"""The server of one process: the thread whose turn it is reads, and answers what is whole."""

from __future__ import annotations

import logging
import math
import os
import time
from collections.abc import Callable, Collection, Mapping, Sequence
from contextlib import suppress
from functools import partial
from socket import socket
from threading import Event, Lock, Thread
from typing import Any

from daybreak.errors import DaybreakError
from daybreak.serving.server.client import Connection, Patience, State
from daybreak.serving.server.connections import READ_BYTES, Connections
from daybreak.serving.server.refusals import FAILED, OVERLOADED, refusal
from daybreak.serving.server.requests import Limits, Request
from daybreak.serving.server.sharing import Places
from daybreak.serving.server.waiting import Waiting
from daybreak.serving.server.wsgi import App, answer_of, response
from daybreak.serving.turn import Turn

logger = logging.getLogger("gunicorn.error")
SWEEP_SECONDS = 0.25
PATIENCE_SECONDS = 0.05
"""That an answer may take, without a word, before another thread reads and answers."""


class Server:
    """Serves a WSGI app on listening sockets until it is told to end.

    ``always``: answers by path that need no app, such as that the process lives. ``probes``: paths
    by which a load balancer asks, of which a few may wait where others are refused. ``threads`` may
    run the app, and one more reads while all of them wait in it; ``waiting`` requests may wait for
    one (fewer while more come than can be answered), and others are told to come again. ``most``
    connections are held, and then the one whose deadline comes first goes.
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
        self._listeners = list(listeners)
        self._app = app
        self._patience = patience
        self._places = places
        self._place = place
        self._probes = probes
        self._refused = refused
        self._connections = Connections(
            limits=limits,
            patience=patience,
            most=most,
            always=always,
            whole=self._whole,
            refused=refused,
        )
        self._waiting: Waiting[tuple[Connection, Request]] = Waiting(waiting)
        self._may_answer = threads
        self._answering = 0
        self._counting = Lock()
        self._turn = Turn()
        self._swept, self._ends = 0.0, math.inf
        self._more = os.eventfd(0, os.EFD_NONBLOCK)
        self._over = Event()
        self._failure: BaseException | None = None

    def serve(self, alive: Callable[[], bool], beat: Callable[[], None], wake: int) -> None:
        """Until ``alive`` is false; then answer what has begun, for ``patience.drain`` seconds.

        ``beat`` is called a few times a second, unless the app hangs in every thread. ``wake``: a
        file descriptor on which something comes where ``alive`` may have changed.
        """
        for listener in self._listeners:
            listener.setblocking(False)
            self._connections.watch(listener.fileno(), partial(self._connections.accept, listener))
        self._connections.watch(self._places.door(self._place), self._take_over)
        self._connections.watch(wake, partial(os.read, wake, READ_BYTES))
        self._connections.watch(self._more, partial(os.eventfd_read, self._more))
        self._places.busy(self._place, 0)
        for _ in range(self._may_answer + 1):
            Thread(target=self._work, args=(alive, beat), daemon=True).start()
        while not self._over.wait(PATIENCE_SECONDS):
            self._turn.take_away(time.monotonic() - PATIENCE_SECONDS)
        self._connections.close()
        os.close(self._more)
        if self._failure is not None:
            raise self._failure

    @property
    def connections(self) -> int:
        """How many are held."""
        return len(self._connections)

    @property
    def queued(self) -> int:
        """How many requests wait for a thread."""
        return len(self._waiting)

    @property
    def busy(self) -> int:
        """How many requests are being answered."""
        return self._answering

    # In each thread

    def _work(self, alive: Callable[[], bool], beat: Callable[[], None]) -> None:
        try:
            while not self._over.is_set():
                self._turn.take()
                self._lead(alive, beat)
        except BaseException as error:
            self._failure = error
            self._over.set()

    def _lead(self, alive: Callable[[], bool], beat: Callable[[], None]) -> None:
        """Read and answer, until it is the turn of another thread."""
        while not self._over.is_set():
            self._look_round(alive, beat)
            at_once = self._waiting and self._answering < self._may_answer
            self._connections.events(0.0 if at_once else SWEEP_SECONDS)
            if self._answering >= self._may_answer:
                continue  # who reads while all others wait does not answer itself
            if (job := self._waiting.get()) is not None and not self._answer(*job):
                return
        self._turn.leave()

    def _look_round(self, alive: Callable[[], bool], beat: Callable[[], None]) -> None:
        now = time.monotonic()
        if now - self._swept >= SWEEP_SECONDS:
            self._swept = now
            if not self._load:
                self._waiting.rest()
            if self._connections.sweep(now) < self._may_answer:
                beat()
        if not self._connections.ending and not alive():
            self._stop_accepting(now)
        begun = self._ends - self._patience.drain
        # Another process may have handed something on before it saw that this one leaves.
        if now >= self._ends or (not self._connections and now > begun + SWEEP_SECONDS):
            self._over.set()

    def _answer(self, connection: Connection, request: Request) -> bool:
        """Whether it is still this thread's turn."""
        now = time.monotonic()
        connection.deadline = now + self._patience.work
        self._count(1)
        self._turn.lend(now)
        data, close = self._answered(connection, request)
        mine = self._turn.back()
        self._count(-1)  # before the client sees it: the next request may come at once
        self._connections.send(connection, data, close=close)
        # Else who waits for this processor, the client perhaps, waits until the scheduler's next
        # tick, and with it all whose requests are here.
        os.sched_yield()
        if not mine and self._waiting:
            self._wake()
        return mine

    def _answered(self, connection: Connection, request: Request) -> tuple[bytes, bool]:
        """What is sent, and whether the connection ends with it."""
        try:
            found = answer_of(self._app, request, connection.environ)
        except Exception as error:
            if not isinstance(error, DaybreakError):
                logger.exception("the app failed to answer a request")
                error = FAILED
            self._refused(error)
            close = self._connections.ends(request)
            return refusal(error, request, close=close), close
        close = self._connections.ends(request)
        return response(found, request, close=close), close

    # Whose turn it is

    def _whole(self, connection: Connection, request: Request) -> None:
        if not self._give_away(connection, request):
            self._queue(connection, request)

    def _queue(self, connection: Connection, request: Request) -> None:
        """Let it wait for a thread of this process."""
        connection.state = State.APP
        connection.deadline = math.inf  # until a thread takes it: who waits does not hang
        if self._waiting.put((connection, request), probe=request.target in self._probes):
            self._say_load()
        else:
            self._connections.refuse(connection, OVERLOADED, request)

    def _give_away(self, connection: Connection, request: Request) -> bool:
        """Hand a request to a process that has nothing to do, if this one has."""
        requests = connection.requests
        if not self._load or requests.ready or requests.begun:
            return False
        place = self._places.idle()
        if place is None or not self._places.hand(place, connection.sock, request):
            return False
        self._connections.let_go(connection)
        return True

    def _take_over(self) -> None:
        """Go on with what others handed to this process."""
        for sock, request in self._places.taken(self._place):
            if (connection := self._connections.hold(sock)) is not None:
                self._queue(connection, request)

    def _stop_accepting(self, now: float) -> None:
        """Let nobody else in but who waits to be accepted."""
        self._ends = now + self._patience.drain
        self._places.leave(self._place)
        self._connections.end(now)
        for listener in self._listeners:
            self._connections.accept(listener)
            self._connections.forget(listener.fileno())
            listener.close()

    # In any thread

    @property
    def _load(self) -> int:
        return self._answering + len(self._waiting)

    def _count(self, more: int) -> None:
        with self._counting:
            self._answering += more
            self._say_load()

    def _say_load(self) -> None:
        if not self._connections.ending:
            self._places.busy(self._place, self._load)

    def _wake(self) -> None:
        """Let the thread that reads see that another may answer."""
        with suppress(OSError):  # closed, as all is over
            os.eventfd_write(self._more, 1)
