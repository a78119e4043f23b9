"""Snapshots: the feature rows of one model and business day, written once, read by both paths."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from datetime import date, datetime
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import Connection, Row, Select, Table, bindparam, exists, select, update
from sqlalchemy.dialects.postgresql import insert

from daybreak.clock import AsOf
from daybreak.errors import NotFound
from daybreak.models.base import Model, SnapshotRows
from daybreak.warehouse.bulk import copy_in
from daybreak.warehouse.partitions import ensure_partition
from daybreak.warehouse.tables import snapshot as snapshots

_VALUES = np.dtype("<f4")


def write_snapshot(conn: Connection, model: Model, as_of: AsOf, now: datetime) -> int:
    """Build and store a snapshot, in the caller's transaction; returns its ``snapshot_id``.

    The same model, date, cutoff and layout give the id that is there already. Who comes second
    while the first one is still writing waits for it. Raises what ``build_snapshot`` raises.
    """
    identity = {
        "model": model.name,
        "business_date": as_of.business_date,
        "cutoff": as_of.cutoff,
        "layout": layout_hash(model.layout()),
    }
    claim = insert(snapshots).values(**identity, rows=0, sha256="", built_at=now)
    snapshot_id = conn.scalar(claim.on_conflict_do_nothing().returning(snapshots.c.snapshot_id))
    if snapshot_id is None:
        same = [snapshots.c[name] == value for name, value in identity.items()]
        return int(conn.scalars(select(snapshots.c.snapshot_id).where(*same)).one())

    ensure_partition(conn, model.snapshot_table, as_of.business_date)
    contents = _Contents(model)
    for batch in model.build_snapshot(conn, as_of):
        first = contents.rows
        contents.add(batch)
        copy_in(
            conn,
            model.snapshot_table,
            {
                "business_date": _constant(np.datetime64(as_of.business_date, "D"), len(batch)),
                "snapshot_id": _constant(snapshot_id, len(batch)),
                **dict(zip(model.keys, batch.keys, strict=True)),
                "ordinal": np.arange(first, contents.rows),
                "features": batch.values.astype(_VALUES, copy=False),
            },
        )
    conn.execute(
        update(snapshots)
        .where(snapshots.c.snapshot_id == snapshot_id)
        .values(rows=contents.rows, sha256=contents.sha256())
    )
    return int(snapshot_id)


def read_snapshot(
    conn: Connection, model: Model, snapshot_id: int, first: int, last: int
) -> SnapshotRows:
    """The rows at positions ``first`` to ``last - 1`` in key order."""
    query = _range_query(model.snapshot_table, model.keys)
    found = conn.execute(query, {"snapshot_id": snapshot_id, "first": first, "last": last})
    return _snapshot_rows(model, found.all())


def read_entity(
    conn: Connection, model: Model, snapshot_id: int, business_date: date, key: tuple[str, ...]
) -> SnapshotRows:
    """The one row (n=1) of an entity. Raises ``NotFound`` naming the part of the key at fault."""
    query = _entity_query(model.snapshot_table, model.keys)
    address = {"snapshot_id": snapshot_id, "business_date": business_date}
    row = conn.execute(query, address | dict(zip(model.keys, key, strict=True))).first()
    if row is None:
        raise _unknown(conn, model, address, key)
    return _snapshot_rows(model, [row])


def layout_hash(layout: Iterable[str]) -> str:
    """Sixteen hex digits that change when a value is added, renamed or moved."""
    return hashlib.sha256("\n".join(layout).encode()).hexdigest()[:16]


class _Contents:
    """Checks the batches of a snapshot and sums up what they hold, however they were cut."""

    def __init__(self, model: Model) -> None:
        self.rows = 0
        self._layout = model.layout()
        self._last_key: tuple[str, ...] | None = None
        self._keys = hashlib.sha256()
        self._values = hashlib.sha256()

    def add(self, batch: SnapshotRows) -> None:
        values = batch.values
        if values.dtype != np.float32 or values.shape[1:] != (len(self._layout),):
            raise ValueError(
                f"a snapshot row is float32 ({len(self._layout)},), "
                f"not {values.dtype} {values.shape[1:]}"
            )
        if np.isinf(values).any():
            names = [self._layout[i] for i in np.flatnonzero(np.isinf(values).any(axis=0))]
            raise ValueError(f"infinite values in {', '.join(names)}")
        for key in zip(*batch.keys, strict=True):
            # Python compares text by code point, which is the order of its UTF-8 bytes.
            if self._last_key is not None and key <= self._last_key:
                raise ValueError(f"key {key} comes after {self._last_key}: rows go in key order")
            self._last_key = key
            self._keys.update("".join(f"{part}\0" for part in key).encode())
        self._values.update(values.astype(_VALUES, copy=False).tobytes())
        self.rows += len(batch)

    def sha256(self) -> str:
        return hashlib.sha256(self._keys.digest() + self._values.digest()).hexdigest()


@lru_cache(maxsize=64)
def _range_query(table: Table, keys: tuple[str, ...]) -> Select[Any]:
    c = table.c
    day = select(snapshots.c.business_date).where(
        snapshots.c.snapshot_id == bindparam("snapshot_id")
    )
    return (
        select(*(c[name] for name in keys), c.features)
        .where(
            c.business_date == day.scalar_subquery(),  # so that one partition is looked at
            c.snapshot_id == bindparam("snapshot_id"),
            c.ordinal >= bindparam("first"),
            c.ordinal < bindparam("last"),
        )
        .order_by(c.ordinal)
    )


@lru_cache(maxsize=64)
def _entity_query(table: Table, keys: tuple[str, ...]) -> Select[Any]:
    c = table.c
    return select(*(c[name] for name in keys), c.features).where(
        *(c[name] == bindparam(name) for name in ("business_date", "snapshot_id", *keys))
    )


def _snapshot_rows(model: Model, rows: Iterable[Row[Any]]) -> SnapshotRows:
    *keys, packed = [*zip(*rows, strict=True)] or [()] * (len(model.keys) + 1)
    values = np.frombuffer(b"".join(packed), _VALUES).reshape(-1, len(model.layout()))
    columns = tuple(np.array(key, dtype=object) for key in keys)
    return SnapshotRows(columns, values.astype(np.float32, copy=False))


def _unknown(
    conn: Connection, model: Model, address: dict[str, Any], key: tuple[str, ...]
) -> NotFound:
    """Which part of the key nobody has; where each exists alone, the last one is to blame."""
    c = model.snapshot_table.c
    snapshot = [c[name] == value for name, value in address.items()]
    given = dict(zip(model.keys, key, strict=True))
    strangers = [
        name
        for name, value in given.items()
        if not conn.scalar(select(exists().where(*snapshot, c[name] == value)))
    ]
    name = strangers[0] if strangers else model.keys[-1]
    field = name.removesuffix("_id")
    others = "" if strangers else " together with the rest of the key"
    return NotFound(
        f"The {field} {given[name]!r} is unknown{others} on {address['business_date']}.",
        remedy="Only what had facts by the published business date can be scored.",
        field=field,
        **given,
    )


def _constant(value: Any, length: int) -> NDArray[Any]:
    return np.broadcast_to(np.asarray(value), length)
