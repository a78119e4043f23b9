"""The rules that a staged generation has to keep before it is published."""

from __future__ import annotations

from collections.abc import Sequence
from functools import reduce
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import (
    REAL,
    Column,
    ColumnElement,
    Connection,
    Date,
    SmallInteger,
    Subquery,
    Table,
    Text,
    func,
    literal,
    select,
    text,
)

from daybreak.errors import AuditFailed
from daybreak.ledger.generations import Generation
from daybreak.models.base import AnyModel, Day
from daybreak.scoring.snapshots import day_of, read_snapshot
from daybreak.warehouse.bulk import copy_out
from daybreak.warehouse.packed import AT_ONCE, Field, Packing, stream_bytes

ENTITIES_AT_ONCE = 2_000
"""Snapshot rows that are read in one go."""

BYTES_AT_ONCE = 1 << 20

ENTITY = "entity"
"""Among the columns that a model audits: which rows belong to one entity."""

_KINDS = {REAL: "f4", SmallInteger: "i2", Date: "M8[D]"}


class Counted(NamedTuple):
    """Entities by hash, int64 (n,), ascending, and the rows of each, int64 (n,)."""

    entity: NDArray[np.int64]
    rows: NDArray[np.int64]

    def of(self, entity: NDArray[np.int64]) -> NDArray[np.int64]:
        """The rows of these, int64 (m,); none of an entity that is not there."""
        if not len(self.entity):
            return np.zeros(len(entity), np.int64)
        place = np.minimum(np.searchsorted(self.entity, entity), len(self.entity) - 1)
        return np.where(self.entity[place] == entity, self.rows[place], 0)


def audit_generation(conn: Connection, model: AnyModel, generation: Generation) -> int:
    """Check all rows of a generation and return how many there are.

    Every entity of the snapshot has its full number of rows and no other has any; every score
    is finite; and the model's own rules hold. Streams: memory does not grow with the rows, but by
    24 bytes an entity.
    Raises ``AuditFailed`` naming each rule that is broken, and ``NotReady`` where the snapshot
    is of a release that lays it out otherwise.
    """
    day = day_of(conn, model, generation)
    counted, broken = _check_rows(conn, model, generation, day)
    broken |= _check_complete(conn, model, generation, day, counted)
    broken |= _check_queries(conn, model, generation)
    if broken:
        listing = "; ".join(sorted(broken))
        raise AuditFailed(
            f"Generation {generation.generation_id} of {model.name} for "
            f"{generation.business_date} breaks {len(broken)} rule(s): {listing}.",
            remedy="Nothing was published; the last good generation stays. See the runbook.",
            generation_id=generation.generation_id,
            business_date=generation.business_date.isoformat(),
            rules=sorted(broken),
        )
    return int(counted.rows.sum())


def _check_rows(
    conn: Connection, model: AnyModel, generation: Generation, day: Day
) -> tuple[Counted, set[str]]:
    """The rows come packed, an entity's as one value: a row fetched takes a microsecond."""
    table = model.night.score_table
    packing = Packing({column.name: _field(column) for column in _checked(table, model.keys)})
    keys = [table.c[name] for name in model.keys]
    columns: list[ColumnElement[Any]] = [hash_of(*keys), packing.aggregate()]
    query = select(*columns).where(*_of_generation(model, generation)).group_by(*keys)
    nothing = np.empty(0, np.int64)
    counted, broken = [(nothing, nothing)], set[str]()
    # By the primary key, so that the server holds one entity at a time.
    for setting in ("enable_hashagg", "enable_sort"):
        conn.execute(text(f"SET LOCAL {setting} = off"))
    for groups in stream_bytes(conn, query, BYTES_AT_ONCE, AT_ONCE):
        found = packing.unpack(groups)
        entities = np.array([group.key[0] for group in groups], np.int64)
        counted.append((entities, np.bincount(found.group, minlength=len(groups))))
        fields = {
            name: values.astype("M8[D]") if isinstance(table.c[name].type, Date) else values
            for name, values in found.columns.items()
        }
        broken |= {
            f"{name} is not finite"
            for name, values in fields.items()
            if values.dtype == np.float32 and not np.isfinite(values).all()
        }
        broken |= set(model.night.audit({ENTITY: found.group} | fields, day))
    for setting in ("enable_hashagg", "enable_sort"):
        conn.execute(text(f"SET LOCAL {setting} TO DEFAULT"))
    entity, rows = (np.concatenate(part) for part in zip(*counted, strict=True))
    order = np.argsort(entity)
    return Counted(entity[order], rows[order]), broken


