"""What the shards of a snapshot keep while it is made: arrays by name, read one by one."""

from __future__ import annotations

import io
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, overload

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import Connection, delete, select

from daybreak.errors import NotReady
from daybreak.models.base import Part
from daybreak.warehouse.bulk import copy_in
from daybreak.warehouse.engine import driver_of
from daybreak.warehouse.tables import snapshot_part as parts


def write_part(conn: Connection, snapshot_id: int, shard: int, part: Part) -> None:
    """Store the arrays of a shard, beside others that it has, in place of those of that name."""
    if not part:
        return
    names = list(part)
    theirs = (parts.c.snapshot_id == snapshot_id, parts.c.shard == shard)
    conn.execute(delete(parts).where(*theirs, parts.c.name.in_(names)))
    for name in names:
        row = {
            "snapshot_id": np.array([snapshot_id]),
            "shard": np.array([shard]),
            "name": np.array([name]),
            "array": _pack(part[name]),
        }
        copy_in(conn, parts, row)


class StoredPart(Mapping[str, NDArray[Any]]):
    """The arrays of a shard; one is read when it is asked for."""

    def __init__(self, conn: Connection, snapshot_id: int, shard: int) -> None:
        self._conn, self._address = conn, {"snapshot_id": snapshot_id, "shard": shard}

    def __getitem__(self, name: str) -> NDArray[Any]:
        query = select(parts.c["array"]).where(*self._where(), parts.c.name == name)
        compiled = query.compile(dialect=self._conn.dialect)
        with driver_of(self._conn).cursor(binary=True) as cursor:
            found = cursor.execute(str(compiled).encode(), compiled.params).fetchone()
        if found is None:
            raise KeyError(name)
        return np.load(io.BytesIO(found[0]), allow_pickle=False)  # type: ignore[no-any-return]

    def __iter__(self) -> Iterator[str]:
        return iter(self._conn.scalars(select(parts.c.name).where(*self._where())).all())

    def __len__(self) -> int:
        return sum(1 for _ in self)

    def _where(self) -> list[Any]:
        return [parts.c[name] == value for name, value in self._address.items()]


class Parts(Sequence[Part]):
    """The parts of all shards, in order. Raises ``NotReady`` for one that is not read yet."""

    def __init__(self, conn: Connection, snapshot_id: int, shards: Sequence[int]) -> None:
        there = set(conn.scalars(select(parts.c.shard).where(parts.c.snapshot_id == snapshot_id)))
        missing = [shard for shard in shards if shard not in there]
        if missing:
            raise NotReady(
                f"The facts of {len(missing)} of {len(shards)} shards of the snapshot "
                f"{snapshot_id} are not read yet.",
                remedy="Clear the run from the task that plans the snapshot on.",
                snapshot_id=snapshot_id,
                shards=missing,
            )
        self._parts = [StoredPart(conn, snapshot_id, shard) for shard in shards]

    @overload
    def __getitem__(self, place: int) -> Part: ...

    @overload
    def __getitem__(self, place: slice) -> Sequence[Part]: ...

    def __getitem__(self, place: int | slice) -> Part | Sequence[Part]:
        return self._parts[place]

    def __len__(self) -> int:
        return len(self._parts)


def _pack(array: NDArray[Any]) -> NDArray[np.uint8]:
    """The bytes of an .npy as one row, (1, bytes): what is copied in with the fewest copies."""
    buffer = io.BytesIO()
    np.save(buffer, array, allow_pickle=False)
    return np.frombuffer(buffer.getbuffer(), np.uint8)[None]
