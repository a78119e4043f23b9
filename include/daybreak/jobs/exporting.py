"""What is published of a business date, as a file: streamed, and whole or not at all."""

from __future__ import annotations

import io
import os
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date
from pathlib import Path
from typing import IO, Any, Literal

import pyarrow as pa
import pyarrow.csv as arrow_csv
import pyarrow.parquet as pq
from sqlalchemy import (
    REAL,
    BigInteger,
    Boolean,
    Connection,
    Date,
    DateTime,
    Double,
    Integer,
    Select,
    SmallInteger,
    Table,
    select,
)

from daybreak.errors import Conflict, InvalidRequest
from daybreak.ledger.generations import published_generation
from daybreak.ledger.states import Generation
from daybreak.models import get_nightly
from daybreak.models.base import Progress, quiet
from daybreak.runtime import Runtime, get_runtime
from daybreak.warehouse.bulk import copy_csv_out
from daybreak.warehouse.engine import connect

Format = Literal["csv", "parquet"]

_NOT_SHOWN = frozenset({"shard"})  # internal: not exported
_BYTES_AT_ONCE = 4 << 20


def export_day(
    model: str,
    business_date: date,
    file_format: Format,
    output: Path | IO[bytes],
    *,
    progress: Progress = quiet,
    runtime: Runtime | None = None,
) -> dict[str, Any]:
    """Write the published scores of a business date, in the order of their keys.

    ``output``: a path, which changes only when all rows are written, or an open binary stream.
    Columns are those of the model's score table; text stays text and float32 keeps its bits in
    both formats. Memory does not grow with the rows. Returns what was written. Raises
    ``NotPublished`` where nothing is, ``InvalidRequest`` where the path cannot be written.
    """
    runtime = runtime or get_runtime()
    table = get_nightly(model).score_table
    with connect(runtime.engine) as conn:
        generation = published_generation(conn, model, business_date)
        query = _published_rows(table, generation)
        with _whole(output) as sink:
            write = _write_csv if file_format == "csv" else _write_parquet
            rows = write(conn, query, sink, generation, progress)
            if rows != generation.rows:
                raise Conflict(
                    f"Generation {generation.generation_id} was published with {generation.rows} "
                    f"rows, and {rows} were found.",
                    remedy="Where a newer one was published meanwhile, export again.",
                )
    return {
        "model": model,
        "business_date": business_date.isoformat(),
        "generation_id": generation.generation_id,
        "version": generation.version,
        "format": file_format,
        "output": str(output) if isinstance(output, Path) else "-",
        "rows": rows,
    }


def _published_rows(table: Table, generation: Generation) -> Select[Any]:
    shown = [column for column in table.columns if column.name not in _NOT_SHOWN]
    return (
        select(*shown)
        .where(
            table.c.business_date == generation.business_date,
            table.c.generation_id == generation.generation_id,
        )
        .order_by(*table.primary_key.columns)
    )


def _write_csv(
    conn: Connection,
    query: Select[Any],
    sink: IO[bytes],
    generation: Generation,
    progress: Progress,
) -> int:
    rows = 0
    for block, rows in copy_csv_out(conn, query):
        sink.write(block)
        progress(_so_far(rows, generation))
    sink.flush()
    return rows


def _write_parquet(
    conn: Connection,
    query: Select[Any],
    sink: IO[bytes],
    generation: Generation,
    progress: Progress,
) -> int:
    """PostgreSQL's CSV read by Arrow, a few megabytes at a time, with the types of the columns."""
    schema = pa.schema(
        [(column.name, _arrow_type(column.type)) for column in query.selected_columns],
        metadata={
            "daybreak.model": generation.model,
            "daybreak.business_date": generation.business_date.isoformat(),
            "daybreak.generation_id": str(generation.generation_id),
            "daybreak.version": generation.version,
        },
    )
    reader = arrow_csv.open_csv(
        io.BufferedReader(_Stream(copy_csv_out(conn, query)), _BYTES_AT_ONCE),
        arrow_csv.ReadOptions(block_size=_BYTES_AT_ONCE),
        arrow_csv.ParseOptions(newlines_in_values=True),
        arrow_csv.ConvertOptions(
            column_types=dict(zip(schema.names, schema.types, strict=True)),
            null_values=[""],
            strings_can_be_null=True,
            quoted_strings_can_be_null=False,
            true_values=["t"],
            false_values=["f"],
        ),
    )
    rows = 0
    with pq.ParquetWriter(sink, schema, compression="zstd") as writer:
        for batch in reader:
            writer.write_batch(batch.cast(schema))
            rows += batch.num_rows
            progress(_so_far(rows, generation))
    return rows


def _arrow_type(kind: Any) -> pa.DataType:
    for sql_type, arrow_type in (
        (SmallInteger, pa.int16()),
        (BigInteger, pa.int64()),
        (Integer, pa.int32()),
        (REAL, pa.float32()),
        (Double, pa.float64()),
        (Boolean, pa.bool_()),
        (Date, pa.date32()),
        (DateTime, pa.timestamp("us", "UTC")),
    ):
        if isinstance(kind, sql_type):
            return arrow_type
    return pa.string()


class _Stream(io.RawIOBase):
    """Blocks of bytes as a file that can be read once, from its beginning."""

    def __init__(self, blocks: Iterator[tuple[bytes, int]]) -> None:
        self._blocks = blocks
        self._rest = memoryview(b"")

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        if not self._rest:
            self._rest = memoryview(next(self._blocks, (b"", 0))[0])
        taken = self._rest[: len(buffer)]
        buffer[: len(taken)] = taken
        self._rest = self._rest[len(taken) :]
        return len(taken)


@contextmanager
def _whole(output: Path | IO[bytes]) -> Iterator[IO[bytes]]:
    """A stream as it is; a path as a temporary file beside it, renamed once it is complete."""
    if not isinstance(output, Path):
        yield output
        return
    target = output.resolve()  # replaces what a link points at, not the link
    if target.exists() and not target.is_file():
        raise InvalidRequest(
            f"{output} is not an ordinary file.",
            remedy="Give the path of a file, or `-` for standard output.",
            field="output",
        )
    part = target.with_name(f".{target.name}.{uuid.uuid4().hex[:8]}.part")
    try:
        sink = part.open("xb")
    except OSError as error:
        raise InvalidRequest(
            f"{output} cannot be written: {error.strerror}.",
            remedy="Give a path in a folder that exists and that you may write to.",
            field="output",
        ) from None
    try:
        with sink:
            yield sink
            sink.flush()
            os.fsync(sink.fileno())
        part.replace(target)
    finally:
        part.unlink(missing_ok=True)


def _so_far(rows: int, generation: Generation) -> str:
    return f"{rows:,} of {generation.rows or 0:,} rows"
