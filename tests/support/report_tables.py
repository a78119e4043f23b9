"""Reads the tables of a report's page again, as a person's program would: by its HTML alone."""

from __future__ import annotations

import json
from html.parser import HTMLParser
from typing import Any


class ReportPage(HTMLParser):
    """``tables``: by section its rows; a cell is the ``value`` of its ``data`` element or its text.

    ``figures``: by id the JSON of its block. ``texts``: everything that is shown, joined.
    """

    def __init__(self, page: str) -> None:
        super().__init__()
        self.tables: dict[str, list[list[str]]] = {}
        self.figures: dict[str, Any] = {}
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.texts = ""
        self._rows: list[list[str]] | None = None
        self._cell: list[str] | None = None
        self._value: str | None = None
        self._figure = ""
        self._hidden = False
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        self.tags.append((tag, given))
        if section := given.get("data-section"):
            self._rows = self.tables[section] = [[]] if tag == "dl" else []
        if tag == "tr" and self._rows is not None:
            self._rows.append([])
        if tag in {"td", "dd"}:
            self._cell, self._value = [], None
        if tag == "data":
            self._value = given["value"]
        if tag in {"script", "style"}:
            self._hidden = True
            self._figure = given.get("id") or ""

    def handle_data(self, data: str) -> None:
        if self._figure:
            self.figures[self._figure] = json.loads(data)
        if not self._hidden:
            self.texts += data
        if self._cell is not None:
            self._cell.append(data)

    def handle_endtag(self, tag: str) -> None:
        if tag in {"td", "dd"} and self._cell is not None and self._rows is not None:
            self._rows[-1].append("".join(self._cell) if self._value is None else self._value)
            self._cell = None
        if tag in {"table", "dl"} and self._rows is not None:
            self._rows[:] = [row for row in self._rows if row]  # the head has no cells
            self._rows = None
        if tag in {"script", "style"}:
            self._hidden, self._figure = False, ""
