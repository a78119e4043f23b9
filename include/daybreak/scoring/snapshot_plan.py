"""Which snapshot a run needs, and how its entities are cut into shards."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import chain
from math import ceil
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import Connection, Row, delete, insert, select, update
from sqlalchemy.dialects.postgresql import insert as upsert

from daybreak.clock import AsOf
from daybreak.facts.scores import published_at
from daybreak.ledger.upstream import record_upstream
from daybreak.models.base import NO_OPTIONS, AnyModel, Key, Options, Span
from daybreak.scoring.batch import MOST_SHARDS
from daybreak.scoring.snapshots import snapshot_layout, with_options
from daybreak.warehouse.tables import snapshot as snapshots
from daybreak.warehouse.tables import snapshot_context as contexts
from daybreak.warehouse.tables import snapshot_part as parts
from daybreak.warehouse.tables import snapshot_shard as shards

ENTITIES_PER_SHARD = 2_000


@dataclass(frozen=True)
class Planned:
    """A snapshot, and the numbers of its shards; none where it is finished.

    ``to_read``: those that have to be read first; none where the model has no parts.
    """

    snapshot_id: int
    shards: tuple[int, ...]
    to_read: tuple[int, ...]


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
    record_upstream(conn, number, _stands_on(conn, model, as_of))
    cut = [*_cut(model.night.entities(conn, as_of, found.options), per_shard)]
    stored = [*_stored_keys(conn, number)]
    if not stored or b"".join(stored) != b"".join(keys for _, keys in cut):
        if stored:
            _forget(conn, model, found)
        _write_plan(conn, number, cut)
    conn.execute(
        update(snapshots).where(snapshots.c.snapshot_id == number).values(built_at=now)
    )  # for retention
    ids = tuple(
        conn.scalars(
            select(shards.c.shard).where(shards.c.snapshot_id == number).order_by(shards.c.shard)
        )
    )
    return Planned(number, ids, ids if model.night.in_parts else ())


def span_of(found: Row[Any], line: Row[Any], model: AnyModel) -> Span:
    """The entities of a shard, by the lines of the snapshot and of the shard."""
    as_of = stored_as_of(found)
    if line.entities is None:
        return Span(as_of, found.options)
    names = line._mapping["keys"].decode().split("\0")[:-1]
    width = len(model.keys)
    return Span(as_of, found.options, tuple(_objects(names[at::width]) for at in range(width)))


def stored_as_of(found: Row[Any]) -> AsOf:
    """The bound on both clocks that the snapshot was planned with."""
    return AsOf(found.business_date, found.cutoff)


def _stands_on(conn: Connection, model: AnyModel, as_of: AsOf) -> list[int]:
    """The generations that its facts of other models are read from."""
    day, cutoff = as_of.business_date, as_of.cutoff
    found = (published_at(conn, one.model, day, cutoff) for one in model.inputs)
    return [one for one in found if one is not None]


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
    query = (
        select(shards.c["keys"]).where(shards.c.snapshot_id == snapshot_id).order_by(shards.c.shard)
    )
    yield from conn.scalars(query)


def _forget(conn: Connection, model: AnyModel, found: Row[Any]) -> None:
    table = model.night.snapshot_table
    conn.execute(delete(parts).where(parts.c.snapshot_id == found.snapshot_id))
    conn.execute(delete(shards).where(shards.c.snapshot_id == found.snapshot_id))
    conn.execute(delete(contexts).where(contexts.c.snapshot_id == found.snapshot_id))
    conn.execute(
        delete(table).where(
            table.c.business_date == found.business_date, table.c.snapshot_id == found.snapshot_id
        )
    )


def _objects(names: list[str]) -> NDArray[np.object_]:
    return np.array([*names, None], object)[:-1]
