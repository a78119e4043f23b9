"""CSV in batches. Every value is read as text; the canonical column decides what it means.

Arrow's own type inference looks at the first block only and then fails a whole block for one bad
value; reading text leaves each bad value to its row. Arrow gets whole records, and its rows
are counted against those of the file.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, TypeVar

import numpy as np
import pyarrow as pa
import pyarrow.csv as arrow_csv

from daybreak.errors import DatasetError
from daybreak.sources.arrow import Array
from daybreak.sources.arrow import compute as pc
from daybreak.sources.contract.section import Csv, Section
from daybreak.sources.reading.csv_encoding import first_undecodable, utf8_pieces
from daybreak.sources.reading.csv_records import Block, RecordReader
from daybreak.sources.reading.number_text import NumberText
from daybreak.sources.reading.readers import (
    Chunk,
    Lines,
    Malformed,
    Rows,
    unreadable,
    wanted_columns,
)

if TYPE_CHECKING:
    from pyarrow.csv import InvalidRow

Item = TypeVar("Item")
BLOCK_BYTES = 1 << 20


def open_csv(path: Path, uri: str, sha256: str, section: Section) -> Rows:
    """A CSV file with a header line, plain or compressed (by suffix: .gz).

    Raises ``DatasetError`` for an empty file, bytes that are not in the file's encoding, with
    their offset and line, and quotes that make lines vanish (``csv_records``). Blank lines do
    not count as rows.
    """
    lines, options = Lines(), section.csv
    pieces = utf8_pieces(path, options.encoding, BLOCK_BYTES)
    records = RecordReader(pieces, uri, options.delimiter, options.record_lines, lines)
    blocks = _explained(records.blocks(), path, uri, options)
    head = next(blocks, None)
    header = _header(head, path, uri, options) if head else ()
    records.columns = len(header)
    first = next(blocks, None)
    if first is None:
        raise DatasetError(
            f"{uri} is empty: it has no data rows.", remedy="Deliver the file again.", file=uri
        )
    parser = _Parser(section, header, wanted_columns(section, header), uri)
    chunks = _explained(parser.chunks(chain([first], blocks)), path, uri, options)
    return Rows(uri, header, chunks, sha256, lines=lines, numbers=_numbers(options))


def _numbers(options: Csv) -> NumberText | None:
    if options.decimal == "." and options.thousands is None:
        return None
    return NumberText(options.decimal, options.thousands)


def _header(block: Block, path: Path, uri: str, options: Csv) -> tuple[str, ...]:
    try:
        text = io.StringIO(block.data.decode(), newline="")
        return next(tuple(row) for row in csv.reader(text, delimiter=options.delimiter) if row)
    except (csv.Error, UnicodeDecodeError) as error:
        raise _in_words(error, path, uri, options) from None


class _Parser:
    """Blocks of records to chunks of the ``wanted`` columns (places in the header)."""

    def __init__(
        self, section: Section, header: tuple[str, ...], wanted: list[int], uri: str
    ) -> None:
        options = section.csv
        self._uri = uri
        self._names = [header[place] for place in wanted]
        self._nulls = _words_by_column(section, self._names)
        self._broken: list[InvalidRow] = []
        # By place, not by name: names of columns that are not mapped may be blank or repeated.
        places = [str(place) for place in range(len(header))]
        self._read = arrow_csv.ReadOptions(use_threads=False, column_names=places)
        self._parse = arrow_csv.ParseOptions(
            delimiter=options.delimiter, newlines_in_values=True, invalid_row_handler=self._skip
        )
        self._parse_lines = arrow_csv.ParseOptions(delimiter=options.delimiter, quote_char=False)
        chosen = [places[place] for place in wanted]
        self._convert = arrow_csv.ConvertOptions(
            include_columns=chosen,
            column_types=dict.fromkeys(chosen, pa.string()),
            null_values=options.null_values,
            strings_can_be_null=not self._nulls,
        )

    def chunks(self, blocks: Iterator[Block]) -> Iterator[Chunk]:
        """One chunk a block, rows numbered from 1."""
        done = 0
        for block in blocks:
            if len(block.covered):
                yield self._chunk(block, done + 1)
            done += len(block.covered)

    def _chunk(self, block: Block, first: int) -> Chunk:
        batch = self._batch(block.data, self._parse)
        broken = tuple(self._malformed(row, first) for row in self._broken)
        self._broken.clear()
        if batch.num_rows + len(broken) != len(block.covered):
            raise unreadable(self._uri, "CSV", ValueError("its records cannot be separated"))
        numbers = np.arange(first, first + len(block.covered), dtype=np.int64)
        numbers = np.delete(numbers, [line.row_number - first for line in broken])
        lines = {
            first + place: self._batch(record.replace(b'"', b""), self._parse_lines)
            for place, record in block.suspects.items()
        }
        return Chunk(batch, numbers, broken, block.covered, lines)

    def _batch(self, text: bytes, how: arrow_csv.ParseOptions) -> pa.RecordBatch:
        self._read.block_size = len(text) + 1
        source: Any = pa.BufferReader(text)
        table = arrow_csv.read_csv(source, self._read, how, self._convert)
        # Nearly always there is one chunk, which combine_chunks would copy.
        columns: list[Array] = [
            column.chunk(0) if column.num_chunks == 1 else column.combine_chunks()
            for column in table.columns
        ]
        if self._nulls:
            columns = list(map(_without, columns, self._nulls))
        return pa.RecordBatch.from_arrays(columns, self._names)

    def _skip(self, row: InvalidRow) -> Literal["skip"]:
        self._broken.append(row)
        return "skip"

    def _malformed(self, row: InvalidRow, first: int) -> Malformed:
        place = (row.number or 1) - 1  # one thread reads, so the number is always known
        reason = f"has {row.actual_columns} values, the header {row.expected_columns}"
        return Malformed(first + place, reason, row.text)


def _words_by_column(section: Section, names: list[str]) -> list[Array]:
    """The words that mean absent in each column; none where they are the same in all."""
    own = {
        source.column: source.null_values
        for source in section.columns.values()
        if source.null_values is not None
    }
    if not own:
        return []
    words = (own.get(name, section.csv.null_values) for name in names)
    return [pa.array(words_of_one, pa.string()) for words_of_one in words]


def _without(text: Array, absent: Array) -> Array:
    return pc.if_else(pc.is_in(text, value_set=absent), pa.scalar(None, pa.string()), text)


def _explained(items: Iterator[Item], path: Path, uri: str, options: Csv) -> Iterator[Item]:
    """The same items; errors of their reader in terms of the file."""
    while True:
        try:
            item = next(items)
        except StopIteration:
            return
        except (pa.ArrowInvalid, UnicodeDecodeError, OSError) as error:
            raise _in_words(error, path, uri, options) from None
        yield item


def _in_words(error: Exception, path: Path, uri: str, options: Csv) -> DatasetError:
    if isinstance(error, OSError):  # not even its compression can be undone
        return unreadable(uri, "CSV", error)
    place = first_undecodable(path, options.encoding)
    if place is None:
        return unreadable(uri, "CSV", error)
    offset, line = place
    return DatasetError(
        f"{uri} is not {options.encoding}: byte {offset} (line {line}) cannot be read.",
        remedy="Name its encoding in the section, such as `csv: {encoding: latin-1}`.",
        file=uri,
        byte=offset,
        row=max(line - 1, 0),
    )
