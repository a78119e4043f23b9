"""A part of a period report: a question to the report views, its table, and how it is drawn.

Models declare theirs; those of every model are in ``daybreak.reporting.general``.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from daybreak.charts.tables import Column

_ID = re.compile(r"[a-z][a-z0-9_]{0,40}")


@dataclass(frozen=True)
class Drawn:
    """A figure of a section's rows. ``x``, ``values`` and ``beside`` are names of its columns.

    ``beside``: what ``values`` are compared with, such as a baseline. ``most``: bars that are
    drawn; the table has all.
    """

    kind: Literal["lines", "bars"]
    x: str
    values: Sequence[str]
    beside: Sequence[str] = ()
    most: int = 40

    def __post_init__(self) -> None:
        if not self.values:
            raise ValueError("a figure needs something to draw")


@dataclass(frozen=True)
class Section:
    """``id`` names its Parquet file. ``query``: SQL over views of ``report`` alone, with the values
    ``:model``, ``:first`` and ``:last`` (days of the period, both included) and ``:step`` (days of
    a business date of the data set, 7 where it has weeks), where it needs them.

    The table has ``columns`` of the answer, in the order of its rows. ``level``: only rows whose
    column ``level`` says so: sections of one query text are answered by one execution of it.
    ``numbers``: the one row is shown as figures in large type instead of a table. ``most``: rows
    that the page shows; with more it has the first and the last half of so many, and the Parquet
    file has all.
    """

    id: str
    title: str
    query: str
    columns: Sequence[Column]
    level: str | None = None
    drawn: Drawn | None = None
    numbers: bool = False
    note: str = ""
    nothing: str = "Nothing in this period."
    most: int = 40

    def __post_init__(self) -> None:
        if not _ID.fullmatch(self.id):
            raise ValueError(f"{self.id!r} does not name a file: use a-z, 0-9 and _")
        names = {column.name for column in self.columns}
        drawn = (self.drawn.x, *self.drawn.values, *self.drawn.beside) if self.drawn else ()
        if missing := sorted({*drawn} - names):
            raise ValueError(f"the section {self.id} draws {missing}, which are not its columns")
