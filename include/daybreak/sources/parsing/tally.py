"""What happened to the rows of one file: counts, examples, and whether it may be loaded."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Any

from daybreak.errors import DatasetError
from daybreak.sources.arrow import Array
from daybreak.sources.arrow import compute as pc
from daybreak.sources.contract.section import Section

EXAMPLES = 5
WHOLE_COLUMN = 0.5
"""From this share on it is the column that is wrong, not its rows."""
LONGEST_KEPT = 1_000
"""Characters that a bad row keeps of a value: enough to recognise it."""


@dataclass(frozen=True)
class BadRow:
    """A row that cannot be loaded. ``field`` is None where the line itself is broken.

    ``lines``: how many lines of its file it covers.
    Of a long value its beginning is kept, so that a bad row is small however large its cells are.
    """

    row_number: int
    field: str | None
    reason: str
    row: dict[str, Any] | str
    lines: int = 1

    def __post_init__(self) -> None:
        row = self.row
        short = (
            _shortened(row)
            if isinstance(row, str)
            else {name: _shortened(value) for name, value in row.items()}
        )
        object.__setattr__(self, "row", short)  # how a frozen dataclass sets what it was given

    def as_json(self) -> dict[str, Any]:
        """JSON-able, as the quarantine and the reports hold it."""
        row = {"line": self.row} if isinstance(self.row, str) else self.row
        return {
            "row_number": self.row_number,
            "field": self.field,
            "reason": self.reason,
            "row": {name: _jsonable(value) for name, value in row.items()},
        }


@dataclass
class Tally:
    """Counts of one origin. ``rules``: filter name -> rows that it dropped.

    ``merged_lines``: lines that rows cover beyond their first. ``bad_lines``: those of bad rows.
    """

    rows: int = 0
    kept: int = 0
    quarantined: int = 0
    merged_lines: int = 0
    bad_lines: int = 0
    rules: Counter[str] = field(default_factory=Counter)
    faults: Counter[tuple[str | None, str]] = field(default_factory=Counter)
    examples: list[BadRow] = field(default_factory=list)
    first_of: dict[tuple[str | None, str], BadRow] = field(default_factory=dict)
    first_date: date | None = None
    last_date: date | None = None

    def refuse(self, row: BadRow) -> None:
        """Count a bad row."""
        self.quarantined += 1
        self.bad_lines += row.lines
        self.faults[(row.field, row.reason)] += 1
        self.first_of.setdefault((row.field, row.reason), row)
        if len(self.examples) < EXAMPLES:
            self.examples.append(row)

    def keep(self, count: int, dates: Array | None) -> None:
        """Count good rows and widen the range of dates."""
        self.kept += count
        if count and dates is not None:
            low, high = (_as_date(bound.as_py()) for bound in pc.min_max(dates).values())
            self.first_date = min(self.first_date or low, low)
            self.last_date = max(self.last_date or high, high)

    def judge(self, uri: str, section: Section, sources: Mapping[str, str]) -> None:
        """Raise ``DatasetError`` where the file has no rows, or more bad ones than it may have.

        The larger share counts, that of rows or that of lines: one bad row of 300 lines is 300 bad
        ones.

        ``sources``: canonical column -> source column, to name the one the owner knows.
        """
        if self.rows == 0:
            raise DatasetError(
                f"{uri} is empty: it has no data rows.", remedy="Deliver the file again.", file=uri
            )
        lines = self.rows + self.merged_lines
        share = max(self.quarantined / self.rows, self.bad_lines / lines)
        if share <= section.max_bad_share:
            return
        covering = (
            f" ({self.bad_lines} of {lines} lines)" if self.bad_lines > self.quarantined else ""
        )
        (name, reason), count = self.faults.most_common(1)[0]
        column = sources.get(name, name) if name else None
        what = f"column {column!r} {reason}" if column else f"the line {reason}"
        example = self.first_of[(name, reason)]
        value = example.row.get(str(column)) if isinstance(example.row, dict) else example.row
        raise DatasetError(
            f"{uri} is refused: {self.quarantined} of {self.rows} rows are bad{covering}. In "
            f"{count} of them {what}; the first is row {example.row_number}: {value!r}.",
            remedy=_remedy(column, count / self.rows, section),
            file=uri,
            column=column,
            quarantined=self.quarantined,
            rows=self.rows,
            examples=[row.as_json() for row in self.examples],
        )


def _remedy(column: str | None, share: float, section: Section) -> str:
    if column and share >= WHOLE_COLUMN:
        return (
            f"Check what is mapped to {column!r}, its `format` where it is a date, and `csv: "
            "{decimal: ..., thousands: ...}` where it is a number."
        )
    return (
        f"Correct the file, drop such rows by a filter, or raise max_bad_share "
        f"(now {section.max_bad_share:g}) of {section.kind!r}."
    )


def _as_date(value: date | datetime) -> date:
    return value.date() if isinstance(value, datetime) else value


def _shortened(value: Any) -> Any:
    if isinstance(value, list | dict | bytes):
        value = str(value)
    if isinstance(value, str) and len(value) > LONGEST_KEPT:
        return f"{value[:LONGEST_KEPT]}… ({len(value):,} characters)"
    return value


def _jsonable(value: Any) -> Any:
    if isinstance(value, float) and not math.isfinite(value):
        return None
    if isinstance(value, str):
        return value.replace("\0", "\N{SYMBOL FOR NULL}")  # PostgreSQL holds no NUL in JSON
    return value if value is None or isinstance(value, bool | int | float) else str(value)
