"""How processes share the work: who is busy hands a request, with its connection, to who is not.

Processes accept from one queue, and whoever is quicker takes a connection that then lives for long:
eight clients that keep theirs may all sit on one of two processes, and the other one idles. What
clients do with their connections cannot be known when they come, so it is settled by request.
"""

from __future__ import annotations

import marshal
import mmap
import socket
from collections.abc import Iterator
from contextlib import suppress

from daybreak.serving.server.requests import Request

NOBODY = 2**32 - 1
LONGEST = 150_000
"""Bytes of a request that can be handed on: Linux lets a socket hold 212,992 unless set."""


class Places:
    """Made once, before the first fork, so that all processes see it. ``count``: at most so many.

    The sockets have no name: nobody else can reach them. What a process that died was handed waits
    for the one that takes its place.
    """

    def __init__(self, count: int) -> None:
        self.count = count
        self._loads = memoryview(mmap.mmap(-1, 4 * count)).cast("I")
        pairs = [socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET) for _ in range(count)]
        for one in (one for pair in pairs for one in pair):
            one.setblocking(False)
        self._to, self._from = zip(*pairs, strict=True)
        for place in range(count):
            self.leave(place)

    def close(self) -> None:
        """Nobody shares any more."""
        for one in (*self._to, *self._from):
            one.close()

    def leave(self, place: int) -> None:
        """Nobody is there."""
        self._loads[place] = NOBODY

    def load(self, place: int) -> int:
        """Requests that are being answered there, or wait; `NOBODY` where nobody is."""
        return self._loads[place]

    def busy(self, place: int, requests: int) -> None:
        """Say how many that are."""
        self._loads[place] = requests

    def idle(self) -> int | None:
        """A place where somebody has nothing to do."""
        for place, load in enumerate(self._loads):
            if load == 0:
                return place
        return None

    def hand(self, place: int, sock: socket.socket, request: Request) -> bool:
        """Give a request away, and the connection to answer on. False where it does not fit."""
        message = marshal.dumps(
            (
                request.method,
                request.target,
                request.headers,
                request.body,
                request.version,
                request.keep_alive,
            )
        )
        if len(message) > LONGEST:
            return False
        with suppress(OSError):
            socket.send_fds(self._to[place], [message], [sock.fileno()])
            return True
        return False

    def door(self, place: int) -> int:
        """File descriptor on which something comes where `taken` has something."""
        return int(self._from[place].fileno())

    def taken(self, place: int) -> Iterator[tuple[socket.socket, Request]]:
        """What others handed to this place."""
        with suppress(OSError):
            while True:
                message, files, _, _ = socket.recv_fds(self._from[place], LONGEST, 1)
                request = Request(*marshal.loads(message))  # noqa: S302 -- of our own process
                yield socket.socket(fileno=files[0]), request
