"""A CSV file cut into whole records, with every physical line accounted for.

Quotes mean what they mean to Arrow and to Python's ``csv``: one opens a value only at its start,
two within a quoted value are one, and whatever follows the closing one belongs to the value.
A line ends with LF, CR LF or CR. What no correct writer makes is refused, because it makes lines
vanish: a quote that is never closed, a record of very many lines, a quote that is closed lines
later in the middle of a value.
"""

from __future__ import annotations

import re
from collections.abc import Generator, Iterator, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from daybreak.errors import DatasetError
from daybreak.sources.reading.readers import Lines

Positions = NDArray[np.intp]

LONGEST_RECORD_BYTES = 8 << 20
"""What is held of one record at most; a line without an end must not fill the memory."""

_QUOTE, _LF, _CR = b'"\n\r'
_FIRST, _AFTER_QUOTE, _OTHER = b"FAO"
# A quote that opens a value, then pairs that close and open it again, then the one that closes.
_QUOTED = re.compile(rb"F(?:.A)*.?")


@dataclass(frozen=True)
class Block:
    """Whole records. ``data``: UTF-8, every line with its end.

    ``covered``: int64 (n,), how many lines each record covers; blank lines are none.
    ``suspects``: by their place among the records, those of several lines each of which has as
    many delimiters as the header: they may be records of their own, between two stray quotes.
    """

    data: bytes
    covered: Positions
    suspects: Mapping[int, bytes]


class RecordReader:
    """Cuts ``pieces`` of UTF-8 text into blocks of whole records, the header a block of its own.

    ``lines`` counts what was given out so far; ``columns`` is for the caller to set. Raises
    ``DatasetError``, with the line where the quote opened, for the faults above; ``longest`` is
    the most lines that a record may have.
    """

    def __init__(
        self, pieces: Iterator[bytes], uri: str, delimiter: str, longest: int, lines: Lines
    ) -> None:
        self.lines = lines
        self.columns = 0  # of the header, once it is known
        self._pieces = pieces
        self._uri = uri
        self._delimiter = ord(delimiter)
        self._longest = longest

    def blocks(self) -> Iterator[Block]:
        """The header, then the rest in blocks about as large as the pieces."""
        rest = b""
        for piece in self._pieces:
            rest = yield from self._split(rest + piece)
        if rest:
            rest = yield from self._split(rest if rest.endswith(b"\n") else rest + b"\n")
        if rest:
            raise self._never_closed(_Scan(rest, self._delimiter))

    def _split(self, text: bytes) -> Generator[Block, None, bytes]:
        """The blocks of ``text``; returns what is left of it."""
        while True:
            header = not self.lines.header
            block, text = self._take(text, header=header)
            if block is None:
                return text
            if len(block.covered):
                yield block
            if not header:
                return text

    def _take(self, text: bytes, *, header: bool) -> tuple[Block | None, bytes]:
        """A block from the beginning of ``text``, or None where no record ends; and the rest."""
        scan = _Scan(text, self._delimiter)
        self._check(scan)
        ends = scan.record_ends
        if not len(ends):
            return None, text
        starts = np.concatenate(([0], scan.line_ends[ends[:-1]] + 1))
        size = scan.line_ends[ends] - starts
        blank = (size == 0) | ((size == 1) & (scan.bytes[starts] == _CR))
        covered = np.diff(ends, prepend=-1)
        if header:
            last = len(blank) if blank.all() else int(np.argmin(blank)) + 1  # not blank
            blank, covered, ends = blank[:last], covered[:last], ends[:last]
        self._count(covered[~blank], int(blank.sum()), header=header)
        end = int(scan.line_ends[ends[-1]]) + 1
        place = np.cumsum(~blank) - 1
        suspects = {
            int(place[record]): text[starts[record] : scan.line_ends[ends[record]] + 1]
            for record in self._suspects(scan, ends, covered)
        }
        return Block(text[:end], covered[~blank], suspects), text[end:]

    def _suspects(self, scan: _Scan, ends: Positions, covered: Positions) -> Positions:
        several = np.flatnonzero(covered > 1)
        if self.columns < 2 or not len(several):
            return several[:0]
        alike = scan.delimiters_by_line() == self.columns - 1
        before = np.concatenate(([0], np.cumsum(alike)))
        within = before[ends[several] + 1] - before[ends[several] + 1 - covered[several]]
        found: Positions = several[within == covered[several]]
        return found

    def _count(self, records: Positions, blank: int, *, header: bool) -> None:
        covered = int(records.sum())
        self.lines.total += covered + blank
        self.lines.blank += blank
        if header:
            self.lines.header += covered
        else:
            self.lines.merged += covered - len(records)

    def _check(self, scan: _Scan) -> None:
        """Refuse what makes lines vanish. ``scan`` begins where a record does."""
        covered = np.diff(scan.record_ends, prepend=-1)
        if len(long := np.flatnonzero(covered > self._longest)):
            last = int(scan.record_ends[long[0]])
            raise self._too_many_lines(scan, last - int(covered[long[0]]) + 1)
        begun = int(scan.record_ends[-1]) + 1 if len(scan.record_ends) else 0
        if len(scan.line_ends) - begun >= self._longest:
            raise self._too_many_lines(scan, begun)
        if len(covered) and (covered > 1).any() and (stray := scan.closed_within_a_value()):
            opened, closed = (self.lines.total + line + 1 for line in stray)
            raise self._refused(
                f"The quote opened in line {opened} of {self._uri} is closed in line {closed}, in "
                "the middle of a value",
                opened,
            )
        start = int(scan.line_ends[begun - 1]) + 1 if begun else 0
        if len(scan.bytes) - start > LONGEST_RECORD_BYTES:
            line = self.lines.total + begun + 1
            raise DatasetError(
                f"The record that begins in line {line} of {self._uri} is longer than "
                f"{LONGEST_RECORD_BYTES >> 20} MB.",
                remedy="Deliver the file again, with a line end after each record.",
                file=self._uri,
                line=line,
            )

    def _too_many_lines(self, scan: _Scan, first: int) -> DatasetError:
        opened = self.lines.total + scan.opening_line(first) + 1
        return self._refused(
            f"The quote opened in line {opened} of {self._uri} is not closed within "
            f"{self._longest} lines",
            opened,
        )

    def _never_closed(self, scan: _Scan) -> DatasetError:
        opened = self.lines.total + scan.opening_line(0) + 1
        return self._refused(
            f"The quote opened in line {opened} of {self._uri} is never closed", opened
        )

    def _refused(self, fault: str, line: int) -> DatasetError:
        return DatasetError(
            f"{fault}: the lines after it would be lost in one record.",
            remedy=f'Correct line {line} (a quote within a value is written twice, ""); where '
            "records truly have so many lines, raise `csv: {record_lines: ...}` "
            f"(now {self._longest}).",
            file=self._uri,
            line=line,
        )


