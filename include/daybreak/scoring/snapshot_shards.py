"""Snapshots made in shards: planned, read, shared, built and finished, each step a transaction.

A step may run again, and leaves the same rows. A snapshot is unfinished, and nobody reads it, until
``finish`` has seen all of its rows. Runs that need the same one share it: a shard belongs to whom
holds its line, and who waited for that takes what is there.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from itertools import chain
from math import ceil
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import Connection, Row, delete, func, insert, select, text, update
from sqlalchemy.dialects.postgresql import insert as upsert

from daybreak.clock import AsOf
from daybreak.errors import NotReady
from daybreak.models import arrays
from daybreak.models.base import NO_OPTIONS, AnyModel, Key, Nightly, Options, Span
from daybreak.scoring.batch import MOST_SHARDS
from daybreak.scoring.snapshot_bytes import Checked, Digest, check_context, pack
from daybreak.scoring.snapshot_parts import Parts, StoredPart, write_part
from daybreak.scoring.snapshots import snapshot_layout, with_options
from daybreak.warehouse.bulk import copy_in
from daybreak.warehouse.engine import driver_of
from daybreak.warehouse.partitions import ensure_partition
from daybreak.warehouse.tables import snapshot as snapshots
from daybreak.warehouse.tables import snapshot_context as contexts
from daybreak.warehouse.tables import snapshot_part as parts
from daybreak.warehouse.tables import snapshot_shard as shards

ENTITIES_PER_SHARD = 2_000
HASHED_AT_ONCE = 2_000
_SHARED = -1
"""The ``shard`` of the mark that says that what all share is there."""


@dataclass(frozen=True)
class Planned:
    """A snapshot, and the numbers of its shards; none where it is finished.

    ``to_read``: those that have to be read first; none where the model has no parts.
    """

    snapshot_id: int
    shards: tuple[int, ...]
    to_read: tuple[int, ...]


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


def plan(
    conn: Connection,
    model: AnyModel,
    as_of: AsOf,
    now: datetime,
    options: Options = NO_OPTIONS,
    *,
    trained: Options = NO_OPTIONS,
    per_shard: int = ENTITIES_PER_SHARD,
) -> Planned:
    """Find the snapshot of a business date, or begin it, and cut its entities into shards.

    ``trained``: options that the version which is to score the day was trained with; they go
    before ``options``, and a day has a snapshot for each such set. The same model, date, cutoff,
    layout and ``trained`` give the id that is there already, with the options that it was built
    with: a day that is scored again does not change with the settings. One whose rows retention
    took is made again; one that is unfinished is gone on with, unless its entities are others by
    now. Raises what ``Nightly.entities`` raises.
    """
    identity = {
        "model": model.name,
        "business_date": as_of.business_date,
        "cutoff": as_of.cutoff,
        "layout": with_options(snapshot_layout(model), trained),
    }
    unwritten = {
        **{"rows": 0, "sha256": "", "built_at": now},
        **{"pruned_at": None, "finished_at": None, "options": {**options, **trained}},
    }
    conn.execute(
        upsert(snapshots)
        .values(**identity, **unwritten)
        .on_conflict_do_update(  # one whose rows went is written again, under the id it had
            constraint="snapshot_once", set_=unwritten, where=snapshots.c.pruned_at.is_not(None)
        )
    )
    same = [snapshots.c[name] == value for name, value in identity.items()]
    found = conn.execute(select(snapshots).where(*same).with_for_update(key_share=True)).one()
    number = int(found.snapshot_id)
    if found.finished_at is not None:
        return Planned(number, (), ())
    cut = [*_cut(model.night.entities(conn, as_of, found.options), per_shard)]
    stored = [*_stored_keys(conn, number)]
    if not stored or b"".join(stored) != b"".join(keys for _, keys in cut):
        if stored:
            _forget(conn, model, found)
        _write_plan(conn, number, cut)
    conn.execute(update(snapshots).where(_is(number)).values(built_at=now))  # for retention
    ids = tuple(conn.scalars(select(shards.c.shard).where(_of(number)).order_by(shards.c.shard)))
    return Planned(number, ids, ids if model.night.in_parts else ())


def read(conn: Connection, model: AnyModel, snapshot_id: int, shard: int) -> None:
    """Read the facts of a shard, and keep what follows from them; replaces what was kept.

    What ``share`` keeps with the shard stays: another run may be building from it.
    """
    found, line, waited = _held(conn, model, snapshot_id, shard)
    if line is None:
        return
    if waited and conn.scalar(select(func.count()).where(_part_of(snapshot_id, shard))):
        return
    write_part(conn, snapshot_id, shard, model.night.part(conn, _span(found, line, model)))


def share(conn: Connection, model: AnyModel, snapshot_id: int) -> None:
    """Make what all shards have in common, once all are read; replaces what there was.

    Raises ``NotReady`` where one is not, and what ``Nightly.shared`` raises.
    """
    found = _unfinished(conn, model, snapshot_id, lock=True)
    if found is None:
        return
    numbers = conn.scalars(select(shards.c.shard).where(_of(snapshot_id)).order_by(shards.c.shard))
    kept = Parts(conn, snapshot_id, list(numbers)) if model.night.in_parts else ()
    shared = model.night.shared(conn, _stored_as_of(found), found.options, kept)
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
    checked, span = Checked(nightly, found.options), _span(found, line, model)
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


def _cut(entities: Iterator[Key] | None, per_shard: int) -> Iterator[tuple[int | None, bytes]]:
    """Shards of ``per_shard`` entities, of more where ``MOST_SHARDS`` would not do."""
    if entities is None:
        yield None, b""
        return
    runs: list[tuple[int, bytes]] = []
    run: list[Key] = []
    for key in entities:
        run.append(key)
        if len(run) == per_shard:
            runs.append(_run(run))
            run = []
    if run:
        runs.append(_run(run))
    size = max(1, ceil(len(runs) / MOST_SHARDS))
    for first in range(0, len(runs), size):
        sizes, keys = zip(*runs[first : first + size], strict=True)
        yield sum(sizes), b"".join(keys)


def _run(keys: Sequence[Key]) -> tuple[int, bytes]:
    return len(keys), "".join(f"{name}\0" for name in chain.from_iterable(keys)).encode()


def _write_plan(
    conn: Connection, snapshot_id: int, cut: Sequence[tuple[int | None, bytes]]
) -> None:
    first = 0
    for shard, (entities, keys) in enumerate(cut):
        conn.execute(
            insert(shards).values(
                snapshot_id=snapshot_id, shard=shard, first=first, entities=entities, keys=keys
            )
        )
        first += entities or 0


def _stored_keys(conn: Connection, snapshot_id: int) -> Iterator[bytes]:
    query = select(shards.c["keys"]).where(_of(snapshot_id)).order_by(shards.c.shard)
    yield from conn.scalars(query)


def _forget(conn: Connection, model: AnyModel, found: Row[Any]) -> None:
    table = model.night.snapshot_table
    conn.execute(delete(parts).where(parts.c.snapshot_id == found.snapshot_id))
    conn.execute(delete(shards).where(_of(found.snapshot_id)))
    conn.execute(delete(contexts).where(contexts.c.snapshot_id == found.snapshot_id))
    conn.execute(
        delete(table).where(
            table.c.business_date == found.business_date, table.c.snapshot_id == found.snapshot_id
        )
    )


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


def _span(found: Row[Any], line: Row[Any], model: AnyModel) -> Span:
    as_of = _stored_as_of(found)
    if line.entities is None:
        return Span(as_of, found.options)
    names = line._mapping["keys"].decode().split("\0")[:-1]
    width = len(model.keys)
    return Span(as_of, found.options, tuple(_objects(names[at::width]) for at in range(width)))


def _stored_as_of(found: Row[Any]) -> AsOf:
    """The bound on both clocks that the snapshot was planned with."""
    return AsOf(found.business_date, found.cutoff)


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


def _objects(names: list[str]) -> NDArray[np.object_]:
    return np.array([*names, None], object)[:-1]


def _constant(value: Any, length: int) -> NDArray[Any]:
    return np.broadcast_to(np.asarray(value), length)
