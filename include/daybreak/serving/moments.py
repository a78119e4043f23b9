"""What moves answers in the slot that it is: read once a slot, entity and process."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from threading import Lock
from typing import NamedTuple

from cachetools import LRUCache
from sqlalchemy import Engine

from daybreak.clock import Slot
from daybreak.errors import WarehouseUnavailable
from daybreak.ledger.states import Generation
from daybreak.models.base import Key, Moment, Moves, SnapshotRows
from daybreak.serving.turn import pass_on
from daybreak.warehouse.asking import Asking

logger = logging.getLogger(__name__)

CAPACITY = 50_000
"""Moments held a worker, some 500 bytes each."""


class Now(NamedTuple):
    """What moves the answers of a publication, and the slot that it is."""

    moves: Moves
    slot: Slot
    generation: Generation
    version: str
    since: datetime


class MomentCache:
    """The newest moment of each entity, the most recently asked ones. Safe for many threads.

    While the warehouse is down, what was in force goes on, marked ``stale``, for so many
    ``seconds`` after its slot.
    """

    def __init__(
        self,
        engine: Callable[[], Engine],
        clock: Callable[[], datetime],
        seconds: float,
        capacity: int = CAPACITY,
    ) -> None:
        self._asking = Asking(engine)
        self._clock = clock
        self._patience = timedelta(seconds=seconds)
        self._held: LRUCache[tuple[int, str, Key], Moment] = LRUCache(capacity)
        self._lock = Lock()

    def of(self, now: Now, keys: Sequence[Key], entities: SnapshotRows) -> list[Moment]:
        """The moments of entities, in order; what is not held costs one look in all.

        Raises ``WarehouseUnavailable`` where one is not held and the warehouse does not answer.
        """
        places = [(now.generation.generation_id, now.version, key) for key in keys]
        with self._lock:
            held = [self._held.get(place) for place in places]
        missing = [
            n for n, one in enumerate(held) if one is None or one.slot.begins != now.slot.begins
        ]
        if missing:
            fresh = self._read(now, entities.rows_at(missing), [held[n] for n in missing])
            for n, moment in zip(missing, fresh, strict=True):
                held[n] = moment
            with self._lock:
                for n, moment in zip(missing, fresh, strict=True):
                    if not moment.stale:
                        self._held[places[n]] = moment
        return [one for one in held if one is not None]

    def _read(
        self, now: Now, entities: SnapshotRows, before: Sequence[Moment | None]
    ) -> list[Moment]:
        pass_on()
        try:
            with self._asking.connect() as conn:
                found = now.moves.read(
                    conn,
                    entities,
                    now.slot,
                    generation=now.generation,
                    since=now.since,
                    now=self._clock(),
                )
        except WarehouseUnavailable as error:
            oldest = self._clock() - self._patience
            usable = [one for one in before if one is not None and one.slot.ends >= oldest]
            if len(usable) < len(before):
                raise
            logger.warning("answering as in an earlier slot: %s", error.message)
            return [replace(one, slot=now.slot, stale=True) for one in usable]
        return [Moment(now.slot, one) for one in found]
