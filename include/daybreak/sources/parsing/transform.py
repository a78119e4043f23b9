"""From source rows to canonical rows: filters, parsing, row checks, counts.

Both ``data check`` and a load run exactly this, batch by batch; nothing is kept between batches
but counts and a few examples.
"""

from __future__ import annotations

from datetime import date, datetime, timedelta
from difflib import get_close_matches
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from daybreak.errors import DatasetError
from daybreak.sources import arrow
from daybreak.sources.arrow import Array, Mask, as_mask
from daybreak.sources.arrow import compute as pc
from daybreak.sources.contract.calendar import Calendar
from daybreak.sources.contract.canonical import LONGEST_KEY, CanonicalColumn, Kind
from daybreak.sources.contract.section import Section, Source
from daybreak.sources.parsing.clean import Clean
from daybreak.sources.parsing.convert import WrongTypeError, convert
from daybreak.sources.parsing.filters import holds
from daybreak.sources.parsing.tally import BadRow, Tally
from daybreak.sources.reading.number_text import NumberText
from daybreak.sources.reading.readers import Chunk, Rows
from daybreak.sources.sections.table import kind_of

LARGEST_COUNT = 2.0**24
"""float32 counts every unit up to here; beyond it two counts could become one."""

_MONDAY = 3
"""Weekday of 1970-01-01, from which dates are counted: a Thursday."""

LARGEST_NUMBER = 1e30
"""float32 ends at 3.4e38; below this, also what is added up of prices stays clear of it."""


