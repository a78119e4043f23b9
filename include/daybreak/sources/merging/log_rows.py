"""Staged rows into the log of a stream, some thousand at a time, by its one way in."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from sqlalchemy import (
    BigInteger,
    ColumnElement,
    DateTime,
    FromClause,
    Table,
    Text,
    column,
    func,
    literal,
    select,
    table,
)
from sqlalchemy.dialects.postgresql import aggregate_order_by

from daybreak.sources.merging.shared import Merge
from daybreak.sources.merging.staging import ROW, write_quarantine
from daybreak.sources.parsing.tally import BadRow

AT_ONCE = 10_000
"""Rows, some 3 MB as JSON."""
PLACE = "_place"
CONFLICT = "is that of an event with other content, which is known already"


def ordered(merge: Merge, rows: FromClause, order: Sequence[ColumnElement[Any]]) -> FromClause:
    """The rows as a temporary table, numbered from 1 in ``PLACE``."""
    place = func.row_number().over(order_by=[*order, rows.c[ROW]]).label(PLACE)
    query = select(*rows.c, place)
    name = f"ordered_{merge.load_id}"
    compiled = query.compile(dialect=merge.conn.dialect)
    statement = f"CREATE TEMPORARY TABLE {name} ON COMMIT DROP AS {compiled}"
    merge.conn.exec_driver_sql(statement, compiled.params)
    merge.conn.exec_driver_sql(f"CREATE UNIQUE INDEX ON {name} ({PLACE})")
    merge.conn.exec_driver_sql(f"ANALYZE {name}")
    return table(name, *(column(one.name, one.type) for one in query.selected_columns))


def appended(
    merge: Merge,
    function: str,
    stream: str,
    rows: FromClause,
    fields: Mapping[str, ColumnElement[Any]],
) -> Iterator[tuple[int, str]]:
    """Append all rows; the number in the file and the outcome of each (``signals.log.Outcome``)."""
    count = merge.conn.scalar(select(func.count()).select_from(rows)) or 0
    pairs = [part for name, value in fields.items() for part in (literal(name, Text), value)]
    for first in range(1, count + 1, AT_ONCE):
        some = rows.c[PLACE].between(first, first + AT_ONCE - 1)
        one = func.jsonb_build_object(*pairs)
        listed = select(func.jsonb_agg(aggregate_order_by(one, rows.c[PLACE]))).where(some)
        call = getattr(func.ops, function)(
            stream,
            listed.scalar_subquery(),
            literal(merge.knowledge.now, DateTime(timezone=True)),
            literal(merge.load_id, BigInteger),
        ).table_valued("number", "outcome")
        numbers = select(rows.c[ROW]).where(some).order_by(rows.c[PLACE])
        of_place = list(merge.conn.scalars(numbers))
        for number, outcome in merge.conn.execute(select(call.c.number, call.c.outcome)):
            yield of_place[number - 1], outcome


def quarantine_conflicts(merge: Merge, staged: Table, numbers: Sequence[int]) -> None:
    """Keep rows apart whose id the log has with other content. ``numbers``: in the file."""
    bad = []
    for first in range(0, len(numbers), AT_ONCE):
        some = staged.c[ROW].in_(numbers[first : first + AT_ONCE])
        for row in merge.conn.execute(
            select(staged).where(some).order_by(staged.c[ROW])
        ).mappings():
            values = {name: value for name, value in row.items() if name != ROW}
            bad.append(BadRow(row[ROW], "event_id", CONFLICT, values))
    for one in bad:
        merge.tally.refuse(one)
    merge.tally.kept -= len(bad)
    write_quarantine(merge.conn, bad, merge.load_id, merge.knowledge.now)
