"""Whole columns in and out of the warehouse by binary COPY, with no Python loop over numbers."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import islice
from typing import Any

import numpy as np
import psycopg
from numpy.typing import NDArray
from psycopg import sql
from sqlalchemy import Connection, Date, Select, Table

from daybreak.warehouse.copy_decode import RowDecoder
from daybreak.warehouse.copy_encode import HEADER, TRAILER, Texts, Values, encode_rows
from daybreak.warehouse.engine import driver_of

ROWS_PER_CHUNK = 50_000
BYTES_PER_CHUNK = 8 << 20
"""Of the byte matrix that a chunk is encoded in, whose rows are as wide as its longest one."""
BYTES_PER_BLOCK = 1 << 20


def copy_in(conn: Connection, table: Table, columns: Mapping[str, Values]) -> int:
    """Append rows to ``table`` in the connection's transaction; returns how many.

    Each value of ``columns`` is an array of the same length m, chosen by the column's type:

    ============================  ============================================================
    column                        array
    ============================  ============================================================
    smallint, integer, bigint     any integers; ``ValueError`` where one does not fit
    real, double precision        floats no wider than the column, NaN stays NaN
    boolean                       bool
    date, timestamptz             datetime64 (UTC); not finer than days or microseconds
    text                          str objects, numpy str, or ``Texts``: UTF-8, the fastest
    bytea                         bytes objects, or float32/uint8 (m, w): the bytes of each row
    jsonb                         str objects holding JSON
    ============================  ============================================================

    NULL is None in an object array, a masked value in a ``MaskedArray``, or NaT. For a constant
    use ``np.broadcast_to``: it takes no memory. Columns not given take their default. Raises
    ``TypeError`` or ``ValueError`` naming the column before anything is sent of its chunk.
    """
    rows = _common_length(table, columns)
    if rows == 0:
        return 0
    statement = sql.SQL("COPY {} ({}) FROM STDIN (FORMAT BINARY)").format(
        sql.Identifier(*([table.schema] if table.schema else []), table.name),
        sql.SQL(", ").join(map(sql.Identifier, columns)),
    )
    with driver_of(conn).cursor() as cursor, cursor.copy(statement) as copy:
        copy.write(HEADER)
        for chunk in _chunks(columns, rows):
            part = [(table.c[name], values[chunk]) for name, values in columns.items()]
            copy.write(encode_rows(part, chunk.stop - chunk.start))
        copy.write(TRAILER)
    return rows


def copy_out(conn: Connection, query: Select[Any], dtype: np.dtype[Any]) -> Iterator[NDArray[Any]]:
    """Rows of ``query`` as structured arrays of at most ``ROWS_PER_CHUNK`` rows each.

    ``dtype`` names the columns of ``query`` in their order, none of which may be NULL: i2, i4,
    i8, f4, f8, bool, ``M8[D]`` (or an integer: days since 1970-01-01), ``M8[us]`` in UTC, or a
    shaped field for ``bytea`` of one length, such as ``("features", "<f4", (40,))``. No rows: no
    arrays. Raises ``ValueError`` for a NULL or a width that differs. Until the last chunk was
    taken the connection is busy.
    """
    selected = {str(column.key): column for column in query.selected_columns}
    if list(dtype.names or ()) != list(selected):
        raise ValueError(f"the query gives {list(selected)}, the dtype asks for {dtype.names}")
    dates = frozenset(name for name, column in selected.items() if isinstance(column.type, Date))
    decoder = RowDecoder(dtype, dates)
    compiled = query.compile(dialect=conn.dialect, compile_kwargs={"render_postcompile": True})
    statement = sql.SQL("COPY ({}) TO STDOUT (FORMAT BINARY)").format(
        sql.SQL(str(compiled))  # SQLAlchemy's own text, values apart
    )
    with driver_of(conn).cursor() as cursor, cursor.copy(statement, compiled.params) as copy:
        yield from _decoded(copy, decoder)


def copy_csv_out(conn: Connection, query: Select[Any]) -> Iterator[tuple[bytes, int]]:
    """Rows of ``query`` as CSV under a line of names, with how many rows were given so far.

    As PostgreSQL writes it: UTF-8, floats in the fewest digits that give the same bits, NULL is
    nothing where the empty text is ``""``. Blocks have some ``BYTES_PER_BLOCK``. Until the last
    one was taken the connection is busy.
    """
    compiled = query.compile(dialect=conn.dialect, compile_kwargs={"render_postcompile": True})
    statement = sql.SQL("COPY ({}) TO STDOUT (FORMAT CSV, HEADER)").format(
        sql.SQL(str(compiled))  # SQLAlchemy's own text, values apart
    )
    block, rows = bytearray(), -1  # the line of names is none
    with driver_of(conn).cursor() as cursor, cursor.copy(statement, compiled.params) as copy:
        for line in copy:  # the server sends one message a row
            block += line
            rows += 1
            if len(block) >= BYTES_PER_BLOCK:
                yield bytes(block), rows
                block.clear()
    yield bytes(block), rows


def _decoded(copy: psycopg.Copy, decoder: RowDecoder) -> Iterator[NDArray[Any]]:
    messages = iter(copy)  # the server sends one a row
    rest = b""
    started = False
    while block := b"".join(map(bytes, islice(messages, ROWS_PER_CHUNK))):
        rest += block
        if not started:
            rest, started = rest[len(HEADER) :], True
        whole = len(rest) // decoder.row_bytes * decoder.row_bytes
        if whole:
            yield decoder.decode(rest[:whole])
            rest = rest[whole:]
    if rest != TRAILER:
        decoder.decode(rest.ljust(decoder.row_bytes, b"\0"))  # says which column is to blame
        raise ValueError("the rows have other columns than were asked for")


def _common_length(table: Table, columns: Mapping[str, Values]) -> int:
    if not columns:
        raise ValueError(f"no columns given for {table}")
    unknown = sorted(columns.keys() - table.c.keys())
    if unknown:
        raise ValueError(f"{table} has no column {', '.join(unknown)}")
    lengths = {name: len(values) for name, values in columns.items()}
    if len(set(lengths.values())) > 1:
        raise ValueError(f"columns for {table} differ in length: {lengths}")
    return next(iter(lengths.values()))


def _chunks(columns: Mapping[str, Values], rows: int) -> Iterator[slice]:
    """Runs of rows whose byte matrix stays small: one long value makes short ones around itself."""
    sizes = [_sizes(values) for values in columns.values()]
    fixed = sum(size for size in sizes if isinstance(size, int))
    varying = [size for size in sizes if not isinstance(size, int)]

    def halved(first: int, last: int) -> Iterator[slice]:
        widest = fixed + sum(int(size[first:last].max()) for size in varying)
        if last - first == 1 or (last - first) * widest <= BYTES_PER_CHUNK:
            yield slice(first, last)
        else:
            middle = (first + last) // 2
            yield from halved(first, middle)
            yield from halved(middle, last)

    for first in range(0, rows, ROWS_PER_CHUNK):
        yield from halved(first, min(first + ROWS_PER_CHUNK, rows))


def _sizes(values: Values) -> int | NDArray[np.int64]:
    """Bytes of a value at most: of each, (m,), where they differ."""
    if isinstance(values, Texts):
        return values.lengths
    if values.dtype != object:
        return values.nbytes // max(1, len(values))
    plain = np.ma.getdata(values).tolist()
    if None in plain:
        plain = [value or "" for value in plain]
    try:
        # In UTF-8 a character has four bytes at most.
        return 4 * np.fromiter(map(len, plain), np.int64, len(plain))
    except TypeError:
        return 0  # neither text nor bytes: the encoder refuses it and names the column
