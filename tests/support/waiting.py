"""Waiting for what another process does."""

from __future__ import annotations

import time
from collections.abc import Callable

_PATIENCE_SECONDS = 60


def wait_for(condition: Callable[[], bool]) -> None:
    """Until it holds; on a busy machine that may take a while."""
    deadline = time.monotonic() + _PATIENCE_SECONDS
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.05)
