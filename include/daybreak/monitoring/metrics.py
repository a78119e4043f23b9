"""statsd metrics: sent by UDP without waiting, so that they never slow a run.

Every name starts with ``daybreak.``; docs/sla.md lists them, and a test keeps the list true.
Plain statsd drops tags, so the model and the step are parts of the name.
"""

from __future__ import annotations

import logging
import math
import re
import weakref
from typing import Protocol

from statsd import StatsClient

PREFIX = "daybreak"

_log = logging.getLogger(__name__)
_NOT_IN_A_NAME = re.compile(r"[^A-Za-z0-9_.-]")  # ':' '|' '@' and line ends are statsd's grammar


class Metrics(Protocol):
    """What a step reports. No call raises or waits."""

    def timing(self, name: str, seconds: float) -> None:
        """How long something took."""
        ...

    def incr(self, name: str, count: int = 1) -> None:
        """Something happened ``count`` times."""
        ...

    def gauge(self, name: str, value: float) -> None:
        """How large something is now; may be negative."""
        ...


class NullMetrics:
    """Drops everything: no daemon is configured, or its name does not resolve."""

    def timing(self, name: str, seconds: float) -> None:
        """Drop it."""

    def incr(self, name: str, count: int = 1) -> None:
        """Drop it."""

    def gauge(self, name: str, value: float) -> None:
        """Drop it."""


class StatsdMetrics:
    """Sends each value as one UDP packet to an address that was resolved when this was made."""

    def __init__(self, host: str, port: int) -> None:
        """Resolve ``host`` once. Raises ``OSError`` where it does not resolve."""
        self._client = StatsClient(host, port, prefix=PREFIX)
        # A full send buffer then drops the packet (the client swallows OSError) instead of
        # stopping the run that reports.
        self._client._sock.setblocking(False)
        weakref.finalize(self, self._client.close)

    def timing(self, name: str, seconds: float) -> None:
        """Send a duration; statsd counts it in milliseconds."""
        if math.isfinite(seconds):
            self._client.timing(_clean(name), seconds * 1000)

    def incr(self, name: str, count: int = 1) -> None:
        """Send a counter's increase."""
        self._client.incr(_clean(name), count)

    def gauge(self, name: str, value: float) -> None:
        """Send a gauge. A negative one goes as zero and then the value: a sign means a delta."""
        if math.isfinite(value):
            self._client.gauge(_clean(name), float(value))


def open_metrics(host: str | None, port: int) -> Metrics:
    """A client for the daemon at ``host``, or one that drops everything where there is none."""
    if not host:
        return NullMetrics()
    try:
        return StatsdMetrics(host, port)
    except OSError as error:
        _log.warning("No metrics are sent: statsd host %r does not resolve (%s).", host, error)
        return NullMetrics()


def _clean(name: str) -> str:
    return _NOT_IN_A_NAME.sub("_", name)
