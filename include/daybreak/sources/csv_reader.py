"""CSV in batches. Every value is read as text; the canonical column decides what it means.

Arrow's own type inference looks at the first block only and then fails a whole block for one bad
value; reading text leaves each bad value to its row.
"""

from __future__ import annotations

import codecs
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import pyarrow as pa
import pyarrow.csv as arrow_csv
from numpy.typing import NDArray

from daybreak.errors import DatasetError
from daybreak.sources.readers import Chunk, Malformed, Rows, unreadable, wanted_columns
from daybreak.sources.sections import Section

if TYPE_CHECKING:
    from pyarrow.csv import InvalidRow

BLOCK_BYTES = 1 << 20
_SCAN_BYTES = 1 << 20


def open_csv(path: Path, uri: str, sha256: str, section: Section) -> Rows:
    """A CSV file with a header line, plain or compressed (by suffix: .gz).

    Raises ``DatasetError`` for an empty file, a header that names a column twice, and bytes that
    are not in the file's encoding, with their offset and line. Blank lines do not count as rows.
    """
    header = _header(path, uri, section)
    broken: list[Malformed] = []
    lines = _open(path, uri, section, wanted_columns(section, header), broken)
    return Rows(uri, header, _chunks(lines, path, uri, section, broken), sha256)


def _header(path: Path, uri: str, section: Section) -> tuple[str, ...]:
    with _open(path, uri, section, None, []) as reader:
        try:
            names = tuple(reader.schema.names)
        except UnicodeDecodeError as error:
            raise _explained(error, path, uri, section) from None
    twice = [name for name, count in Counter(names).items() if count > 1]
    if twice:
        raise DatasetError(
            f"{uri} has the column {twice[0]!r} twice.",
            remedy="Rename one of them in the file.",
            file=uri,
            column=twice[0],
        )
    return names


def _open(
    path: Path, uri: str, section: Section, columns: list[str] | None, broken: list[Malformed]
) -> arrow_csv.CSVStreamingReader:
    def note(row: InvalidRow) -> Literal["skip"]:
        reason = f"has {row.actual_columns} values, the header {row.expected_columns}"
        # The header has number 1; one thread reads, so the number is always known.
        broken.append(Malformed((row.number or 1) - 1, reason, row.text))
        return "skip"

    options = section.csv
    source: Any = pa.input_stream(str(path), compression="detect")
    try:
        return arrow_csv.open_csv(
            source,
            read_options=arrow_csv.ReadOptions(
                use_threads=False, block_size=BLOCK_BYTES, encoding=options.encoding
            ),
            parse_options=arrow_csv.ParseOptions(
                delimiter=options.delimiter, newlines_in_values=True, invalid_row_handler=note
            ),
            convert_options=arrow_csv.ConvertOptions(
                include_columns=columns or [],
                column_types=dict.fromkeys(columns or [], pa.string()),
                null_values=options.null_values,
                strings_can_be_null=True,
            ),
        )
    except (pa.ArrowInvalid, UnicodeDecodeError, LookupError, OSError) as error:
        raise _explained(error, path, uri, section) from None


def _chunks(
    reader: arrow_csv.CSVStreamingReader,
    path: Path,
    uri: str,
    section: Section,
    broken: list[Malformed],
) -> Iterator[Chunk]:
    skipped: list[int] = []
    good = 0
    with reader:
        while True:
            try:
                batch = reader.read_next_batch()
            except StopIteration:
                break
            except (pa.ArrowInvalid, UnicodeDecodeError, OSError) as error:
                raise _explained(error, path, uri, section) from None
            malformed = tuple(broken)
            broken.clear()
            skipped += [line.row_number for line in malformed]
            yield Chunk(batch, _row_numbers(good, batch.num_rows, skipped), malformed)
            good += batch.num_rows
    if broken:
        empty = pa.RecordBatch.from_pylist([], schema=reader.schema)
        yield Chunk(empty, np.array([], dtype=np.int64), tuple(broken))


def _row_numbers(first: int, count: int, skipped: list[int]) -> NDArray[np.int64]:
    """Numbers in the file of the good rows ``first`` ... of those left when some were skipped."""
    good = np.arange(first, first + count, dtype=np.int64)
    # The j-th skipped row has j others before it, so it stands before good row number - 1 - j.
    before = np.array(skipped, dtype=np.int64) - 1 - np.arange(len(skipped))
    return good + 1 + np.searchsorted(before, good, side="right")


def _explained(error: Exception, path: Path, uri: str, section: Section) -> DatasetError:
    """Say what Arrow's message means for the file's owner."""
    if isinstance(error, LookupError):
        return DatasetError(
            f"There is no encoding {section.csv.encoding!r}.",
            remedy="Write csv.encoding as utf-8, latin-1, cp1252 ...",
            file=uri,
        )
    if isinstance(error, OSError):  # not even its compression can be undone
        return unreadable(uri, "CSV", error)
    place = _first_undecodable(path, section.csv.encoding)
    if place is not None:
        offset, line = place
        return DatasetError(
            f"{uri} is not {section.csv.encoding}: byte {offset} (line {line}) cannot be read.",
            remedy="Name its encoding in the section, such as `csv: {encoding: latin-1}`.",
            file=uri,
            byte=offset,
            row=max(line - 1, 0),
        )
    if "Empty CSV" in str(error):
        return DatasetError(
            f"{uri} is empty: it has no data rows.", remedy="Deliver the file again.", file=uri
        )
    return unreadable(uri, "CSV", error)


def _first_undecodable(path: Path, encoding: str) -> tuple[int, int] | None:
    """Offset and line (1 is the first) of the first byte that is not text, or None."""
    decoder = codecs.getincrementaldecoder(encoding)()
    done = lines = 0
    with pa.input_stream(str(path), compression="detect") as file:
        while True:
            block = file.read(_SCAN_BYTES)
            pending = len(decoder.getstate()[0])
            try:
                decoder.decode(block, final=not block)
            except UnicodeDecodeError as error:
                at = done - pending + error.start
                here = block[: max(0, error.start - pending)]
                return at, lines + here.count(b"\n") + 1
            if not block:
                return None
            done += len(block)
            lines += block.count(b"\n")