class _Scan:
    """Where lines, records and quoted values end in a text that begins with a record.

    ``line_ends``: last byte of each line. ``record_ends``: which of them (index) end a record.
    """

    def __init__(self, text: bytes, delimiter: int) -> None:
        self.bytes = np.frombuffer(text, np.uint8)
        self.line_ends = _line_ends(self.bytes, cr=b"\r" in text)
        self.record_ends: Positions = np.arange(len(self.line_ends))
        self._delimiter = delimiter
        self._quotes: Positions = np.array([], np.intp)
        if b'"' not in text:
            return
        # By turns quotes open and close, where each that should open stands at the beginning of
        # a value, or writes a quote within one twice. Where that is not so, look at each value.
        self._quotes = np.flatnonzero(self.bytes == _QUOTE)
        if not self._beside(self._quotes[0::2] - 1).all():
            self._quotes = self._without_literal()
        still_open = np.searchsorted(self._quotes, self.line_ends) & 1
        self.record_ends = np.flatnonzero(still_open == 0)

    def opening_line(self, first: int) -> int:
        """Line (0 is the first) of the quoted value with a line end in it, from ``first`` on."""
        start = int(self.line_ends[first - 1]) + 1 if first else 0
        opened, closed = self._values()
        several = (opened >= start) & (self._line(opened) != self._line(closed))
        return int(self._line(opened[several][:1])[0])

    def closed_within_a_value(self) -> tuple[int, int] | None:
        """Lines of the quotes around the first value that spans lines and goes on after them."""
        if self._beside(self._quotes[1::2] + 1).all():
            return None
        opened, closed = self._values()
        lines = self._line(opened), self._line(closed)
        stray = np.flatnonzero(~self._beside(closed + 1) & (lines[0] != lines[1]))
        return (int(lines[0][stray[0]]), int(lines[1][stray[0]])) if len(stray) else None

    def delimiters_by_line(self) -> Positions:
        """How many stand in each line, within quotes or not."""
        delimiters = np.flatnonzero(self.bytes == self._delimiter)
        return np.diff(np.searchsorted(delimiters, self.line_ends), prepend=0)

    def _values(self) -> tuple[Positions, Positions]:
        """First and last quote of each quoted value; the text's end where one is still open."""
        quotes = self._quotes
        if len(quotes) & 1:
            quotes = np.append(quotes, len(self.bytes))
        opens, closes = quotes[0::2], quotes[1::2]
        begins = np.ones(len(opens), bool)
        begins[1:] = opens[1:] != closes[:-1] + 1  # else a quote that is written twice
        return opens[begins], closes[np.append(begins[1:], True)]

    def _line(self, positions: Positions) -> Positions:
        return np.searchsorted(self.line_ends, positions)

    def _beside(self, positions: Positions) -> NDArray[np.bool_]:
        """Whether a delimiter, a line end, a quote or nothing stands at ``positions``."""
        sign = self.bytes[np.clip(positions, 0, len(self.bytes) - 1)]
        found: NDArray[np.bool_] = (
            (sign == self._delimiter) | (sign == _QUOTE) | (sign == _LF) | (sign == _CR)
        )
        found[(positions < 0) | (positions >= len(self.bytes))] = True
        return found

    def _without_literal(self) -> Positions:
        """The quotes without those that only belong to a value, such as the one in 5" nails."""
        before = self.bytes[self._quotes - 1]
        if self._quotes[0] == 0:
            before[0] = _LF
        kinds = np.full(len(before), _OTHER, np.uint8)
        kinds[before == _QUOTE] = _AFTER_QUOTE
        kinds[(before == self._delimiter) | (before == _LF) | (before == _CR)] = _FIRST
        real = np.zeros(len(before), bool)
        for value in _QUOTED.finditer(kinds.tobytes()):
            real[value.start() : value.end()] = True
        return self._quotes[real]


def _line_ends(text: NDArray[np.uint8], *, cr: bool) -> Positions:
    ends = np.flatnonzero(text == _LF)
    if not cr:
        return ends
    returns = np.flatnonzero(text == _CR)
    returns = returns[returns + 1 < len(text)]  # the last byte may be half of a CR LF
    alone = returns[text[returns + 1] != _LF]
    return np.sort(np.concatenate((ends, alone))) if len(alone) else ends
