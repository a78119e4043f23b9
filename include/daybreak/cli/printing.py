"""Tables for people, as wide as needed and without trailing blanks; JSON for programs."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from datetime import date
from typing import Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

PIPED_WIDTH = 200
"""A file or a pipe has no width of its own, and tables need more than the usual 80."""


def print_table(table: Table) -> None:
    """Print on standard output. Rich pads every cell, the last one of a line too."""
    console = Console(highlight=False)
    if not console.is_terminal:
        console.width = PIPED_WIDTH
    for segments in console.render_lines(table, pad=False):
        line = Text.assemble(*((part.text, part.style or "") for part in segments))
        line.rstrip()
        console.print(line, soft_wrap=True)


def print_columns(
    titles: Sequence[str], rows: Iterable[Sequence[str]], right: Sequence[str] = ()
) -> None:
    """A table without lines. ``right``: titles of the columns of numbers."""
    table = Table(box=None, pad_edge=False)
    for title in titles:
        table.add_column(title, justify="right" if title in right else "left", overflow="fold")
    for row in rows:
        table.add_row(*(Text(cell) for cell in row))
    print_table(table)


def print_json(value: Any) -> None:
    """One line of JSON on standard output; dates and moments as ISO 8601."""
    print(json.dumps(value, default=_as_json, ensure_ascii=False))


def _as_json(value: object) -> str:
    return value.isoformat() if isinstance(value, date) else str(value)