def rows_of(model: AnyModel, generation: Generation) -> Subquery:
    """The rows of a generation, as ``scored``."""
    rows = select(model.night.score_table).where(*_of_generation(model, generation))
    return rows.subquery("scored")


def _check_queries(conn: Connection, model: AnyModel, generation: Generation) -> set[str]:
    scored = rows_of(model, generation)
    # The rows are minutes old and PostgreSQL has no statistics of them: it expects one row, picks
    # a nested loop, and takes 45 s where a hash join takes 0.3 s (106,540 rows of Online Retail).
    conn.execute(text("SET LOCAL enable_nestloop = off"))
    counts = {
        rule: conn.scalar(query) or 0 for rule, query in model.night.audit_queries(scored).items()
    }
    conn.execute(text("SET LOCAL enable_nestloop TO DEFAULT"))
    return {f"{rule} ({count:,} times)" for rule, count in counts.items() if count}


def _check_complete(
    conn: Connection, model: AnyModel, generation: Generation, day: Day, counted: Counted
) -> set[str]:
    """Hashes of the keys are compared, so that the server need not group and join all rows again.

    A row under a wrong key passes where its hash is that of an entity: one in 2^64 / entities.
    """
    entity = _entities(conn, model, generation)
    wanted = _rows_wanted(conn, model, generation, day, len(entity))
    broken = set()
    if (rows := counted.rows.sum()) != (expected := wanted.sum()):
        broken.add(f"{rows} rows instead of the {expected} of {len(entity)} entities")
    if incomplete := np.count_nonzero(counted.of(entity) != wanted):
        broken.add(f"{incomplete} entities do not have their own number of rows")
    return broken


def _entities(conn: Connection, model: AnyModel, generation: Generation) -> NDArray[np.int64]:
    """Hashes of the snapshot's keys by ordinal, int64 (n,)."""
    snapshot = model.night.snapshot_table.c
    query = (
        select(hash_of(*(snapshot[name] for name in model.keys)).label("entity"))
        .where(
            snapshot.business_date == generation.business_date,
            snapshot.snapshot_id == generation.snapshot_id,
        )
        .order_by(snapshot.ordinal)
    )
    dtype = np.dtype([("entity", "i8")])
    return np.concatenate([np.empty(0, dtype), *copy_out(conn, query, dtype)])["entity"]


def _rows_wanted(
    conn: Connection, model: AnyModel, generation: Generation, day: Day, entities: int
) -> NDArray[np.int64]:
    """How many rows each entity of the snapshot should have, int64 (n,)."""
    each = model.night.rows_per_entity(day)
    if isinstance(each, int):
        return np.full(entities, each)
    starts = range(0, entities, ENTITIES_AT_ONCE)
    parts = (
        read_snapshot(
            conn, model, generation.snapshot_id, start, min(start + ENTITIES_AT_ONCE, entities)
        )
        for start in starts
    )
    return np.concatenate([np.empty(0, np.int64), *map(each, parts)])


def _of_generation(model: AnyModel, generation: Generation) -> list[Any]:
    scored = model.night.score_table.c
    return [
        scored.business_date == generation.business_date,
        scored.generation_id == generation.generation_id,
    ]


def hash_of(*texts: ColumnElement[Any]) -> ColumnElement[int]:
    """A 64-bit hash of texts that are never NULL; that of one is the seed for the next."""
    return reduce(lambda seed, one: func.hashtextextended(one, seed), texts, literal(0))


def _checked(table: Table, keys: Sequence[str]) -> list[Column[Any]]:
    """What is scored, and what tells the rows of an entity apart."""
    known = {*keys, "business_date"}
    kinds = (*_KINDS, Text)
    return [one for one in table.columns if type(one.type) in kinds and one.name not in known]


def _field(column: Column[Any]) -> Field:
    if isinstance(column.type, Text):
        return Field(hash_of(func.coalesce(column, "")), "i8")
    return Field(column, _KINDS[type(column.type)])
