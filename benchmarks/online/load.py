"""Requests at a rate that does not wait for answers, as many independent clients send them.

A client that waits for its answer before it asks again sends less where the service is slow, and
counts the seconds that it did not ask as if nobody had wanted anything (coordinated omission).
Here the moments are drawn before, and an answer's time counts from when it was to be asked for.
"""

from __future__ import annotations

import asyncio
import math
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

CONNECTIONS = 400
"""Kept by one generator: more than two workers let wait."""
GIVE_UP_SECONDS = 10.0
"""After the last request: what is not answered by then has failed."""
MOST_A_SECOND = 20_000
"""Nothing here answers more."""

MakeRequest = Callable[[int], bytes]
"""The bytes of the request of this number."""


@dataclass(frozen=True)
class Asking:
    """One model of a service on this machine, and the key that opens it."""

    port: int
    path: str
    key: str

    def request(self, body: bytes) -> bytes:
        """A prediction."""
        return (
            f"POST {self.path} HTTP/1.1\r\nHost: x\r\nX-API-Key: {self.key}\r\n"
            f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
        ).encode() + body


@dataclass
class Seen:
    """By request: ``moment`` (time.monotonic) at which it was to be asked, ``seconds`` to its
    answer, ``status`` of that (0: none came) and, where kept, its ``body``. ``processor``: seconds
    that the generator itself took, ``over`` seconds in all."""

    moment: NDArray[np.float64]
    seconds: NDArray[np.float64]
    status: NDArray[np.int64]
    body: list[bytes] = field(default_factory=list)
    processor: float = 0.0
    over: float = 0.0

    @property
    def accepted(self) -> NDArray[np.bool_]:
        """Which were answered."""
        return self.status == 200

    def p99(self) -> float:
        """Seconds within which 99 of 100 answered ones were."""
        took = self.seconds[self.accepted]
        return float(np.quantile(took, 0.99)) if len(took) else float("nan")


class _Connection(asyncio.Protocol):
    """A kept connection with one request on its way at most."""

    def __init__(self, load: _Load) -> None:
        self.load, self.place, self.received = load, -1, b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = transport
        self.load.connected.add(self)
        self.load.free(self)

    def data_received(self, data: bytes) -> None:
        self.received = data = self.received + data if self.received else data
        end = data.find(b"\r\n\r\n")
        if end < 0:
            return
        at = data.index(b"Content-Length: ", 0, end) + 16
        length = int(data[at : data.index(b"\r", at)])
        if len(data) < end + 4 + length:
            return
        place, self.place, self.received = self.place, -1, b""
        self.load.answered(place, int(data[9:12]), data[end + 4 :])
        self.load.free(self)

    def connection_lost(self, error: Exception | None) -> None:
        self.load.lost(self)


class _Load:
    """Requests of one generator. ``again``: a connection asks as soon as it was answered."""

    def __init__(self, asking: Asking, make: MakeRequest, count: int, *, keep: bool) -> None:
        self.asking, self.make = asking, make
        self.moment = np.full(count, np.nan)
        self.heard = np.full(count, np.nan)
        self.status = np.zeros(count, np.int64)
        self.bodies = [b""] * count if keep else []
        self.idle: deque[_Connection] = deque()
        self.connected: set[_Connection] = set()
        self.waiting: deque[int] = deque()
        self.left = count
        self.again: Callable[[], int | None] = lambda: None
        self.tasks: set[asyncio.Task[object]] = set()
        self.ending = False

    def free(self, connection: _Connection) -> None:
        place = self.waiting.popleft() if self.waiting else self.again()
        if place is None:
            self.idle.append(connection)
        else:
            self.send(connection, place)

    def ask(self, place: int) -> None:
        """As soon as a connection is idle."""
        while self.idle:
            connection = self.idle.popleft()
            if not connection.transport.is_closing():
                self.send(connection, place)
                return
        self.waiting.append(place)

    def send(self, connection: _Connection, place: int) -> None:
        connection.place = place
        connection.transport.write(self.make(place))  # type: ignore[attr-defined]

    def answered(self, place: int, status: int, body: bytes) -> None:
        self.heard[place] = time.monotonic()
        self.status[place] = status
        self.left -= 1
        if self.bodies:
            self.bodies[place] = body

    def lost(self, connection: _Connection) -> None:
        self.connected.discard(connection)
        if connection.place >= 0:
            self.answered(connection.place, 0, b"")
        if not self.ending:
            task = asyncio.ensure_future(self.open())
            self.tasks.add(task)
            task.add_done_callback(self.tasks.discard)

    async def open(self) -> None:
        loop = asyncio.get_running_loop()
        while not self.ending:
            try:
                await loop.create_connection(
                    lambda: _Connection(self), "127.0.0.1", self.asking.port
                )
            except OSError:
                await asyncio.sleep(0.1)
            else:
                return

    async def end(self, began: float, processor: float) -> Seen:
        """Hang up, and say what was seen."""
        self.ending = True
        found = self._seen(began, processor)
        for connection in self.connected:
            connection.transport.abort()  # type: ignore[attr-defined]
        while self.connected:
            await asyncio.sleep(0)
        return found

    def _seen(self, began: float, processor: float) -> Seen:
        known = ~np.isnan(self.moment)
        now = time.monotonic()
        heard = np.where(np.isnan(self.heard), now, self.heard)
        return Seen(
            moment=self.moment[known],
            seconds=(heard - self.moment)[known],
            status=self.status[known],
            body=[body for body, was in zip(self.bodies, known, strict=False) if was],
            processor=time.process_time() - processor,
            over=now - began,
        )


