"""Facts of many days as dense matrices, read with as few bytes and calls of the server as can be.

``rows.read_rows`` packs whole rows with when each became known: nine calls a row. Here a row is a
day and its two numbers that are nearly always there; what is rare (a flag, a holiday, an extra
covariate) is packed apart, where it is there. Which of two rows of a day holds needs to be known of
few series only: those are read again as whole rows.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from itertools import groupby
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import (
    ColumnElement,
    Connection,
    Double,
    Integer,
    Table,
    and_,
    cast,
    collate,
    func,
    or_,
    select,
    tuple_,
)

from daybreak.facts.pivot import Grid, latest
from daybreak.facts.rows import (
    Bounds,
    Series,
    among,
    extra,
    from_json,
    read_rows,
)
from daybreak.types import Float32
from daybreak.warehouse.packed import Field, Packing, Rows, number, stream_columns
from daybreak.warehouse.tables import plan, sales

BYTES_AT_ONCE = 8 << 20
SERIES_AGAIN = 500
FEW_STORES = 2

_ALWAYS: dict[Table, dict[str, Field]] = {
    sales: {"units": Field(sales.c.units, "f8"), "price": number(sales.c.price)},
    plan: {"price": number(plan.c.price), "promotion": number(plan.c.promotion)},
}

_SETTINGS = {
    # Groups are hashed, never sorted: sorting 10 M rows for the sake of 30,000 groups took three
    # times as long. With several processes reading, workers and compiled code only get in the way.
    "enable_sort": "off",
    "jit": "off",
    "max_parallel_workers_per_gather": "0",
    "work_mem": "64MB",
}


class Sheet:
    """The rows in force of some series, dense: ``matrix`` as in ``Grid``."""

    def __init__(self, series: int, days: int) -> None:
        self._shape = (series, days)
        self._there = np.zeros(self._shape, np.bool_)
        self._columns: dict[str, Float32] = {}

    def fill(self, name: str, cell: NDArray[np.int64], values: NDArray[Any]) -> None:
        """Put values of a column into cells of the flattened matrix."""
        if name not in self._columns:
            self._columns[name] = np.full(self._shape, np.nan, np.float32)
        self._columns[name].reshape(-1)[cell] = values

    def mark(self, cell: NDArray[np.int64]) -> None:
        """Note the cells that have a row."""
        self._there.reshape(-1)[cell] = True

    def days_with_a_row(self, place: NDArray[np.int64]) -> NDArray[np.int64]:
        """Of the series ``place``."""
        return np.asarray(self._there[place].sum(axis=1), np.int64)

    def replace(self, place: NDArray[np.int64], grid: Grid) -> None:
        """Take the rows in force of the series ``place`` from a grid."""
        for name in {*self._columns, *grid.columns}:
            rows = grid.matrix(name)
            if name in self._columns or not np.isnan(rows).all():
                self.fill(name, np.empty(0, np.int64), np.empty(0))
                self._columns[name][place] = rows

    def matrix(self, name: str) -> Float32:
        """A column as float32 (n, days); NaN in cells without a row, or with an unknown value."""
        found = self._columns.get(name)
        return np.broadcast_to(np.float32(np.nan), self._shape) if found is None else found

    @property
    def days(self) -> int:
        """Number of columns."""
        return self._shape[1]

    def first_day(self) -> NDArray[np.int64]:
        """Day of the first row of each series; the number of days where it has none."""
        some = self._there.any(axis=1)
        return np.where(some, self._there.argmax(axis=1), self._shape[1])


def read_sheet(  # noqa: PLR0917 - as `read_rows`, and of which series
    conn: Connection,
    table: Table,
    bounds: Bounds,
    covariates: Sequence[str],
    series: Sequence[Series],
    days: int,
) -> Sheet:
    """The visible rows of ``sales`` or ``plan`` of some series, in bytewise order of their key.

    Those between the first and the last of them are best all there is: it is read at once.
    """
    always = Packing({"day": Field(table.c.business_date, "M8[D]"), **_ALWAYS[table]})
    rare = _rare(table, covariates)
    packed = [
        always.aggregate(),
        *(_one(table, value).aggregate(value.is_not(None)) for value in rare.values()),
    ]
    key = (table.c.store_id, table.c.item_id)
    wanted = [*bounds.on(table), _of_series(table, series)]
    query = select(*key, *packed).where(*wanted).group_by(*key)
    place = {one: number for number, one in enumerate(series)}
    sheet, twice = Sheet(len(series), days), [np.empty(0, np.int64)]

    def cells(which: NDArray[np.int64], rows: Rows) -> NDArray[np.int64]:
        begin = which * days
        return np.asarray(begin[rows.group] + bounds.column_of(rows.columns["day"]), np.int64)

    with hashed(conn):
        for keys, columns in stream_columns(conn, query, len(key), BYTES_AT_ONCE):
            which = np.array([place.get((store, item), -1) for store, item in keys], np.int64)
            ours = np.flatnonzero(which >= 0)
            which = which[ours]
            common, *others = ([values[at] for at in ours] for values in columns)
            rows = always.unpack_values(common)
            cell = cells(which, rows)
            sheet.mark(cell)
            for name in _ALWAYS[table]:
                sheet.fill(name, cell, rows.columns[name])
            counts = np.bincount(rows.group, minlength=len(which))
            twice.append(which[sheet.days_with_a_row(which) < counts])
            for (name, value), values in zip(rare.items(), others, strict=True):
                rows = _one(table, value).unpack_values(values)
                if len(rows.group):
                    sheet.fill(name, cells(which, rows), rows.columns["value"])
    again = np.sort(np.concatenate(twice))
    if len(again):
        _read_again(conn, table, bounds, covariates, [series[one] for one in again], again, sheet)
    return sheet


def _read_again(  # noqa: PLR0917 - what `read_sheet` was given
    conn: Connection,
    table: Table,
    bounds: Bounds,
    covariates: Sequence[str],
    series: Sequence[Series],
    place: NDArray[np.int64],
    sheet: Sheet,
) -> None:
    """Series with a corrected day: the row that became known last holds as a whole."""
    for first in range(0, len(series), SERIES_AGAIN):
        some = series[first : first + SERIES_AGAIN]
        stores, items = (sorted(set(names)) for names in zip(*some, strict=True))
        narrow = replace(bounds, stores=stores, items=items)
        found, rows = read_rows(conn, table, narrow, covariates)
        at = {one: number for number, one in enumerate(some)}
        of = np.array([at.get(one, -1) for one in found], np.int64)
        grid = latest((len(some), sheet.days), of[rows.group], rows.columns)
        sheet.replace(place[first : first + SERIES_AGAIN], grid)


def _rare(table: Table, covariates: Sequence[str]) -> dict[str, ColumnElement[Any]]:
    """What most rows leave out, each a double or NULL."""
    c = table.c
    flags = {"promotion": c.promotion, "holiday": c.holiday}
    return {
        **{name: value for name, value in flags.items() if name not in _ALWAYS[table]},
        "open": cast(cast(c.open, Integer), Double),
        **{extra(name): from_json(c.covariates[name]) for name in covariates},
    }


def _one(table: Table, value: ColumnElement[Any]) -> Packing:
    return Packing({"day": Field(table.c.business_date, "M8[D]"), "value": Field(value, "f8")})


def _of_series(table: Table, series: Sequence[Series]) -> ColumnElement[bool]:
    """What the index finds without knowing how the database sorts, and little else.

    A store or two: their items. More of them: the stores, and of these what is not before the first
    series nor after the last, which is cheaper to tell of a row than whether it is one of many.
    """
    c = table.c
    items = {
        store: [item for _, item in those]
        for store, those in groupby(series, key=lambda one: one[0])
    }
    if len({item for _, item in series}) == 1:  # plans for whole stores
        return and_(among(c.store_id, list(items)), c.item_id == series[0][1])
    if len(items) <= FEW_STORES:
        return or_(
            *(and_(c.store_id == store, among(c.item_id, names)) for store, names in items.items())
        )
    key = tuple_(collate(c.store_id, "C"), collate(c.item_id, "C"))
    return and_(among(c.store_id, list(items)), key >= series[0], key <= series[-1])


@contextmanager
def hashed(conn: Connection) -> Iterator[None]:
    """Let the server hash groups, in this process alone, for the block."""
    names = list(_SETTINGS)
    before = conn.execute(select(*(func.current_setting(name) for name in names))).one()
    _set(conn, dict(zip(names, before, strict=True)) | _SETTINGS)
    yield
    _set(conn, dict(zip(names, before, strict=True)))


def _set(conn: Connection, settings: dict[str, str]) -> None:
    conn.execute(select(*(func.set_config(name, value, True) for name, value in settings.items())))
