"""Snapshots: the feature rows of one model and business day, read by both paths."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import date
from functools import lru_cache
from typing import Any

from sqlalchemy import (
    ARRAY,
    Connection,
    Select,
    Table,
    Text,
    bindparam,
    exists,
    func,
    select,
    tuple_,
)

from daybreak.errors import NotFound, NotReady
from daybreak.ledger.states import Generation
from daybreak.models import arrays
from daybreak.models.base import AnyModel, Day, Options, SnapshotRows
from daybreak.scoring.snapshot_bytes import unpack
from daybreak.warehouse.engine import driver_of
from daybreak.warehouse.tables import snapshot as snapshots
from daybreak.warehouse.tables import snapshot_context as contexts

KNOWN = "Only what had facts by the published business date can be scored."
"""What to do about an entity that is unknown."""


def read_day(conn: Connection, model: AnyModel, snapshot_id: int) -> Day:
    """What the rows of a snapshot share; the context is empty where its model keeps nothing.

    Raises ``NotReady`` where code with another layout wrote the snapshot (its rows and arrays
    would be read in the wrong places), where its rows went, and while shards are missing.
    """
    both = snapshots.outerjoin(contexts, contexts.c.snapshot_id == snapshots.c.snapshot_id)
    c = snapshots.c
    columns = (c.layout, c.business_date, c.pruned_at, c.finished_at, c.options)
    query = select(*columns, contexts.c.arrays)
    found = conn.execute(
        query.select_from(both).where(snapshots.c.snapshot_id == snapshot_id)
    ).one()
    fault = None
    if found.layout.partition("+")[0] != snapshot_layout(model):
        fault = "was laid out by another release than this one"
    elif found.pruned_at is not None:
        fault = "is older than those that are kept"
    elif found.finished_at is None:
        fault = "is not finished: shards are missing"
    if fault:
        raise NotReady(
            f"The snapshot of {model.name} for {found.business_date} {fault}.",
            remedy="Score the day again: "
            f"`daybreak score {model.name} --business-date {found.business_date}`.",
            model=model.name,
            business_date=found.business_date.isoformat(),
            snapshot_id=snapshot_id,
        )
    context = arrays.unpack(found.arrays) if found.arrays else {}
    return Day(found.business_date, context, found.options)


def day_of(conn: Connection, model: AnyModel, generation: Generation) -> Day:
    """What the rows of a generation share. Raises ``NotReady`` as ``read_day`` does."""
    return replace(read_day(conn, model, generation.snapshot_id), terms=generation.terms)


def read_snapshot(
    conn: Connection, model: AnyModel, snapshot_id: int, first: int, last: int
) -> SnapshotRows:
    """The rows at positions ``first`` to ``last - 1`` in key order."""
    query = _range_query(model.night.snapshot_table, model.keys)
    compiled = str(query.compile(dialect=conn.dialect)).encode()
    asked = {"snapshot_id": snapshot_id, "first": first, "last": last}
    with driver_of(conn).cursor(binary=True) as cursor:  # as text, bytes take twice the space
        found = cursor.execute(compiled, asked).fetchall()
    return _snapshot_rows(model, found)


def read_entity(
    conn: Connection, model: AnyModel, snapshot_id: int, business_date: date, key: tuple[str, ...]
) -> SnapshotRows:
    """The one row (n=1) of an entity. Raises ``NotFound`` naming the part of the key at fault."""
    query = _entity_query(model.night.snapshot_table, model.keys)
    address = {"snapshot_id": snapshot_id, "business_date": business_date}
    row = conn.execute(query, address | dict(zip(model.keys, key, strict=True))).first()
    if row is None:
        raise _unknown(conn, model, address, key)
    return _snapshot_rows(model, [row])


def read_entities(
    conn: Connection,
    model: AnyModel,
    snapshot_id: int,
    business_date: date,
    keys: Sequence[tuple[str, ...]],
) -> dict[tuple[str, ...], SnapshotRows]:
    """The rows of some entities, one row (n=1) each, by key; those that have none are left out."""
    query = _entities_query(model.night.snapshot_table, model.keys)
    address = {"snapshot_id": snapshot_id, "business_date": business_date}
    columns = map(list, zip(*keys, strict=True))
    rows = conn.execute(query, address | dict(zip(model.keys, columns, strict=True))).all()
    return {tuple(row[:-1]): _snapshot_rows(model, [row]) for row in rows}


def snapshot_layout(model: AnyModel) -> str:
    """The layout of the snapshots that this code makes of a model with no options set, as
    ``ops.snapshot`` has it."""
    nightly = model.night
    return layout_hash(nightly.layout() + nightly.record_layout() + nightly.context_layout())


def with_options(layout: str, trained: Options) -> str:
    """The layout, and what tells apart days that were built with other numbers."""
    if not trained:
        return layout
    return f"{layout}+{layout_hash(f'{name}={trained[name]:g}' for name in sorted(trained))}"


def layout_hash(layout: Iterable[str]) -> str:
    """Sixteen hex digits that change when a value is added, renamed or moved."""
    return hashlib.sha256("\n".join(layout).encode()).hexdigest()[:16]


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


@lru_cache(maxsize=64)
def _entities_query(table: Table, keys: tuple[str, ...]) -> Select[Any]:
    c = table.c
    wanted = select(*(func.unnest(bindparam(name, type_=ARRAY(Text))) for name in keys))
    return select(*(c[name] for name in keys), c.features).where(
        *(c[name] == bindparam(name) for name in ("business_date", "snapshot_id")),
        tuple_(*(c[name] for name in keys)).in_(wanted),
    )


def _snapshot_rows(model: AnyModel, rows: Iterable[Sequence[Any]]) -> SnapshotRows:
    *keys, packed = [*zip(*rows, strict=True)] or [()] * (len(model.keys) + 1)
    return unpack(model.night, keys, packed)


def _unknown(
    conn: Connection, model: AnyModel, address: dict[str, Any], key: tuple[str, ...]
) -> NotFound:
    """The part of the key that no row has; where each exists alone, the last one."""
    c = model.night.snapshot_table.c
    snapshot = [c[name] == value for name, value in address.items()]
    given = dict(zip(model.keys, key, strict=True))
    unknown = [
        name
        for name, value in given.items()
        if not conn.scalar(select(exists().where(*snapshot, c[name] == value)))
    ]
    name = unknown[0] if unknown else model.keys[-1]
    others = "" if unknown else " together with the rest of the key"
    return NotFound(
        f"The {name.removesuffix('_id')} {given[name]!r} is unknown{others} on "
        f"{address['business_date']}.",
        remedy=KNOWN,
        field=name,
        **given,
    )
