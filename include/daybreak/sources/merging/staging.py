"""Staging of canonical rows in a temporary table, which is dropped with its load.

Rows are copied batch by batch, so memory stays flat; PostgreSQL sorts, nets and compares with what
is known already.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import date, datetime
from typing import Any

import numpy as np
from sqlalchemy import BigInteger, Boolean, Column, Connection, Date, Double, MetaData, Table, Text
from sqlalchemy.types import TypeEngine

from daybreak.sources.arrow import Array
from daybreak.sources.arrow import compute as pc
from daybreak.sources.contract.canonical import CanonicalColumn, Kind
from daybreak.sources.parsing.clean import Clean
from daybreak.sources.parsing.tally import BadRow
from daybreak.warehouse.bulk import copy_in
from daybreak.warehouse.copy_encode import Texts, Values
from daybreak.warehouse.tables import Instant, quarantine

ROW = "_row"
"""Number of the row in its file. Canonical names begin with a letter, so it collides with none."""

_TYPES: dict[Kind, TypeEngine[Any]] = {
    Kind.DATE: Date(),
    Kind.INSTANT: Instant,
    Kind.TEXT: Text(),
    Kind.NUMBER: Double(),
    Kind.FLAG: Boolean(),
    Kind.TEXTS: Text(),
}


def temporary(conn: Connection, name: str, *columns: Column[Any]) -> Table:
    """Create a table that is dropped when the transaction ends."""
    table = Table(
        name,
        MetaData(),
        *columns,
        prefixes=["TEMPORARY"],
        postgresql_on_commit="DROP",
    )
    table.create(conn)
    return table


def staging_columns(canonical: Iterable[CanonicalColumn]) -> list[Column[Any]]:
    """One nullable column for each canonical one."""
    return [Column(column.name, _TYPES[column.kind]) for column in canonical]


def create_staging(conn: Connection, canonical: Iterable[CanonicalColumn]) -> Table:
    """The table that takes the rows of one file."""
    return temporary(
        conn, "staged", Column(ROW, BigInteger, nullable=False), *staging_columns(canonical)
    )


def stage(conn: Connection, staged: Table, clean: Clean) -> None:
    """Append the good rows of one batch."""
    columns = {name: _for_copy(values) for name, values in clean.columns.items()}
    copy_in(conn, staged, {ROW: clean.row_numbers, **columns})


def write_quarantine(conn: Connection, rows: Iterable[BadRow], load_id: int, now: datetime) -> None:
    """Keep bad rows with their reason."""
    values = [{"load_id": load_id, "quarantined_at": now, **row.as_json()} for row in rows]
    if values:
        conn.execute(quarantine.insert(), values)


def stage_clock(conn: Connection, known_at: Mapping[date, datetime], name: str = "clock") -> Table:
    """A table of (business_date, known_at) to join facts with."""
    table = temporary(
        conn,
        name,
        Column("business_date", Date, nullable=False),
        Column("known_at", Instant, nullable=False),
    )
    copy_in(
        conn,
        table,
        {
            "business_date": np.array(list(known_at), dtype="M8[D]"),
            "known_at": np.array([m.replace(tzinfo=None) for m in known_at.values()], "M8[us]"),
        },
    )
    return table


def _for_copy(values: Array) -> Values:
    """An Arrow column as ``copy_in`` takes it fastest."""
    kind = str(values.type)
    missing = np.asarray(pc.is_null(values).to_numpy(zero_copy_only=False), dtype=bool)
    if kind == "string":
        return _text_for_copy(values, missing)
    if kind == "date32[day]" or kind.startswith("timestamp"):
        return np.asarray(values.to_numpy(zero_copy_only=False))  # null is NaT
    filled = pc.fill_null(values, False if kind == "bool" else 0.0)
    plain = np.asarray(filled.to_numpy(zero_copy_only=False))
    return np.ma.MaskedArray(plain, mask=missing) if missing.any() else plain


def _text_for_copy(values: Array, missing: np.ndarray) -> Texts:
    """Arrow's own bytes, without a copy."""
    if not len(values):
        return Texts(np.empty(0, np.uint8), np.zeros(1, np.int32))
    filled = pc.fill_null(values, "") if missing.any() else values
    _, offsets, payload = filled.buffers()
    return Texts(
        np.frombuffer(payload or b"", np.uint8),
        np.frombuffer(offsets, np.int32)[filled.offset : filled.offset + len(filled) + 1],
        missing if missing.any() else None,
    )
