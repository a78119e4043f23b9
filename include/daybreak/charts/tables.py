"""Tables of the page, and the same as CSV."""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from typing import Any, Literal

Kind = Literal["text", "words", "number", "percent", "date", "moment", "mark"]

_STARTS_A_FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠")
"""What spreadsheets take for a formula (OWASP, CSV Injection)."""


def words(value: object) -> str:
    """``not_judged`` as people write it."""
    return str(value).replace("_", " ")


@dataclass(frozen=True)
class Column:
    """A column: ``name`` of the value in a row, what stands above it, how it is shown.

    ``digits``: decimals of a number or of per cent. ``words``: a name such as ``largest_change``,
    shown as people write it. ``mark``: a word that is shown as a badge.
    """

    name: str
    title: str
    kind: Kind = "text"
    digits: int = 1

    @property
    def right(self) -> bool:
        """Whether its values stand at the right, as numbers do."""
        return self.kind in {"number", "percent"}

    def shown(self, value: Any) -> str:
        """A value for people; a dash for what is not known."""
        if value is None or value != value:  # noqa: PLR0124 (NaN)
            return "–"
        if isinstance(value, bool):
            return "yes" if value else "no"
        match self.kind:
            case "number":
                return f"{value:,.{self.digits}f}"
            case "percent":
                return f"{100 * value:.{self.digits}f} %"
            case "moment" if isinstance(value, datetime):
                return f"{value:%Y-%m-%d %H:%M}"
        return words(value) if self.kind == "words" else str(value)


@dataclass(frozen=True)
class Table:
    """Rows of an answer under the names of ``columns``; ``id`` names it in addresses.

    ``only_in_csv``: columns that people find elsewhere, or that a window has no place for.
    """

    id: str
    title: str
    columns: Sequence[Column]
    rows: Sequence[Mapping[str, Any]]
    nothing: str = "Nothing yet."
    only_in_csv: Sequence[Column] = ()


def as_csv(table: Table) -> str:
    """The table as RFC 4180 has it: names of columns first, numbers as they are, texts defused."""
    written = io.StringIO()
    lines = csv.writer(written)
    names = [column.name for column in (*table.columns, *table.only_in_csv)]
    lines.writerow(names)
    for row in table.rows:
        lines.writerow([_cell(row.get(name)) for name in names])
    return written.getvalue()


def _cell(value: Any) -> str | int | float | Decimal:
    if value is None:
        return ""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, int | float | Decimal):
        return value
    if isinstance(value, date):  # a datetime is one
        return value.isoformat()
    text = str(value)
    return f"'{text}" if text.startswith(_STARTS_A_FORMULA) else text
