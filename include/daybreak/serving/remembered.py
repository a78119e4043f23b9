"""Answers that were given before, the most recently asked ones.

An answer follows from the request, the version and the generation, which never change, and from the
slot of the day where it moves: so it is kept under all of them, and none of another generation or
slot can be given. What only answers requests has no generation, and nothing of it is kept.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from datetime import datetime
from threading import Lock

from cachetools import LRUCache
from pydantic import BaseModel

from daybreak.serving.answers import Answered
from daybreak.serving.publications import Publication

CAPACITY = 16 << 20
"""Bytes of answers and requests held a worker: some 20,000 forecasts."""
OVERHEAD = 400
"""Bytes that an answer costs beside its text: its key, its place."""
LONGEST = 4096
"""A longer request is hardly asked twice."""

Key = tuple[str, int, str, str, str, datetime | None]
Kept = tuple[str, bytes, str, str]
"""The request, which counts too, and the answer's text, version and source. A plain tuple of texts
is nothing that the collection of garbage looks into: 20,000 named ones took it 10 to 19 ms."""


class Remembered:
    """Drops the least recently used answer. Safe for many threads.

    ``hits`` and ``misses``: how many were asked for since the start.
    """

    def __init__(self, capacity: int = CAPACITY) -> None:
        self.hits = self.misses = 0
        self._answers: LRUCache[Key, Kept] = LRUCache(capacity, getsizeof=_size)
        self._lock = Lock()

    def answer(
        self,
        model: str,
        publication: Publication,
        asked: BaseModel,
        make: Callable[[], Answered],
        slot: datetime | None = None,
    ) -> Answered:
        """The answer as it was given before, else what ``make`` gives; neither its errors are kept
        nor what does not last. ``slot``: that the answer is of, where it moves during the day.

        A request counts as the same whatever the order of its fields and the space between them.
        """
        generation = publication.generation
        if generation is None:
            return make()
        text = asked.model_dump_json(exclude_unset=True)
        if len(text) > LONGEST:
            return make()
        key = (model, generation.generation_id, publication.version, publication.gate, text, slot)
        with self._lock:
            if (found := self._answers.get(key)) is not None:
                self.hits += 1
                _, json, version, source = found
                return Answered(json, model, version, source)
            self.misses += 1
        made = make()
        if not made.lasts:
            return made
        with self._lock, suppress(ValueError):  # it is larger than all that may be held
            # Copied: orjson cuts an answer off a block of 4 kB, whose rest nothing else fits into.
            json = bytes(memoryview(made.json))
            self._answers[key] = (text, json, made.version, made.source)
        return made


def _size(kept: Kept) -> int:
    text, json, _, _ = kept
    return OVERHEAD + len(text) + len(json)
