"""A statsd daemon that keeps what it is sent."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass


@dataclass(frozen=True)
class Daemon:
    """Listens on ``host`` and ``port`` of the loopback interface, which delivers at once."""

    host: str
    port: int
    socket: socket.socket

    def lines(self) -> list[str]:
        """Every line that has arrived since this was asked last."""
        lines: list[str] = []
        while True:
            try:
                lines += self.socket.recv(4096).decode().splitlines()
            except BlockingIOError:
                return lines


@contextmanager
def statsd_daemon() -> Iterator[Daemon]:
    """A daemon on a free port."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as listening:
        listening.bind(("127.0.0.1", 0))
        listening.setblocking(False)
        yield Daemon(*listening.getsockname(), listening)
