"""Processor seconds and memory of a piece of work, in this process and in PostgreSQL beside it."""

from __future__ import annotations

import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

import numpy as np
import psutil
from sqlalchemy import Connection, select
from sqlalchemy.sql import func

from daybreak.monitoring.advice.measurements import Times
from daybreak.warehouse.engine import driver_of

T = TypeVar("T")
LOOPBACK = ("127.", "::1", "localhost")


def in_a_process(work: Callable[..., T], *given: Any) -> T:
    """What ``work`` returns, done in a new process, so that its peak of memory is its own.

    ``work`` and what it is given have to be importable and picklable. Raises what it raises.
    """
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
        return pool.submit(work, *given).result()


def peak_memory() -> int:
    """The most resident memory that this process ever had, bytes.

    Of the kernel's record of this program: what ``getrusage`` says begins with its parent's.
    """
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith("VmHWM:"):
            return 1024 * int(line.split()[1])
    return int(psutil.Process().memory_info().rss)


class Spent(NamedTuple):
    """Processor seconds so far. ``server`` is None where the server is on another machine."""

    wall: float
    own: float
    server: float | None

    def since(self, before: Spent) -> Spent:
        """What was spent between the two."""
        server = None
        if self.server is not None and before.server is not None:
            server = self.server - before.server
        return Spent(self.wall - before.wall, self.own - before.own, server)

    @property
    def processor(self) -> float:
        """Of both, as far as is known."""
        return self.own + (self.server or 0.0)


class Meter:
    """Reads what was spent. The server's share is that of all its processes, whoever they work for:
    a busy server makes a measurement dearer, never cheaper."""

    def __init__(self, conn: Connection) -> None:
        self._server = _server_of(conn)

    @property
    def sees_server(self) -> bool:
        """Whether the server's processes can be looked at."""
        return self._server is not None

    def read(self) -> Spent:
        """Now."""
        server = None if self._server is None else _seconds_of(self._server)
        return Spent(time.perf_counter(), time.process_time(), server)


def times_of(seconds: list[float], spent: Spent) -> Times:
    """Of tries that took so long each, and all together spent so much."""
    p50, p99 = np.quantile(np.array(seconds), [0.5, 0.99])
    return Times(len(seconds), spent.processor / len(seconds), 1000 * float(p50), 1000 * float(p99))


def _server_of(conn: Connection) -> psutil.Process | None:
    """The first process of a server on this machine, of which all others are children."""
    host = driver_of(conn).info.host
    if host and not host.startswith("/") and not host.startswith(LOOPBACK):
        return None
    try:
        backend = psutil.Process(int(conn.scalar(select(func.pg_backend_pid())) or 0))
        return backend.parent() if backend.name().startswith("postgres") else None
    except psutil.Error:
        return None  # in a container of its own, which a published port hides


def _seconds_of(server: psutil.Process) -> float:
    """Of the first process, of those that ended, which it counts, and of its children."""
    seconds = 0.0
    for process in (server, *server.children()):
        try:
            spent = process.cpu_times()
        except psutil.NoSuchProcess:
            continue
        seconds += spent.user + spent.system + spent.children_user + spent.children_system
    return seconds
