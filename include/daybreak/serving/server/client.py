"""The connection of one client: what it is waiting for, and until when."""

from __future__ import annotations

import time
from dataclasses import dataclass
from enum import Enum, auto
from socket import socket
from typing import Any

from daybreak.serving.server.requests import Limits, Requests


@dataclass(frozen=True)
class Patience:
    """Seconds that a client may take: to send a whole header, then a whole body, to read a whole
    answer, and to ask again. ``work``: that the app may take; ``drain``: to end with, and ``leave``
    of that for one more request over a connection that is kept."""

    header: float = 10.0
    body: float = 10.0
    write: float = 10.0
    idle: float = 75.0
    work: float = 30.0
    linger: float = 2.0
    drain: float = 15.0
    leave: float = 1.0


class State(Enum):
    """What a connection is waiting for."""

    IDLE = auto()
    HEADER = auto()
    BODY = auto()
    APP = auto()
    WRITE = auto()
    LINGER = auto()


class Connection:
    """A client's connection. It belongs to whose turn it is, but while in APP to who answers.

    ``closing``: it ends when ``out`` is sent. ``discarded``: bytes read unseen while it lingers.
    """

    __slots__ = ("closing", "deadline", "discarded", "environ", "out", "requests", "sock", "state")

    def __init__(self, sock: socket, limits: Limits, environ: dict[str, Any]) -> None:
        self.sock = sock
        self.requests = Requests(limits)
        self.environ = environ
        self.state = State.IDLE
        self.deadline = 0.0
        self.out = b""
        self.closing = False
        self.discarded = 0

    def wait_for_more(self, patience: Patience) -> None:
        """Set the deadline of what is being waited for; more of the same does not move it."""
        if self.requests.body_begun:
            state, seconds = State.BODY, patience.body
        elif self.requests.begun:
            state, seconds = State.HEADER, patience.header
        else:
            state, seconds = State.IDLE, patience.idle
        if state is not self.state:
            # In this order: who sweeps meanwhile must not find the new state with an old deadline.
            self.deadline = time.monotonic() + seconds
            self.state = state