def at_rate(
    asking: Asking,
    make: MakeRequest,
    rate: float,
    seconds: float,
    *,
    keep: bool = False,
    first: int = 0,
    connections: int = CONNECTIONS,
) -> Seen:
    """Ask ``rate`` times a second on average, at moments of a Poisson process.

    ``keep``: the bodies of answers. ``first``: the number of the first request. Where all
    ``connections`` wait for an answer, the next request waits for one of them, which counts.
    """

    async def all_at_once() -> Seen:
        draw = np.random.default_rng(first)
        gaps = draw.exponential(1 / rate, round(rate * seconds))
        load = _Load(asking, lambda place: make(first + place), len(gaps), keep=keep)
        await asyncio.gather(*(load.open() for _ in range(connections)))
        began, processor = time.monotonic(), time.process_time()
        load.moment = began + np.cumsum(gaps)
        for place, moment in enumerate(load.moment.tolist()):
            # Also where it is late: answers are read in between.
            await asyncio.sleep(max(moment - time.monotonic(), 0))
            load.ask(place)
        until = time.monotonic() + GIVE_UP_SECONDS
        while load.left and time.monotonic() < until:
            await asyncio.sleep(0.01)
        return await load.end(began, processor)

    return asyncio.run(all_at_once())


def in_turn(
    asking: Asking,
    make: MakeRequest,
    connections: int,
    seconds: float = math.inf,
    *,
    count: int | None = None,
    first: int = 0,
    keep: bool = False,
) -> Seen:
    """Ask over so many connections, each time as soon as the last answer came: for ``seconds``, or
    ``count`` times."""

    async def all_at_once() -> Seen:
        most = round(MOST_A_SECOND * seconds) if count is None else count
        load = _Load(asking, lambda place: make(first + place), most, keep=keep)
        places, began, processor = iter(range(most)), time.monotonic(), time.process_time()

        def again() -> int | None:
            now = time.monotonic()
            place = next(places, None) if now < began + seconds else None
            if place is not None:
                load.moment[place] = now
            return place

        load.again = again
        await asyncio.gather(*(load.open() for _ in range(connections)))
        while len(load.idle) < connections:
            await asyncio.sleep(0.01)
        return await load.end(began, processor)

    return asyncio.run(all_at_once())


@dataclass
class Health:
    """What ``/healthz`` answered: seconds of each, and how many were no 200 or took longer than
    one second."""

    seconds: list[float] = field(default_factory=list)
    failed: int = 0


def health(port: int, seconds: float, every: float = 0.2) -> Health:
    """Ask for it so often, each time over a connection of its own, at even moments."""

    async def once(found: Health) -> None:
        began, status = time.monotonic(), b""
        try:
            async with asyncio.timeout(GIVE_UP_SECONDS):
                reader, writer = await asyncio.open_connection("127.0.0.1", port)
                writer.write(b"GET /healthz HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
                status = (await reader.read())[9:12]
                writer.close()
        except (OSError, TimeoutError):
            pass
        took = time.monotonic() - began
        found.seconds.append(took)
        found.failed += status != b"200" or took > 1.0

    async def all_at_once() -> Health:
        found, began = Health(), time.monotonic()
        async with asyncio.TaskGroup() as group:
            for number in range(round(seconds / every)):
                await asyncio.sleep(max(began + number * every - time.monotonic(), 0))
                group.create_task(once(found))
        return found

    return asyncio.run(all_at_once())