class Transform:
    """The way of one origin's rows. Raises ``DatasetError`` where the columns do not fit.

    ``last_date``: rows of later dates are left for a later load, and counted as such.
    """

    def __init__(
        self,
        section: Section,
        calendar: Calendar,
        rows: Rows,
        now: datetime,
        last_date: date | None = None,
    ) -> None:
        self.section = section
        self.uri = rows.uri
        self.tally = Tally()
        self._kind = kind_of(section)
        self._zone = calendar.zone
        self._calendar = calendar
        self._today = now.astimezone(calendar.zone).date()
        self._last_date = last_date
        self._mapping = _mapping(section, rows)
        self._numbers = rows.numbers
        for rule in section.filters:
            self.tally.rules[rule.name] = 0

    @property
    def canonical(self) -> tuple[CanonicalColumn, ...]:
        """The canonical columns that come out, in order."""
        return tuple(column for column, _ in self._mapping)

    def apply(self, chunk: Chunk) -> Clean:
        """Canonical rows of ``chunk``; counts go to ``tally``."""
        self.tally.rows += chunk.batch.num_rows + len(chunk.malformed)
        self.tally.merged_lines += chunk.merged_lines
        bad = [
            BadRow(m.row_number, None, m.reason, m.text, chunk.lines_of(m.row_number))
            for m in chunk.malformed
        ]
        whole = ~np.isin(chunk.row_numbers, self._swallowing(chunk))
        for index in np.flatnonzero(~whole):
            number = int(chunk.row_numbers[index])
            covers = chunk.lines_of(number)
            reason = f"swallows {covers - 1} others: a quote in it is stray"
            bad.append(BadRow(number, None, reason, _row(chunk.batch, int(index)), covers))
        batch, numbers = self._filtered(chunk.batch, chunk.row_numbers, whole)
        columns, faults = self._parsed(batch)
        columns = self._by_period(columns)
        refused = np.zeros(batch.num_rows, dtype=bool)
        for name, mask, reason in faults:
            for index in np.flatnonzero(mask & ~refused):
                number = int(numbers[index])
                row = _row(batch, int(index))
                bad.append(BadRow(number, name, reason, row, chunk.lines_of(number)))
            refused |= mask
        for bad_row in bad:
            self.tally.refuse(bad_row)
        keep = ~refused & self._in_time(columns)
        if not keep.all():
            chosen = pa.array(keep)
            columns = {name: values.filter(chosen) for name, values in columns.items()}
            numbers = numbers[keep]
        self.tally.keep(len(numbers), self._dates(columns))
        return Clean(columns, numbers, tuple(bad))

    def finish(self) -> None:
        """Refuse the file where it has no row, or too many bad ones."""
        self.tally.judge(self.uri, self.section, dict(self._sources()))

    def _swallowing(self, chunk: Chunk) -> list[int]:
        """Number of each row whose every line would be a good row.

        Only a date, a time or a number shows it; any text is valid.
        """
        if not any(column.required and column.kind is not Kind.TEXT for column in self.canonical):
            return []
        return [n for n, lines in chunk.lines_apart.items() if not self._parsed(lines)[1]]

    def _sources(self) -> list[tuple[str, str]]:
        return [(c.name, source.column) for c, source in self._mapping if source.column]

    def _filtered(
        self, batch: pa.RecordBatch, numbers: NDArray[np.int64], keep: Mask
    ) -> tuple[pa.RecordBatch, NDArray[np.int64]]:
        for rule in self.section.filters:
            values = batch.column(rule.condition.column)
            if self._numbers and rule.condition.compares_numbers:
                values = self._numbers.plain(values)
            held = holds(rule.condition, values)
            dropped = keep & (held if rule.drop else ~held)
            self.tally.rules[rule.name] += int(dropped.sum())
            keep = keep & ~dropped
        if keep.all():
            return batch, numbers
        return batch.filter(pa.array(keep)), numbers[keep]

    def _parsed(
        self, batch: pa.RecordBatch
    ) -> tuple[dict[str, Array], list[tuple[str, Mask, str]]]:
        columns: dict[str, Array] = {}
        faults: list[tuple[str, Mask, str]] = []
        for column, source in self._mapping:
            if source.column is None:
                constant = arrow.array([source.const])
                parsed = convert(constant, column, source, self._zone).values
                columns[column.name] = pa.repeat(parsed[0], batch.num_rows)
                continue
            values = batch.column(source.column)
            if self._numbers and source.values is None:
                values = _plain(self._numbers, values, column.kind)
            try:
                converted = convert(values, column, source, self._zone)
            except (WrongTypeError, pa.ArrowNotImplementedError):
                raise DatasetError(
                    f"Column {source.column!r} of {self.uri} holds {values.type}, which cannot "
                    f"be read as {column.name} ({column.kind.wording}).",
                    remedy=f"Map another column to {column.name}, or deliver {source.column} as "
                    f"{column.kind.wording}.",
                    file=self.uri,
                    column=source.column,
                ) from None
            columns[column.name] = converted.values
            faults += [(column.name, mask, reason) for mask, reason in converted.faults]
            faults += [
                (column.name, mask, reason)
                for mask, reason in self._checks(column, converted.values)
                if mask.any()
            ]
        return columns, faults

    def _checks(self, column: CanonicalColumn, values: Array) -> list[tuple[Mask, str]]:
        """What a value that could be read must keep."""
        checks: list[tuple[Mask, str]] = []
        if column.required:
            checks.append((as_mask(pc.is_null(values)), "is absent"))
        if column.kind in (Kind.TEXT, Kind.TEXTS):
            most = self.section.longest_text
            too_long = pc.greater(pc.binary_length(values), most)
            checks.append((as_mask(too_long), f"is longer than {most:,} bytes"))
            if column.key:
                too_long = pc.greater(pc.utf8_length(values), LONGEST_KEY)
                checks.append((as_mask(too_long), f"is longer than {LONGEST_KEY} characters"))
        if column.kind is Kind.NUMBER:
            bound = LARGEST_COUNT if column.counts else LARGEST_NUMBER
            wording = "2^24" if column.counts else "1e30"
            checks.append((as_mask(pc.greater(pc.abs(values), bound)), f"is beyond {wording}"))
        if column.non_negative:
            checks.append((as_mask(pc.less(values, 0.0)), "is negative"))
        checks += self._kind.checks(self.section, column, values)
        if self._kind.has_happened and column.name == self._kind.date_column:
            checks.append((self._after(self._today, values), "is in the future"))
        return checks

    def _by_period(self, columns: dict[str, Array]) -> dict[str, Array]:
        """Dates of facts and plans become the last day of their period, which names it."""
        name = self._kind.date_column
        if self._calendar.days == 1 or not self._kind.by_period or name is None:
            return columns
        days = columns[name].cast(pa.int32()).to_numpy(zero_copy_only=False)
        ahead = (self._calendar.last_weekday - (days + _MONDAY)) % 7
        ends = pa.array(days + ahead, pa.int32(), from_pandas=True)
        return columns | {name: ends.cast(pa.date32())}

    def _in_time(self, columns: dict[str, Array]) -> Mask:
        """Rows up to the last date; the others wait for a later load."""
        dates = self._dates(columns)
        if dates is None or self._last_date is None:
            return np.ones(len(next(iter(columns.values()))), dtype=bool)
        late = self._after(self._last_date, dates)
        self.tally.rules["later_than_asked"] += int(late.sum())
        return ~late

    def _dates(self, columns: dict[str, Array]) -> Array | None:
        """The column that dates the rows; None where nothing does."""
        return columns.get(self._kind.date_column) if self._kind.date_column else None

    def _after(self, day: date, values: Array) -> Mask:
        """Which dates or moments are after ``day``."""
        bound: Any = day
        if pa.types.is_timestamp(values.type):
            bound = datetime.combine(day + timedelta(1), datetime.min.time(), self._zone)
            return as_mask(pc.greater_equal(values, arrow.scalar(bound, values.type)))
        return as_mask(pc.greater(values, arrow.scalar(bound, pa.date32())))


