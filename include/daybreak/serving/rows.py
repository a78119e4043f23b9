"""Snapshot rows by key, the most recently asked ones in memory."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from threading import Lock

from cachetools import LRUCache

from daybreak.errors import NotFound
from daybreak.ledger.generations import Generation
from daybreak.models.base import AnyModel, Key, SnapshotRows
from daybreak.runtime import Runtime
from daybreak.scoring.snapshots import read_entities, read_entity
from daybreak.serving.turn import pass_on

CAPACITY = 16 << 20
"""Bytes of rows held a worker: some 16,000 rows of 1 kB."""

OVERHEAD = 600
"""Bytes that a row costs beside its numbers: the arrays' headers, its key, its place."""


class RowCache:
    """Drops the least recently used row. A snapshot never changes, so no row gets stale.

    ``hits`` and ``misses``: how many were asked for since the start.
    """

    def __init__(self, runtime: Runtime, capacity: int = CAPACITY) -> None:
        self.hits = self.misses = 0
        self._runtime = runtime
        self._rows: LRUCache[tuple[str, int, tuple[str, ...]], SnapshotRows] = LRUCache(
            capacity, getsizeof=_size
        )
        self._lock = Lock()

    def get(self, model: AnyModel, generation: Generation, key: Key) -> SnapshotRows:
        """The one row (n=1) of an entity in the generation's snapshot, else the default row.

        Raises ``NotFound``, naming the field, where the model has no default row, and
        ``WarehouseUnavailable`` where the row is not in memory and the warehouse does not answer.
        """
        address = (model.name, generation.snapshot_id, key)
        with self._lock:
            if (row := self._rows.get(address)) is not None:
                self.hits += 1
                return row
            self.misses += 1
        row = self._read(model, generation, key)
        with self._lock, suppress(ValueError):  # it is larger than all that may be held
            self._rows[address] = row
        return row

    def get_many(
        self, model: AnyModel, generation: Generation, keys: Sequence[Key]
    ) -> dict[Key, SnapshotRows]:
        """As `get`, of different keys: those without a row are left out.

        What is not in memory costs one query in all. Raises ``WarehouseUnavailable``.
        """
        addresses = {key: (model.name, generation.snapshot_id, key) for key in keys}
        with self._lock:
            held = {key: self._rows.get(address) for key, address in addresses.items()}
            missing = [key for key, row in held.items() if row is None]
            found = {key: row for key, row in held.items() if row is not None}
            self.hits += len(found)
            self.misses += len(missing)
        if not missing:
            return found
        pass_on()
        with self._runtime.asking.connect() as conn:
            read = read_entities(
                conn, model, generation.snapshot_id, generation.business_date, missing
            )
        if model.endpoint.default_key is not None and len(read) < len(missing):
            default = self.get(model, generation, model.endpoint.default_key)
            read = {key: read.get(key, default) for key in missing}
        with self._lock:
            for key, row in read.items():
                with suppress(ValueError):
                    self._rows[addresses[key]] = row
        return found | read

    def _read(self, model: AnyModel, generation: Generation, key: Key) -> SnapshotRows:
        pass_on()
        try:
            with self._runtime.asking.connect() as conn:
                return read_entity(
                    conn, model, generation.snapshot_id, generation.business_date, key
                )
        except NotFound:
            if model.endpoint.default_key is None or key == model.endpoint.default_key:
                raise
        # Held under the key that was asked for, so that the same one is looked up once.
        return self.get(model, generation, model.endpoint.default_key)


def _size(row: SnapshotRows) -> int:
    return OVERHEAD + row.values.nbytes + row.records.nbytes
