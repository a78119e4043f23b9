"""Rows in batches of bounded size, from any format.

Every reader gives ``Rows``: the column names, a digest of the bytes, and an iterator of chunks
with the number of each row. No reader holds more than a few batches.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np
import psycopg
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray
from sqlalchemy import create_engine, text
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.pool import NullPool

from daybreak.errors import DatasetError
from daybreak.sources.arrow import Array
from daybreak.sources.arrow import compute as pc
from daybreak.sources.contract.section import Section
from daybreak.sources.reading.generators import Generator
from daybreak.sources.reading.number_text import NumberText
from daybreak.warehouse.faults import without_values

BATCH_ROWS = 65_536
BATCH_BYTES = 64 << 20
"""Of the values of a batch, which has fewer rows where they are longer."""


@dataclass(frozen=True)
class Malformed:
    """A line that cannot be split into the columns of its file."""

    row_number: int
    reason: str
    text: str


@dataclass(frozen=True)
class Chunk:
    """Some rows. ``row_numbers``: int64 (n,), 1 for the first data row of the file.

    ``covered``: int64, how many lines of its file each row covers, malformed ones included; None
    where there are no lines. ``lines_apart``: of rows of several lines that may have swallowed
    others, each line read as a row, by row number.
    """

    batch: pa.RecordBatch
    row_numbers: NDArray[np.int64]
    malformed: tuple[Malformed, ...] = ()
    covered: NDArray[np.int64] | None = None
    lines_apart: Mapping[int, pa.RecordBatch] = field(default_factory=dict)

    @property
    def merged_lines(self) -> int:
        """Lines that rows cover beyond their first."""
        return 0 if self.covered is None else int(self.covered.sum()) - len(self.covered)

    def lines_of(self, row_number: int) -> int:
        """Lines that a row covers; 1 where there are none."""
        if self.covered is None:
            return 1
        numbers = [*self.row_numbers[:1].tolist(), *(row.row_number for row in self.malformed[:1])]
        return int(self.covered[row_number - min(numbers)])


@dataclass
class Lines:
    """Physical lines of a text file, as far as it was read.

    Each is part of the header, blank, the first line of a row, or ``merged`` into the row that
    began before it: ``total`` is ``header + blank + rows + merged``.
    """

    total: int = 0
    header: int = 0
    blank: int = 0
    merged: int = 0


@dataclass
class Rows:
    """What an open origin gives.

    ``digest()`` is the sha256 of the bytes. A file has it at once (``known_digest``), a query
    only after its last chunk. ``lines`` counts on as chunks are taken; None where there are none.
    ``numbers``: how texts write numbers, where not as Python does.
    """

    uri: str
    columns: tuple[str, ...]
    chunks: Iterator[Chunk]
    known_digest: str | None = None
    late_digest: Callable[[], str] = field(default=lambda: "")
    lines: Lines | None = None
    numbers: NumberText | None = None

    def digest(self) -> str:
        """Sha256, hexadecimal. For a query only after all chunks were taken."""
        return self.known_digest or self.late_digest()


def wanted_columns(section: Section, available: tuple[str, ...]) -> list[int]:
    """Places of the source columns that the section needs; all where it maps none."""
    if not section.columns:
        return list(range(len(available)))
    needed = {source.column for source in section.columns.values() if source.column}
    needed |= {rule.condition.column for rule in section.filters}
    return [place for place, name in enumerate(available) if name in needed]


def open_parquet(path: Path, uri: str, sha256: str, section: Section) -> Rows:
    """A Parquet file. Raises ``DatasetError`` where it is not one."""
    try:
        schema = pq.read_schema(path)
        # What is written once in the file and named by many rows is held once as well.
        texts = [field.name for field in schema if _is_text(field.type)]
        # Read ahead, the whole file would be held until its end.
        file = pq.ParquetFile(path, read_dictionary=texts, pre_buffer=False)
    except (pa.ArrowInvalid, OSError) as error:
        raise unreadable(uri, "Parquet", error) from None
    columns = tuple(schema.names)
    wanted = [columns[place] for place in wanted_columns(section, columns)]

    def chunks() -> Iterator[Chunk]:
        with file:
            batches = file.iter_batches(batch_size=BATCH_ROWS, columns=wanted, use_threads=False)
            try:
                yield from _numbered(batches)
            except (pa.ArrowInvalid, OSError) as error:
                raise unreadable(uri, "Parquet", error) from None

    return Rows(uri, columns, chunks(), sha256)


def open_generated(generator: Generator, table: str, uri: str) -> Rows:
    """A table of a generator. Raises ``DatasetError`` where it makes no such table."""
    if table not in generator.schemas:
        raise DatasetError(
            f"The generator {generator.name!r} makes no table {table!r}.",
            remedy=f"It makes {', '.join(sorted(generator.schemas))}.",
            table=table,
        )
    columns = tuple(generator.schemas[table].names)
    chunks = _numbered(generator.shop.stream(table))
    return Rows(uri, columns, chunks, generator.digest(table))


@contextmanager
def open_query(section: Section, uri: str) -> Iterator[Rows]:
    """The result of the section's query, through a server-side cursor.

    Raises ``DatasetError`` that never repeats the URL.
    """
    url = os.environ.get(str(section.url_env))
    if not url:
        raise DatasetError(
            f"The query of {section.kind!r} needs the environment variable {section.url_env}.",
            remedy="Set it to the database's URL, such as postgresql+psycopg://user@host/name.",
            field=section.url_env,
        )
    digest = hashlib.sha256()
    with ExitStack() as stack:
        with _query_errors(section):
            # No pool: the connection closes with the block, also when the query failed.
            engine = create_engine(url, poolclass=NullPool, hide_parameters=True)
            connection = stack.enter_context(engine.connect())
            streamed = connection.execution_options(yield_per=BATCH_ROWS)
            result = streamed.execute(text(str(section.query)))
            columns = tuple(result.keys())
            partitions = result.partitions(BATCH_ROWS)

        wanted = wanted_columns(section, columns)
        names = [columns[place] for place in wanted]

        def batches() -> Iterator[pa.RecordBatch]:
            while True:
                with _query_errors(section):
                    rows = next(partitions, None)
                    if rows is None:
                        return
                    given = list(zip(*rows, strict=True))
                    values = [_array(given[place]) for place in wanted]
                    batch = pa.RecordBatch.from_arrays(values, names)
                digest.update(batch.serialize())
                yield batch

        yield Rows(uri, columns, _numbered(batches()), late_digest=digest.hexdigest)


def _array(values: Sequence[Any]) -> Array:
    """A column as a database driver gives it.

    Arrow has no decimal NaN or infinity, so decimals with one of them go on as text.
    """
    decimals = [value for value in values if isinstance(value, Decimal)]
    if all(value.is_finite() for value in decimals):
        return pa.array(values)
    return pa.array([value if value is None else str(value) for value in values])


@contextmanager
def _query_errors(section: Section) -> Iterator[None]:
    """Around calls of the other database only, not around what is done with its rows."""
    try:
        yield
    except (SQLAlchemyError, ImportError) as error:
        raise DatasetError(
            f"The query of {section.kind!r} failed: {_first_line(error)}.",
            remedy=f"Check the SQL and the database that {section.url_env} names.",
            section=section.kind,
        ) from None
    except (pa.ArrowInvalid, pa.ArrowTypeError) as error:
        raise DatasetError(
            f"The query of {section.kind!r} gives values of mixed type in a column: {error}.",
            remedy="Cast the column in the query.",
            section=section.kind,
        ) from None


def _numbered(batches: Iterator[pa.RecordBatch]) -> Iterator[Chunk]:
    first = 1
    for batch in batches:
        for part in _small(batch):
            yield Chunk(part, np.arange(first, first + part.num_rows, dtype=np.int64))
            first += part.num_rows


def _small(batch: pa.RecordBatch) -> Iterator[pa.RecordBatch]:
    """The rows in runs of ``BATCH_BYTES`` at most, or of one row."""
    if batch.num_rows < 2 or sum(map(_bytes, batch.columns)) <= BATCH_BYTES:
        yield batch
        return
    half = batch.num_rows // 2
    yield from _small(batch.slice(0, half))
    yield from _small(batch.slice(half))


def _bytes(values: Array) -> int:
    """What the values take, each of them written out."""
    kind = values.type
    if not pa.types.is_dictionary(kind):
        return int(values.nbytes)
    if not _is_text(kind.value_type):
        return 8 * len(values)
    lengths = pc.binary_length(values.dictionary).take(values.indices)
    return int(pc.sum(lengths).as_py() or 0)


def _is_text(kind: pa.DataType) -> bool:
    return bool(pa.types.is_string(kind) or pa.types.is_large_string(kind))


def _first_line(error: Exception) -> str:
    cause = getattr(error, "orig", None) or error
    if isinstance(cause, psycopg.Error):
        return without_values(cause)
    return (str(cause).strip().splitlines() or [type(cause).__name__])[0].rstrip(".")


def unreadable(uri: str, form: str, error: Exception) -> DatasetError:
    """The error for a file that its format's reader cannot read."""
    return DatasetError(
        f"{uri} is not readable as {form}: {_first_line(error)}.",
        remedy="Deliver the file again, or correct `format` in the section.",
        file=uri,
    )
