"""The sections of a report answered: rows with the types that PostgreSQL gives, all of a moment."""

from __future__ import annotations

import io
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, cast

import pyarrow as pa
import pyarrow.parquet as pq
from sqlalchemy import Connection, text
from sqlalchemy.exc import ProgrammingError

from daybreak.errors import ConfigError
from daybreak.types import Progress
from daybreak.warehouse.reports.section import Section

Row = dict[str, Any]

_CENT = Decimal("0.000001")
_ARROW: dict[int, pa.DataType] = {
    16: pa.bool_(),
    20: pa.int64(),
    21: pa.int16(),
    23: pa.int32(),
    700: pa.float32(),
    701: pa.float64(),
    1082: pa.date32(),
    1184: pa.timestamp("us", "UTC"),
    1700: pa.decimal128(38, 6),
}
"""By the OID of the type in PostgreSQL; anything else is text. Amounts have six decimals."""


@dataclass(frozen=True)
class Answer:
    """``rows``: values by the names of the section's columns. ``types``: one a column."""

    section: Section
    rows: Sequence[Row]
    types: Sequence[pa.DataType]

    def as_parquet(self, about: Mapping[str, str]) -> bytes:
        """All rows. ``about``: metadata of the file, which it has with ``daybreak.`` before it."""
        names = [column.name for column in self.section.columns]
        schema = pa.schema(
            list(zip(names, self.types, strict=True)),
            metadata={f"daybreak.{name}": value for name, value in about.items()},
        )
        table = pa.Table.from_pylist([_plain(row) for row in self.rows], schema=schema)
        written = io.BytesIO()
        pq.write_table(table, written, compression="zstd")
        return written.getvalue()


def answer(
    conn: Connection, sections: Iterable[Section], values: Mapping[str, Any], progress: Progress
) -> list[Answer]:
    """Ask each section's question; a query text that several share is asked once.

    Raises ``ConfigError`` where one cannot be answered: it names what is not there, or its answer
    lacks a column.
    """
    asked: dict[str, tuple[list[Row], dict[str, pa.DataType]]] = {}
    found = []
    for section in sections:
        progress(section.title)
        if section.query not in asked:
            asked[section.query] = _ask(conn, section, values)
        rows, types = asked[section.query]
        names = [column.name for column in section.columns]
        if missing := [name for name in _named(section, names) if name not in types]:
            raise ConfigError(
                f"The answer of the section {section.id!r} has no column {', '.join(missing)}.",
                remedy="Correct its query or its columns, where the model declares them.",
                section=section.id,
            )
        kept = [
            {name: row[name] for name in names}
            for row in rows
            if section.level is None or row["level"] == section.level
        ]
        found.append(Answer(section, kept, [types[name] for name in names]))
    return found


def _named(section: Section, names: list[str]) -> list[str]:
    return names if section.level is None else [*names, "level"]


def _ask(
    conn: Connection, section: Section, values: Mapping[str, Any]
) -> tuple[list[Row], dict[str, pa.DataType]]:
    question = text(section.query)
    wanted = question.compile().params.keys()
    if unknown := sorted(wanted - values.keys()):
        raise ConfigError(
            f"The section {section.id!r} asks for {', '.join(unknown)}.",
            remedy=f"A query may use {', '.join(f':{name}' for name in values)}.",
            section=section.id,
        )
    try:
        result = conn.execute(question, {name: values[name] for name in wanted})
    except ProgrammingError as error:
        raise ConfigError(
            f"The section {section.id!r} cannot be answered: {str(error.orig).splitlines()[0]}.",
            remedy="Correct its query; where it is one of Daybreak's, `daybreak warehouse migrate` "
            "puts the views of this release in place.",
            section=section.id,
        ) from error
    described = result.cursor.description if result.cursor else ()
    types: dict[str, pa.DataType] = {
        str(one[0]): _ARROW.get(cast(int, one[1]), pa.string()) for one in described
    }
    return [dict(row) for row in result.mappings()], types


def _plain(row: Row) -> Row:
    """JSON as text, amounts to six decimals."""
    return {
        name: json.dumps(value, ensure_ascii=False, sort_keys=True)
        if isinstance(value, dict | list)
        else value.quantize(_CENT)
        if isinstance(value, Decimal)
        else value
        for name, value in row.items()
    }
