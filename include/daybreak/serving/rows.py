"""Snapshot rows by key, the most recently asked ones in memory."""

from __future__ import annotations

from contextlib import suppress
from threading import Lock

from cachetools import LRUCache

from daybreak.errors import NotFound
from daybreak.ledger.generations import Generation
from daybreak.models.base import AnyModel, SnapshotRows
from daybreak.runtime import Runtime
from daybreak.scoring.snapshots import read_entity
from daybreak.serving.turn import pass_on
from daybreak.warehouse.engine import connect

CAPACITY = 16 << 20
"""Bytes of rows held a worker: some 16,000 rows of 1 kB."""

OVERHEAD = 600
"""Bytes that a row costs beside its numbers: the arrays' headers, its key, its place."""


class RowCache:
    """Drops the least recently used row. A snapshot never changes, so no row gets stale."""

    def __init__(self, runtime: Runtime, capacity: int = CAPACITY) -> None:
        self._runtime = runtime
        self._rows: LRUCache[tuple[str, int, tuple[str, ...]], SnapshotRows] = LRUCache(
            capacity, getsizeof=_size
        )
        self._lock = Lock()

    def get(self, model: AnyModel, generation: Generation, key: tuple[str, ...]) -> SnapshotRows:
        """The one row (n=1) of an entity in the generation's snapshot, else the default row.

        Raises ``NotFound``, naming the field, where the model has no default row, and
        ``WarehouseUnavailable`` where the row is not in memory and the warehouse does not answer.
        """
        address = (model.name, generation.snapshot_id, key)
        with self._lock:
            if (row := self._rows.get(address)) is not None:
                return row
        row = self._read(model, generation, key)
        with self._lock, suppress(ValueError):  # it is larger than all that may be held
            self._rows[address] = row
        return row

    def _read(self, model: AnyModel, generation: Generation, key: tuple[str, ...]) -> SnapshotRows:
        pass_on()
        try:
            with connect(self._runtime.engine) as conn:
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
