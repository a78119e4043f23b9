"""Bytes of a connection to whole HTTP/1.1 requests, within limits.

The grammar is llhttp's, by way of httptools. It refuses what two parsers could read differently:
a body with two lengths, control characters in a header, a space before its colon.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass

import httptools

from daybreak.errors import DaybreakError, HeadersTooLarge, InvalidRequest
from daybreak.serving.http.body import too_large

Header = tuple[bytes, bytes]
MOST_AHEAD = 16
"""Requests that a client may send before it has read the answer to the first."""


@dataclass(frozen=True)
class Limits:
    """Of one request. ``line``: bytes of its target; ``headers``: bytes of all; ``fields``: how
    many; ``body``: bytes. ``unfinished``: bytes of all bodies of a process that are on their way.
    """

    body: int
    line: int = 4096
    headers: int = 16_384
    fields: int = 50
    unfinished: int = 64 << 20


@dataclass(slots=True)
class Request:
    """One whole request. Names of ``headers`` are in lower case, values as they were sent."""

    method: bytes
    target: bytes
    headers: list[Header]
    body: bytes
    version: str
    keep_alive: bool

    def header(self, name: bytes) -> bytes:
        """The first of this name, or nothing."""
        return next((value for of, value in self.headers if of == name), b"")


class Requests:
    """The requests of one connection, in order: `feed` bytes, then take `ready` ones.

    The methods ``on_…`` are what httptools calls.
    """

    def __init__(self, limits: Limits) -> None:
        self.ready: deque[Request] = deque()
        self.begun = False
        """Whether bytes of a request are here that is not whole yet."""
        self.body_begun = False
        """Whether its header is."""
        self.awaits_continue = False
        """Whether the client waits for a 100 before it sends the body."""
        self._limits = limits
        self._parser = httptools.HttpRequestParser(self)
        self._received = 0
        self._clear()

    @property
    def target(self) -> bytes:
        """Of the request that is not whole yet, as far as it is here."""
        return self._target

    @property
    def held(self) -> int:
        """Bytes of its body that are here."""
        return self._size

    def feed(self, data: bytes) -> None:
        """Parse what came. Raises the ``DaybreakError`` that the client is to be told, after which
        nothing more can be read of this connection."""
        self.begun = True
        self._received += len(data)
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserUpgrade:
            # Another protocol was offered. The request itself is answered as HTTP/1.1.
            if not self.ready:
                raise _malformed("it asks for another protocol") from None
            self.ready[-1].keep_alive = False
        except httptools.HttpParserCallbackError as error:
            cause = error.__context__
            raise cause if isinstance(cause, DaybreakError) else error from None
        except httptools.HttpParserError as error:
            raise _malformed(str(error)) from None
        if self.begun and not self.body_begun and self._received > self._limits.headers:
            raise _too_many_headers(self._limits)

    def on_message_begin(self) -> None:  # noqa: D102
        self._clear()
        self.begun = True

    def on_url(self, url: bytes) -> None:  # noqa: D102
        self._target += url
        if len(self._target) > self._limits.line:
            raise HeadersTooLarge(
                f"The address is longer than {self._limits.line} bytes.",
                remedy="Send what you ask for in the body.",
                limit=self._limits.line,
            )

    def on_header(self, name: bytes, value: bytes) -> None:  # noqa: D102
        self._length += len(name) + len(value)
        self._headers.append((name.lower(), value))
        if self._length > self._limits.headers or len(self._headers) > self._limits.fields:
            raise _too_many_headers(self._limits)

    def on_headers_complete(self) -> None:  # noqa: D102
        self.body_begun = True
        for name, value in self._headers:
            if name == b"content-length" and int(value) > self._limits.body:
                raise too_large(self._limits.body)
            if name == b"expect":
                self.awaits_continue = value.lower() == b"100-continue"

    def on_body(self, body: bytes) -> None:  # noqa: D102
        self.awaits_continue = False
        self._size += len(body)
        if self._size > self._limits.body:
            raise too_large(self._limits.body)
        self._body += body

    def on_message_complete(self) -> None:  # noqa: D102
        if len(self.ready) >= MOST_AHEAD:
            raise _malformed(f"more than {MOST_AHEAD} requests were sent ahead")
        parser = self._parser
        self.ready.append(
            Request(
                parser.get_method(),
                self._target,
                self._headers,
                bytes(self._body),
                parser.get_http_version(),
                parser.should_keep_alive(),
            )
        )
        self._clear()
        self._received = 0

    def _clear(self) -> None:
        self.begun = self.body_begun = self.awaits_continue = False
        self._target = b""
        self._headers: list[Header] = []
        self._body = bytearray()  # not chunk by chunk: one of two bytes takes some sixty
        self._length = self._size = 0


def _malformed(fault: str) -> InvalidRequest:
    return InvalidRequest(
        f"The request is not valid HTTP/1.1: {fault}.",
        remedy="Send it with an HTTP client.",
        field="request",
    )


def _too_many_headers(limits: Limits) -> HeadersTooLarge:
    return HeadersTooLarge(
        f"The header is longer than {limits.headers} bytes or has more than {limits.fields} "
        "fields.",
        remedy="Send fewer headers: a key and a content type are enough.",
        limit=limits.headers,
        fields=limits.fields,
    )
