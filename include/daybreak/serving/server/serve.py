"""The server of one process: the thread whose turn it is reads, and answers what is whole."""

from __future__ import annotations

import logging
import math
import os
import sys
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
ONE = (1).to_bytes(8, sys.byteorder)
PATIENCE_SECONDS = 0.05
"""That an answer may take, without a word, before another thread reads and answers."""
COMPUTING, COMPUTES_SECONDS = 2, 1.0
"""So many answers that took longer at a time: more compete for the interpreter, and gain nothing.
One that takes longer than this waits for something, and counts no more."""
MOST_EVENTS = 32
"""Seen to between two answers: without a bound, clients that ask again as soon as they are refused
leave no time to answer anybody (docs/adr/0019)."""


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
        # An object knows when it is closed; the number may be somebody else's by then.
        self._more = os.fdopen(os.eventfd(0, os.EFD_NONBLOCK), "r+b", buffering=0)
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
        self._connections.watch(self._more.fileno(), partial(self._more.read, 8))
        self._places.busy(self._place, 0)
        for _ in range(self._may_answer + 1):
            Thread(target=self._work, args=(alive, beat), daemon=True).start()
        while not self._over.wait(PATIENCE_SECONDS):
            self._turn.take_away(time.monotonic() - PATIENCE_SECONDS)
            if not (self._connections.ending or alive()):
                self._wake()  # what came by `wake` may have been read before this was known
        self._connections.close()
        self._more.close()
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
            self._failure = self._failure or error
            self._over.set()

    def _lead(self, alive: Callable[[], bool], beat: Callable[[], None]) -> None:
        """Read and answer, until it is the turn of another thread."""
        while True:
            self._look_round(alive, beat)
            if self._over.is_set():
                break
            if self._waiting and self._has_room():
                self._connections.events(0.0, MOST_EVENTS)
            else:
                self._connections.events(SWEEP_SECONDS)
            if not self._has_room():
                continue  # somebody has to read
            if (job := self._waiting.get()) is not None and not self._answer(*job):
                return
        self._turn.leave()

    def _has_room(self) -> bool:
        """Whether whose turn it is may answer."""
        computing = self._turn.taken(time.monotonic() - COMPUTES_SECONDS)
        return self._answering < self._may_answer and computing < COMPUTING

    def _look_round(self, alive: Callable[[], bool], beat: Callable[[], None]) -> None:
        now = time.monotonic()
        if now - self._swept >= SWEEP_SECONDS:
            self._swept = now
            if not self._load:
                self._waiting.rest()
            self._say_load()
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
        if mine:
            # Else who waits for this processor, the client perhaps, waits until the scheduler's
            # next tick, and with it all whose requests are here.
            os.sched_yield()
        elif self._waiting:
            self._wake()
        return mine

    def _answered(self, connection: Connection, request: Request) -> tuple[bytes, bool]:
        """What is sent, and whether the connection ends with it."""
        try:
            found = answer_of(self._app, request, connection.environ)
            close = self._connections.ends(request)
            return response(found, request, close=close), close
        except BaseException as error:  # a panic of a library in Rust is no Exception
            if not isinstance(error, DaybreakError):
                logger.exception("the app failed to answer a request")
                error = FAILED
            self._refused(error)
            close = self._connections.ends(request)
            return refusal(error, request, close=close), close

    # In any thread: a request that was sent ahead comes from who answered the one before

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
        with self._counting:
            self._connections.end(now)
            self._places.leave(self._place)
        for listener in self._listeners:
            self._connections.accept(listener)
            self._connections.forget(listener.fileno())
            listener.close()

    @property
    def _load(self) -> int:
        return self._answering + len(self._waiting)

    def _count(self, more: int) -> None:
        with self._counting:
            self._answering += more
        self._say_load()

    def _say_load(self) -> None:
        """Tell the other processes; after the end began, nothing."""
        with self._counting:
            if not self._connections.ending:
                self._places.busy(self._place, self._load)

    def _wake(self) -> None:
        """Let the thread that reads see that another may answer."""
        with suppress(OSError, ValueError):  # closed, as all is over
            self._more.write(ONE)
