"""How others fare while slow clients hold connections: rate, health, and when each is hung up on.

Of a service that runs already, as after `make demo`, with a key in the variable KEY. For each kind
of slow client, and for all together: predictions a second of four well-behaved connections beside
their rate before and after, the slowest answer of /healthz, and the longest that a slow one lived.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import time
from asyncio import StreamReader, StreamWriter
from collections.abc import Awaitable, Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

HEALTH_EVERY = 0.05
DRIP_SECONDS = 1.0
CONNECTIONS = 4
LOOPBACK = {"127.0.0.1", "localhost", "::1"}


@dataclass(frozen=True)
class Asked:
    """A prediction that is asked for, and of whom."""

    host: str
    port: int
    path: str
    key: str
    body: str

    def request(self, body: str | None = None) -> bytes:
        text = self.body if body is None else body
        return (
            f"POST {self.path} HTTP/1.1\r\nHost: {self.host}\r\nX-API-Key: {self.key}\r\n"
            f"Content-Type: application/json\r\nContent-Length: {len(text.encode())}\r\n\r\n{text}"
        ).encode()


@dataclass
class Seen:
    """What well-behaved clients saw."""

    answered: int = 0
    failed: int = 0
    health: list[float] = field(default_factory=list)
    health_failed: int = 0


async def _answer(reader: StreamReader) -> int:
    head = await reader.readuntil(b"\r\n\r\n")
    length = int(head.lower().partition(b"content-length:")[2].split(b"\r\n", 1)[0])
    await reader.readexactly(length)
    return int(head[9:12])


async def _predictions(asked: Asked, until: float, seen: Seen) -> None:
    raw = asked.request()
    while time.monotonic() < until:
        try:
            reader, writer = await asyncio.open_connection(asked.host, asked.port)
            while time.monotonic() < until:
                writer.write(raw)
                left = max(until - time.monotonic(), 0.01)
                status = await asyncio.wait_for(_answer(reader), left)
                seen.answered += status == 200
                seen.failed += status != 200
            writer.close()
        except TimeoutError:
            return
        except (OSError, asyncio.IncompleteReadError):
            seen.failed += 1


async def _health(asked: Asked, until: float, seen: Seen) -> None:
    while time.monotonic() < until:
        started = time.monotonic()
        try:
            reader, writer = await asyncio.open_connection(asked.host, asked.port)
            writer.write(b"GET /healthz HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
            status = await asyncio.wait_for(_answer(reader), 10)
            writer.close()
            seen.health_failed += status != 200
        except (OSError, TimeoutError, asyncio.IncompleteReadError):
            seen.health_failed += 1
        seen.health.append(time.monotonic() - started)
        await asyncio.sleep(HEALTH_EVERY)


def behave(asked: Asked, seconds: float) -> Seen:
    """Ask for predictions and for health for a while; a process of its own runs it."""

    async def all_at_once() -> Seen:
        seen, until = Seen(), time.monotonic() + seconds
        await asyncio.gather(
            _health(asked, until, seen),
            *(_predictions(asked, until, seen) for _ in range(CONNECTIONS)),
        )
        return seen

    return asyncio.run(all_at_once())


async def _read_on(reader: StreamReader) -> None:
    while await reader.read(65_536):
        pass


async def _drip(reader: StreamReader, writer: StreamWriter, data: bytes) -> None:
    reading = asyncio.create_task(_read_on(reader))
    with suppress(OSError):
        for byte in data:
            if reading.done():
                break
            writer.write(bytes([byte]))
            await writer.drain()
            await asyncio.sleep(DRIP_SECONDS)
    await reading


def _begun(asked: Asked) -> bytes:
    head, _, body = asked.request(asked.body + " " * 2000).partition(b"\r\n\r\n")
    return head + b"\r\n\r\n" + body[: len(asked.body) // 2]


async def half_header(asked: Asked, reader: StreamReader, writer: StreamWriter) -> None:
    """Without any key."""
    writer.write(b"POST /v1 HTTP/1.1\r\nHost: x\r\n")
    await _read_on(reader)


async def dripping_header(asked: Asked, reader: StreamReader, writer: StreamWriter) -> None:
    """A byte a second, without any key."""
    await _drip(reader, writer, b"POST /v1 HTTP/1.1\r\nHost: x\r\nX-Slow: " + b"x" * 1000)


async def half_body(asked: Asked, reader: StreamReader, writer: StreamWriter) -> None:
    """With a key."""
    writer.write(_begun(asked))
    await _read_on(reader)


async def dripping_body(asked: Asked, reader: StreamReader, writer: StreamWriter) -> None:
    """With a key; a byte a second."""
    writer.write(_begun(asked))
    await _drip(reader, writer, b" " * 1000)


async def idle(asked: Asked, reader: StreamReader, writer: StreamWriter) -> None:
    """Nothing is sent."""
    await _read_on(reader)


async def never_reading(asked: Asked, reader: StreamReader, writer: StreamWriter) -> None:
    """Asks again and again for what needs no key, and leaves the answers lying."""
    transport = writer.transport
    transport.pause_reading()  # type: ignore[attr-defined]  # of a socket it can
    with suppress(OSError):
        while not transport.is_closing():
            writer.write(b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n")
            await writer.drain()
            await asyncio.sleep(DRIP_SECONDS)


Slow = Callable[[Asked, StreamReader, StreamWriter], Awaitable[None]]
KINDS: dict[str, Slow] = {
    one.__name__: one
    for one in (half_header, dripping_header, half_body, dripping_body, idle, never_reading)
}


def disturb(asked: Asked, kinds: Sequence[str], each: int, seconds: float) -> dict[str, float]:
    """Hold ``each`` connections of every kind, made anew where they are hung up on; the longest
    that one lived, in seconds, by kind, also where it lives still."""
    lived = dict.fromkeys(kinds, 0.0)

    async def one(kind: str, until: float) -> None:
        while (started := time.monotonic()) < until:
            with suppress(OSError):
                reader, writer = await asyncio.open_connection(asked.host, asked.port)
                try:
                    async with asyncio.timeout(until - started):
                        await KINDS[kind](asked, reader, writer)
                finally:
                    writer.transport.abort()
            lived[kind] = max(lived[kind], time.monotonic() - started)

    async def all_at_once() -> None:
        until = time.monotonic() + seconds
        await asyncio.gather(*(one(kind, until) for kind in kinds for _ in range(each)))

    asyncio.run(all_at_once())
    return lived


def measure(asked: Asked, kinds: Sequence[str], each: int, seconds: float) -> dict[str, Any]:
    """Well-behaved clients alone, then beside slow ones, then alone again."""
    with ProcessPoolExecutor(2) as pool:
        alone = [pool.submit(behave, asked, seconds / 2).result()]
        slow = pool.submit(disturb, asked, kinds, each, seconds + 1)
        time.sleep(1)
        beside = pool.submit(behave, asked, seconds).result()
        lived = slow.result()
        alone.append(pool.submit(behave, asked, seconds / 2).result())
    usual = sum(seen.answered for seen in alone) / seconds
    return {
        "kinds": list(kinds),
        "each": each,
        "alone_per_second": round(usual, 1),
        "beside_per_second": round(beside.answered / seconds, 1),
        "share": round(beside.answered / seconds / max(usual, 1e-9), 3),
        "failed": beside.failed,
        "health_asked": len(beside.health),
        "health_failed": beside.health_failed,
        "health_slowest": round(max(beside.health), 3),
        "longest_lived": {kind: round(of, 1) for kind, of in lived.items()},
    }


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.online.slow_clients",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--url", default="http://127.0.0.1:8793", help="of the service; loopback")
    parser.add_argument("--model", default="sales_forecast")
    parser.add_argument(
        "--body",
        default='{"store_id": "S001", "item_id": "I0001", "target_date": "2026-07-02"}',
    )
    parser.add_argument("--each", type=int, nargs="+", default=[4, 30, 200], help="of every kind")
    parser.add_argument("--kinds", nargs="+", choices=[*KINDS, "all"], default=[*KINDS, "all"])
    parser.add_argument("--seconds", type=float, default=60.0)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args(arguments)
    url = urlsplit(options.url)
    if url.hostname not in LOOPBACK:
        parser.error("--url has to be on this machine: nobody else's service is slowed down")
    key = os.environ.get("KEY", "")
    path = f"/v1/models/{options.model}/predict"
    asked = Asked(url.hostname, url.port or 80, path, key, options.body)
    found = []
    for each in options.each:
        for kind in options.kinds:
            kinds = [*KINDS] if kind == "all" else [kind]
            found.append(measure(asked, kinds, each, options.seconds))
            if not options.json:
                print(_line(found[-1]), flush=True)
    if options.json:
        print(json.dumps(found))


def _line(row: dict[str, Any]) -> str:
    name = row["kinds"][0] if len(row["kinds"]) == 1 else "all"
    return (
        f"{row['each']:>4} × {name:<16} {row['share']:>7.1%} of {row['alone_per_second']}/s, "
        f"{row['failed']} failed; health {row['health_failed']} of {row['health_asked']} failed, "
        f"slowest {row['health_slowest']} s; lived {row['longest_lived']}"
    )


if __name__ == "__main__":
    main()
