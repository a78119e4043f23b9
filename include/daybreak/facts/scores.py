"""Published scores of other models, bounded by both clocks."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from types import MappingProxyType
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import (
    ARRAY,
    BigInteger,
    Column,
    ColumnElement,
    Connection,
    Double,
    Integer,
    Row,
    Select,
    SmallInteger,
    Table,
    Text,
    and_,
    bindparam,
    collate,
    exists,
    func,
    not_,
    select,
    tuple_,
    union,
)

from daybreak.clock import AsOf
from daybreak.errors import NoData, NotFound
from daybreak.warehouse.bulk import copy_out
from daybreak.warehouse.tables import generation as generations


@dataclass(frozen=True)
class Scores:
    """Published rows of a model, in the order of their key.

    ``columns``: (m,) by column of the score table, without date, generation and shard.
    """

    model: str
    generation_id: int
    columns: dict[str, NDArray[Any]]


ROWS_AT_ONCE = 50_000
"""What is held as Python objects at a time: a row of eight columns takes 400 bytes as such."""

NOTHING: Mapping[str, Any] = MappingProxyType({})
Columns: TypeAlias = dict[str, NDArray[Any]]

_NOT_SCORES = frozenset({"business_date", "generation_id", "shard"})


def published_since(
    conn: Connection, model: str, business_date: date, moment: datetime
) -> datetime | None:
    """The first moment from ``moment`` on at which scores of a business date are published that
    nobody has withdrawn until now.

    What was rolled back is known to be wrong, so nothing is to be made from it again; what was
    superseded was right for its time. None where there has been no such moment.
    """
    c = generations.c
    of_day = (c.model == model, c.business_date == business_date)
    withdrawn = c.state == "rolled_back"
    changes = union(
        select(c.published_at.label("moment")).where(*of_day, c.published_at > moment),
        select(c.ended_at).where(*of_day, withdrawn, c.ended_at > moment),
    ).subquery()
    later: list[datetime] = [*conn.scalars(select(changes.c.moment).order_by(changes.c.moment))]
    for at in [moment, *later]:
        found = conn.execute(_in_force(model, business_date, at)).one_or_none()
        if found is not None and found.state != "rolled_back":
            return at
    return None


def published_at(conn: Connection, model: str, business_date: date, moment: datetime) -> int | None:
    """The generation of a business date that was published at ``moment``; None: none was."""
    found = conn.execute(_in_force(model, business_date, moment)).one_or_none()
    return None if found is None else int(found.generation_id)


def read_scores(
    conn: Connection,
    model: str,
    table: Table,
    as_of: AsOf,
    columns: Sequence[str] = (),
    *,
    only: Mapping[str, Any] = NOTHING,
) -> Scores:
    """All rows of a business date, of the generation that was published at the cutoff.

    ``table``: the score table of ``model``. ``columns``: what of it is read; by default all.
    ``only``: rows that have these values, by column. Without texts it is many times as fast. Rows
    are in the order of its key, text compared as bytes, which is the order of a snapshot. Raises
    ``NoData`` where nothing was published, and where the rows of what was are no longer kept:
    another generation would give other numbers.
    """
    day = as_of.business_date
    found = conn.execute(_in_force(model, day, as_of.cutoff)).one_or_none()
    if found is None:
        raise NoData(
            f"No scores of {model} for {day} were published by {as_of.cutoff.isoformat()}.",
            remedy=f"Score it first: `daybreak score {model} --business-date {day}`.",
            model=model,
            business_date=day.isoformat(),
        )
    if found.swept_at is not None:
        raise NoData(
            f"The scores of {model} for {day} that were published at {as_of.cutoff.isoformat()} "
            f"(generation {found.generation_id}) were deleted on {found.swept_at:%Y-%m-%d}.",
            remedy="Score the day with what is published now: `--knowledge latest`.",
            model=model,
            business_date=day.isoformat(),
        )
    generation_id = int(found.generation_id)
    shown = [table.c[name] for name in columns] or _shown(table)
    query = _rows(table, day, generation_id, shown, only)
    return Scores(model, generation_id, _columns(conn, query, shown))


def _columns(conn: Connection, query: Select[Any], shown: Sequence[Column[Any]]) -> Columns:
    """All rows of ``query``, whose columns are ``shown``."""
    kinds = {column.name: _dtype(column.type.python_type) for column in shown}
    if object in kinds.values() or any(column.nullable for column in shown):
        texts: dict[str, str] = {}
        found = conn.execute(query.execution_options(yield_per=ROWS_AT_ONCE)).partitions()
        parts = [_arrays(shown, rows, texts) for rows in found] or [_arrays(shown, [], texts)]
        return {name: np.concatenate([part[name] for part in parts]) for name in kinds}
    dtype = np.dtype([(column.name, _wire(column)) for column in shown])
    rows = np.concatenate([np.empty(0, dtype), *copy_out(conn, query, dtype)])
    return {name: rows[name].astype(kind) for name, kind in kinds.items()}


def _in_force(model: str, business_date: date, moment: datetime) -> Select[Any]:
    """The generation that was published at a moment.

    It is the one published last, of those that no rollback had withdrawn by then: a rollback leads
    to the one before, which keeps the moment at which it was first published.
    """
    c = generations.c
    withdrawn = and_(c.state == "rolled_back", c.ended_at <= moment)
    return (
        select(c.generation_id, c.swept_at, c.state)
        .where(
            c.model == model,
            c.business_date == business_date,
            c.published_at <= moment,
            not_(withdrawn),
        )
        .order_by(c.published_at.desc(), c.generation_id.desc())
        .limit(1)
    )


def read_entity_scores(
    conn: Connection,
    table: Table,
    business_date: date,
    generation_id: int,
    key: dict[str, str],
) -> dict[str, NDArray[Any]]:
    """The rows of one entity in a generation.

    Raises ``NotFound``, naming the part of the key at fault, where it has none.
    """
    shown = _shown(table)
    query = _rows(table, business_date, generation_id, shown, key)
    columns = _arrays(shown, conn.execute(query).all(), {})
    if len(next(iter(columns.values()))):
        return columns
    named = ", ".join(f"{name.removesuffix('_id')} {value!r}" for name, value in key.items())
    raise NotFound(
        f"Nothing is published of {named} on {business_date}.",
        remedy="Only what had facts by the published business date has scores.",
        field=_unknown(conn, table, business_date, generation_id, key),
        **key,
    )


def read_entities_scores(
    conn: Connection,
    table: Table,
    business_date: date,
    generation_id: int,
    keys: Mapping[str, Sequence[str]],
) -> dict[str, NDArray[Any]]:
    """The rows of some entities in a generation; those that it does not have are left out.

    ``keys``: by column, of each entity.
    """
    shown = _shown(table)
    wanted = select(
        *(
            func.unnest(bindparam(f"key_{name}", list(values), type_=ARRAY(Text)))
            for name, values in keys.items()
        )
    )
    query = _rows(table, business_date, generation_id, shown, {}).where(
        tuple_(*(table.c[name] for name in keys)).in_(wanted)
    )
    return _arrays(shown, conn.execute(query).all(), {})


def _unknown(
    conn: Connection, table: Table, business_date: date, generation_id: int, key: dict[str, str]
) -> str:
    """The first part of the key that no row has; where each exists alone, the last one."""
    rows = _of_generation(table, business_date, generation_id)
    for name, value in key.items():
        if not conn.scalar(select(exists().where(*rows, table.c[name] == value))):
            return name
    return list(key)[-1]


def _shown(table: Table) -> list[Column[Any]]:
    return [column for column in table.columns if column.name not in _NOT_SCORES]


def _rows(
    table: Table,
    business_date: date,
    generation_id: int,
    shown: Sequence[Column[Any]],
    key: Mapping[str, Any],
) -> Select[Any]:
    return (
        select(*shown)
        .where(
            *_of_generation(table, business_date, generation_id),
            *(table.c[name] == value for name, value in key.items()),
        )
        .order_by(*map(_bytewise, table.primary_key.columns))
    )


def _arrays(
    shown: Sequence[Column[Any]], rows: Sequence[Row[Any]], texts: dict[str, str]
) -> dict[str, NDArray[Any]]:
    """Rows as columns. ``texts``: those seen, so that a key of many rows is held once."""
    by_column: Sequence[Sequence[Any]] = list(zip(*rows, strict=True)) or [()] * len(shown)
    arrays = {}
    for column, values in zip(shown, by_column, strict=True):
        dtype = _dtype(column.type.python_type)
        kept = [texts.setdefault(text, text) for text in values] if dtype is object else values
        arrays[column.name] = np.array(kept, dtype)
    return arrays


def _of_generation(
    table: Table, business_date: date, generation_id: int
) -> list[ColumnElement[bool]]:
    return [table.c.business_date == business_date, table.c.generation_id == generation_id]


def _bytewise(column: Column[Any]) -> ColumnElement[Any]:
    """A key column compared as bytes, whatever the collation of the database."""
    return collate(column, "C") if isinstance(column.type, Text) else column


def _wire(column: Column[Any]) -> Any:
    """What the server sends of a column that holds no text."""
    for kind, dtype in ((SmallInteger, "i2"), (BigInteger, "i8"), (Integer, "i4"), (Double, "f8")):
        if isinstance(column.type, kind):
            return dtype
    return {float: "f4", date: "M8[D]", bool: np.bool_}[column.type.python_type]


def _dtype(kind: type) -> Any:
    return {float: np.float32, int: np.int64, date: "M8[D]", bool: np.bool_}.get(kind, object)
