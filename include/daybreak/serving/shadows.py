"""Asks a shadow what was just answered, and measures how it would have answered.

That happens after the answer, in a thread of its own, and only as fast as it can: what comes while
``WAITING`` answers wait is passed over and counted.
"""

from __future__ import annotations

import json
import logging
import time
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from threading import BoundedSemaphore
from typing import Any

from pydantic import BaseModel

from daybreak.models.base import AnyModel
from daybreak.runtime import Runtime
from daybreak.serving.answers import Answering
from daybreak.serving.http.encoding import encoded_answer
from daybreak.serving.inputs import Inputs
from daybreak.serving.publication import Publication

logger = logging.getLogger(__name__)

WAITING = 100
Record = Mapping[str, Any]


class Shadows:
    """Safe for many threads. The thread of its own begins with the first answer."""

    def __init__(self, runtime: Runtime, inputs: Inputs) -> None:
        self._runtime = runtime
        self._inputs = inputs
        self._room = BoundedSemaphore(WAITING)
        self._thread = ThreadPoolExecutor(1, "shadow")

    def offer(
        self, model: AnyModel, shadow: Publication, asked: BaseModel, answered: bytes
    ) -> None:
        """Compare with ``answered``, as JSON, in a while. Neither waits nor raises."""
        if not self._room.acquire(blocking=False):
            self._runtime.metrics.incr(f"{model.name}.shadow.passed_over")
            return
        self._thread.submit(self._compare, model, shadow, asked, answered)

    def _compare(
        self, model: AnyModel, shadow: Publication, asked: BaseModel, answered: bytes
    ) -> None:
        metrics = self._runtime.metrics
        try:
            started = time.perf_counter()
            beside = Answering(model, shadow, self._inputs).one(asked)
            metrics.timing(f"{model.name}.shadow.latency", time.perf_counter() - started)
            both = (json.loads(one)["predictions"] for one in (answered, encoded_answer(beside)))
            differing = difference(*both)
            metrics.timing(f"{model.name}.shadow.difference", differing)
        except Exception as error:
            metrics.incr(f"{model.name}.shadow.unanswered")
            logger.warning("the shadow %s of %s: %s", shadow.version, model.name, error)
        finally:
            self._room.release()


def difference(answered: Sequence[Record], beside: Sequence[Record]) -> float:
    """The largest relative difference of two numbers in the same place, 0 to 2.

    1 where another number of rows is listed, or another thing in the place of one.
    """
    if len(answered) != len(beside):
        return 1.0
    return max(
        (
            _apart(row[name], other[name])
            for row, other in zip(answered, beside, strict=True)
            for name in row
        ),
        default=0.0,
    )


def _apart(value: Any, other: Any) -> float:
    if value == other:
        return 0.0
    if not (isinstance(value, float) and isinstance(other, float)):
        return 1.0
    return abs(value - other) / max(abs(value), abs(other))
