"""Snapshot rows by key, the most recently asked ones in memory."""

from __future__ import annotations

from collections import OrderedDict
from threading import Lock

from daybreak.models.base import Model, SnapshotRows
from daybreak.runtime import Runtime
from daybreak.scoring.snapshots import read_entity
from daybreak.warehouse.engine import connect
from daybreak.warehouse.generations import Generation

CAPACITY = 4096
"""Rows held; at about 1 kB a row this is 4 MB a worker."""


class RowCache:
    """The least recently used row makes room. A snapshot never changes, so no row grows stale."""

    def __init__(self, runtime: Runtime, capacity: int = CAPACITY) -> None:
        self._runtime = runtime
        self._capacity = capacity
        self._rows: OrderedDict[tuple[str, int, tuple[str, ...]], SnapshotRows] = OrderedDict()
        self._lock = Lock()

    def get(self, model: Model, generation: Generation, key: tuple[str, ...]) -> SnapshotRows:
        """The one row (n=1) of an entity in the generation's snapshot.

        Raises ``NotFound``, naming the field, and ``WarehouseUnavailable`` where the row is not
        in memory and the warehouse does not answer.
        """
        address = (model.name, generation.snapshot_id, key)
        with self._lock:
            row = self._rows.get(address)
            if row is not None:
                self._rows.move_to_end(address)
                return row
        with connect(self._runtime.engine) as conn:
            row = read_entity(conn, model, generation.snapshot_id, generation.business_date, key)
        with self._lock:
            self._rows[address] = row
            while len(self._rows) > self._capacity:
                self._rows.popitem(last=False)
        return row
