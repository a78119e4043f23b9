"""What all sections share when staged rows are merged with what the warehouse has."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Connection,
    DateTime,
    FromClause,
    Interval,
    Row,
    Select,
    Subquery,
    Table,
    Text,
    cast,
    delete,
    func,
    insert,
    literal,
    select,
    tuple_,
    type_coerce,
)
from sqlalchemy.dialects.postgresql import JSONB, distinct_on

from daybreak.sources.contract.calendar import Calendar
from daybreak.sources.merging.knowledge import Knowledge
from daybreak.sources.merging.staging import ROW
from daybreak.sources.parsing.tally import BadRow, Tally
from daybreak.warehouse.tables import Instant, day_closed

MOMENT = literal(timedelta(microseconds=1), Interval)
_BEFORE_ALL = datetime(1, 1, 2, tzinfo=UTC)
REPEATED = "repeats the key of an earlier row"


@dataclass(frozen=True)
class Merge:
    """The load that staged rows belong to, and the table that they go to.

    ``through``: the last date to load, None for all.
    """

    conn: Connection
    load_id: int
    target: Table
    knowledge: Knowledge
    calendar: Calendar
    tally: Tally
    through: date | None = None


@dataclass(frozen=True)
class Merged:
    """New rows in the section's own table, in ``raw.plan``, and the dates they cover."""

    loaded: int
    planned: int = 0
    first_date: date | None = None
    last_date: date | None = None


def append(conn: Connection, table: Table, columns: Sequence[str], query: Select[Any]) -> int:
    """``INSERT ... SELECT``; the number of rows that it added."""
    statement = insert(table).from_select(list(columns), query)
    # Without the option SQLAlchemy does not ask the driver how many rows an INSERT made.
    return conn.execute(statement.execution_options(preserve_rowcount=True)).rowcount


def key_columns(table: FromClause, names: Sequence[str]) -> list[ColumnElement[Any]]:
    """The columns of those names."""
    return [table.c[name] for name in names]


def newest(table: Table, keys: Sequence[str], *where: ColumnElement[bool]) -> Subquery:
    """The row of each key that was loaded last: a correction replaces the row as a whole."""
    columns = key_columns(table, keys)
    return (
        select(table)
        .where(*where)
        .ext(distinct_on(*columns))
        .order_by(*columns, table.c.loaded_at.desc(), table.c.load_id.desc())
        .subquery("known")
    )


def later(known_at: ColumnElement[Any], known: FromClause) -> ColumnElement[Any]:
    """``known_at``, but always after the row that it replaces (greatest() skips nulls)."""
    return func.greatest(known_at, known.c.loaded_at + MOMENT)


def differs(new: Sequence[ColumnElement[Any]], old: Sequence[ColumnElement[Any]]) -> Any:
    """Whether two rows differ in any value; null equals null."""
    return func.row(*new).is_distinct_from(func.row(*old))


def covariates_json(source: FromClause, names: Sequence[str]) -> ColumnElement[Any]:
    """Extra covariates as one jsonb without nulls; NULL where there is none at all."""
    pairs = [part for name in names for part in (cast(name, Text), source.c[name])]
    built = func.jsonb_strip_nulls(func.jsonb_build_object(*pairs))
    empty = func.jsonb_build_object()  # cast("{}", JSONB) would be the JSON text "{}"
    return type_coerce(func.nullif(built, empty), JSONB)


def closed_dates(conn: Connection, dates: Sequence[date]) -> frozenset[date]:
    """Which of ``dates`` were closed by an earlier load."""
    if not dates:
        return frozenset()
    query = select(day_closed.c.business_date).where(
        day_closed.c.business_date.between(min(dates), max(dates))
    )
    return frozenset(conn.scalars(query))


def dates_of(conn: Connection, table: Table, column: str = "business_date") -> list[date]:
    """The distinct dates of a staged table, in order."""
    return list(conn.scalars(select(table.c[column]).distinct().order_by(table.c[column])))


def quarantine_repeats(merge: Merge, staged: Table, keys: Sequence[str]) -> list[BadRow]:
    """Take rows whose key stood before in the file out of ``staged``; the first one stays."""
    columns = [_comparable(column) for column in key_columns(staged, keys)]
    named = [column.label(name) for name, column in zip(keys, columns, strict=True)]
    repeated = select(*named).group_by(*columns).having(func.count() > 1).subquery()
    if merge.conn.execute(select(repeated).limit(1)).first() is None:
        return []
    place = func.row_number().over(partition_by=columns, order_by=staged.c[ROW])
    among = staged.join(repeated, tuple_(*columns) == tuple_(*key_columns(repeated, keys)))
    ranked = select(staged, place.label("_place")).select_from(among).subquery()
    found = merge.conn.execute(
        select(ranked).where(ranked.c["_place"] > 1).order_by(ranked.c[ROW])
    ).all()
    rows = [_bad(row, keys) for row in found]
    numbers = [row.row_number for row in rows]
    for first in range(0, len(numbers), 10_000):
        merge.conn.execute(delete(staged).where(staged.c[ROW].in_(numbers[first : first + 10_000])))
    for row in rows:
        merge.tally.refuse(row)
    merge.tally.kept -= len(rows)
    return rows


def _comparable(column: ColumnElement[Any]) -> ColumnElement[Any]:
    """``column``, where absent equals absent. A text that is there is never blank."""
    if isinstance(column.type, Text):
        return func.coalesce(column, "")
    if isinstance(column.type, DateTime):
        return func.coalesce(column, literal(_BEFORE_ALL, Instant))
    return column


def _bad(row: Row[Any], keys: Sequence[str]) -> BadRow:
    values = {name: value for name, value in row._mapping.items() if not name.startswith("_")}
    return BadRow(row._mapping[ROW], ", ".join(keys), REPEATED, values)