def _row(batch: pa.RecordBatch, index: int) -> dict[str, Any]:
    row: dict[str, Any] = batch.slice(index, 1).to_pylist()[0]
    return row


def _plain(numbers: NumberText, values: Array, kind: Kind) -> Array:
    """``values`` with numbers written as Python does, where numbers are wanted."""
    if kind is Kind.NUMBER:
        return numbers.plain(values)
    if kind is Kind.TEXT:
        return numbers.plain_where_whole(values)
    return numbers.plain_where_number(values) if kind is Kind.FLAG else values


def _mapping(section: Section, rows: Rows) -> list[tuple[CanonicalColumn, Source]]:
    """Which canonical column comes from where; every column that is missing is named at once."""
    if section.columns:
        wanted = dict(section.columns)
    else:
        names = {column.name for column in section.canonical}
        wanted = {name: Source(column=name) for name in rows.columns if name in names}
    needed = [source.column for source in wanted.values() if source.column]
    needed += [rule.condition.column for rule in section.filters]
    double = [name for name in dict.fromkeys(needed) if rows.columns.count(name) > 1]
    if double:
        raise DatasetError(
            f"{rows.uri} has the column {double[0]!r} twice, and it is mapped.",
            remedy="Rename one of the two where the data come from, or map another column.",
            file=rows.uri,
            column=double[0],
        )
    missing = [name for name in dict.fromkeys(needed) if name not in rows.columns]
    missing += [
        column.name for column in section.canonical if column.required and column.name not in wanted
    ]
    if missing:
        hints = [hint for name in missing if (hint := _close(name, rows.columns))]
        raise DatasetError(
            f"{rows.uri} lacks the column(s) {', '.join(map(repr, missing))}.",
            remedy=" ".join([*hints, f"It has: {', '.join(rows.columns)}."]),
            file=rows.uri,
            columns=missing,
        )
    return [(column, wanted[column.name]) for column in section.canonical if column.name in wanted]


def _close(name: str, available: tuple[str, ...]) -> str:
    folded = {_folded(other): other for other in available}
    found = get_close_matches(_folded(name), folded, n=1, cutoff=0.6)
    return f"Was {name!r} renamed to {folded[found[0]]!r}? Then map that." if found else ""


def _folded(name: str) -> str:
    return "".join(sign for sign in name.lower() if sign.isalnum())
