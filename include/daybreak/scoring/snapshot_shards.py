"""Snapshots made in shards: once planned, read, shared, built and finished, each in a transaction.

A step may run again, and leaves the same rows. A snapshot is unfinished, and nobody reads it, until
``finish`` has seen all of its rows. Runs that need the same one share it: a shard belongs to whom
holds its line, and who waited for that takes what is there.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, datetime
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import Connection, Row, delete, func, insert, select, text, update

from daybreak.clock import AsOf
from daybreak.errors import NotReady
from daybreak.models import arrays
from daybreak.models.base import NO_OPTIONS, AnyModel, Key, Nightly, Options
from daybreak.scoring.snapshot_bytes import Checked, Digest, check_context, pack
from daybreak.scoring.snapshot_parts import Parts, StoredPart, write_part
from daybreak.scoring.snapshot_plan import ENTITIES_PER_SHARD, plan, span_of, stored_as_of
from daybreak.warehouse.bulk import copy_in
from daybreak.warehouse.engine import driver_of
from daybreak.warehouse.partitions import ensure_partition
from daybreak.warehouse.tables import snapshot as snapshots
from daybreak.warehouse.tables import snapshot_context as contexts
from daybreak.warehouse.tables import snapshot_part as parts
from daybreak.warehouse.tables import snapshot_shard as shards

HASHED_AT_ONCE = 2_000
_SHARED = -1
"""The ``shard`` of the mark that says that what all share is there."""


def write_snapshot(
    conn: Connection,
    model: AnyModel,
    as_of: AsOf,
    now: datetime,
    options: Options = NO_OPTIONS,
    *,
    trained: Options = NO_OPTIONS,
    per_shard: int = ENTITIES_PER_SHARD,
) -> int:
    """All steps in the caller's transaction; returns the ``snapshot_id``. Raises what they raise.

    Who comes second while the first one is still writing waits for it.
    """
    planned = plan(conn, model, as_of, now, options, trained=trained, per_shard=per_shard)
    for shard in planned.to_read:
        read(conn, model, planned.snapshot_id, shard)
    if planned.shards:
        share(conn, model, planned.snapshot_id)
    for shard in planned.shards:
        build(conn, model, planned.snapshot_id, shard)
    finish(conn, model, planned.snapshot_id, now)
    return planned.snapshot_id


def read(conn: Connection, model: AnyModel, snapshot_id: int, shard: int) -> None:
    """Read the facts of a shard, and keep what follows from them; replaces what was kept.

    What ``share`` keeps with the shard stays: another run may be building from it.
    """
    found, line, waited = _held(conn, model, snapshot_id, shard)
    if line is None:
        return
    if waited and conn.scalar(select(func.count()).where(_part_of(snapshot_id, shard))):
        return
    write_part(conn, snapshot_id, shard, model.night.part(conn, span_of(found, line, model)))


def share(conn: Connection, model: AnyModel, snapshot_id: int) -> None:
    """Make what all shards have in common, once all are read; replaces what there was.

    Raises ``NotReady`` where one is not, and what ``Nightly.shared`` raises.
    """
    found = _unfinished(conn, model, snapshot_id, lock=True)
    if found is None:
        return
    numbers = conn.scalars(select(shards.c.shard).where(_of(snapshot_id)).order_by(shards.c.shard))
    kept = Parts(conn, snapshot_id, list(numbers)) if model.night.in_parts else ()
    shared = model.night.shared(conn, stored_as_of(found), found.options, kept)
    check_context(shared.context)
    conn.execute(delete(contexts).where(contexts.c.snapshot_id == snapshot_id))
    if shared.context:
        packed = arrays.pack(shared.context)
        conn.execute(insert(contexts).values(snapshot_id=snapshot_id, arrays=packed))
    for shard, part in enumerate(shared.of_parts):
        write_part(conn, snapshot_id, shard, part)
    conn.execute(delete(parts).where(_part_of(snapshot_id, _SHARED)))
    write_part(conn, snapshot_id, _SHARED, {"shared": np.array(True)})


def build(conn: Connection, model: AnyModel, snapshot_id: int, shard: int) -> int:
    """Write the rows of a shard, once what all share is there; replaces what there was.

    Returns how many. Raises ``NotReady`` where it is not, and ``ValueError`` where the model breaks
    its word.
    """
    found, line, waited = _held(conn, model, snapshot_id, shard)
    if line is None:
        return 0
    if waited and line.rows is not None:
        return int(line.rows)
    if not conn.scalar(select(func.count()).where(_part_of(snapshot_id, _SHARED))):
        raise _not_ready(model, found, "What its shards have in common is not made yet")
    nightly, day = model.night, found.business_date
    table = nightly.snapshot_table
    ensure_partition(conn, table, day)
    where = [table.c.business_date == day, table.c.snapshot_id == snapshot_id]
    within = [table.c.ordinal >= line.first]
    if line.entities is not None:
        within.append(table.c.ordinal < line.first + line.entities)
    conn.execute(delete(table).where(*where, *within))
    packed = conn.scalar(select(contexts.c.arrays).where(contexts.c.snapshot_id == snapshot_id))
    context = arrays.unpack(packed) if packed else {}
    checked, span = Checked(nightly, found.options), span_of(found, line, model)
    for batch in nightly.rows(conn, span, context, StoredPart(conn, snapshot_id, shard)):
        first = line.first + checked.rows
        checked.add(batch)
        copy_in(
            conn,
            table,
            {
                "business_date": _constant(np.datetime64(day, "D"), len(batch)),
                "snapshot_id": _constant(snapshot_id, len(batch)),
                **dict(zip(nightly.keys, batch.keys, strict=True)),
                "ordinal": np.arange(first, first + len(batch)),
                "features": pack(batch),
            },
        )
    if line.entities not in (None, checked.rows):
        raise ValueError(
            f"{model.name} made {checked.rows} rows of the {line.entities} entities of a shard"
        )
    conn.execute(
        update(shards).where(_of(snapshot_id), shards.c.shard == shard).values(rows=checked.rows)
    )
    return checked.rows


def finish(conn: Connection, model: AnyModel, snapshot_id: int, now: datetime) -> int:
    """Read all rows once, hash them, and say that the snapshot is whole; returns how many.

    Raises ``NotReady`` where shards are missing.
    """
    found = _unfinished(conn, model, snapshot_id, lock=True)
    if found is None:
        rows = conn.scalar(select(snapshots.c.rows).where(_is(snapshot_id)))
        return int(rows or 0)
    lines = conn.execute(
        select(func.sum(shards.c.rows), func.count().filter(shards.c.rows.is_(None))).where(
            _of(snapshot_id)
        )
    ).one()
    if lines[0] is None or lines[1]:
        raise _not_ready(model, found, f"{lines[1]} of its shards are not written")
    digest = Digest(model.night)
    for keys, packed in _stored(conn, model.night, found.business_date, snapshot_id):
        digest.add(keys, packed)
    if digest.rows != lines[0]:
        raise ValueError(f"{digest.rows} rows are stored of the {lines[0]} that were written")
    context = conn.scalar(select(contexts.c.arrays).where(contexts.c.snapshot_id == snapshot_id))
    conn.execute(
        update(snapshots)
        .where(_is(snapshot_id))
        .values(rows=digest.rows, sha256=digest.sha256(context or b""), finished_at=now)
    )
    conn.execute(delete(shards).where(_of(snapshot_id)))  # waits for whoever reads a shard again
    conn.execute(delete(parts).where(parts.c.snapshot_id == snapshot_id))
    return digest.rows


def _held(
    conn: Connection, model: AnyModel, snapshot_id: int, shard: int
) -> tuple[Row[Any], Row[Any] | None, bool]:
    """The snapshot, the line of a shard, which is ours until the transaction ends, and whether
    somebody else had it. No line where the snapshot is finished."""
    query = select(shards).where(_of(snapshot_id), shards.c.shard == shard)
    line = conn.execute(query.with_for_update(skip_locked=True)).first()
    waited = line is None
    if line is None:
        line = conn.execute(query.with_for_update()).first()
    found = _unfinished(conn, model, snapshot_id)
    if found is None:
        return conn.execute(select(snapshots).where(_is(snapshot_id))).one(), None, waited
    if line is None:
        raise _not_ready(model, found, f"It has no shard {shard} any more")
    return found, line, waited


def _unfinished(
    conn: Connection, model: AnyModel, snapshot_id: int, *, lock: bool = False
) -> Row[Any] | None:
    query = select(snapshots).where(_is(snapshot_id))
    found = conn.execute(query.with_for_update(key_share=True) if lock else query).one()
    if found.pruned_at is not None:
        raise _not_ready(model, found, "Retention took its rows")
    return found if found.finished_at is None else None


def _not_ready(model: AnyModel, found: Row[Any], what: str) -> NotReady:
    return NotReady(
        f"{what}: the snapshot of {model.name} for {found.business_date} is not finished.",
        remedy="Clear the run from the task that plans the snapshot on, or score the day again: "
        f"`daybreak score {model.name} --business-date {found.business_date}`.",
        model=model.name,
        business_date=found.business_date.isoformat(),
        snapshot_id=found.snapshot_id,
    )


def _stored(
    conn: Connection, nightly: Nightly, day: date, snapshot_id: int
) -> Iterator[tuple[list[Key], list[bytes]]]:
    """Keys and bytes of all rows by position, in binary, some at a time."""
    c = nightly.snapshot_table.c
    query = (
        select(*(c[name] for name in nightly.keys), c.features)
        .where(c.business_date == day, c.snapshot_id == snapshot_id)
        .order_by(c.ordinal)
    )
    compiled = query.compile(dialect=conn.dialect)
    conn.execute(text("SET LOCAL enable_seqscan = off"))  # by the index: nothing to sort
    with driver_of(conn).cursor(name="stored_rows") as cursor:
        cursor.execute(str(compiled).encode(), compiled.params, binary=True)
        while fetched := cursor.fetchmany(HASHED_AT_ONCE):
            yield [tuple(row[:-1]) for row in fetched], [row[-1] for row in fetched]
    conn.execute(text("SET LOCAL enable_seqscan TO DEFAULT"))


def _is(snapshot_id: int) -> Any:
    return snapshots.c.snapshot_id == snapshot_id


def _of(snapshot_id: int) -> Any:
    return shards.c.snapshot_id == snapshot_id


def _part_of(snapshot_id: int, shard: int) -> Any:
    return (parts.c.snapshot_id == snapshot_id) & (parts.c.shard == shard)


def _constant(value: Any, length: int) -> NDArray[Any]:
    return np.broadcast_to(np.asarray(value), length)
