"""The queries for facts and plans. Each of them is bounded on both clocks, here and only here."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import date, timedelta
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import (
    ARRAY,
    Boolean,
    ColumnElement,
    Connection,
    Double,
    FromClause,
    Integer,
    Table,
    Text,
    any_,
    case,
    cast,
    exists,
    func,
    select,
    text,
)
from sqlalchemy.dialects.postgresql import distinct_on

from daybreak.clock import AsOf
from daybreak.warehouse.packed import Field, Group, Packing, Rows, number, read_groups
from daybreak.warehouse.tables import calendar, item, plan, sales

Series = tuple[str, str]
"""Store and item."""

RECENT = 28

WHOLE_STORE = ""
"""``item_id`` of a plan that holds for all items of its store."""


@dataclass(frozen=True)
class Bounds:
    """What a read may see: days, knowledge, and which stores and items (None: all).

    ``step``: days of a period; ``first`` and ``last`` are the last days of theirs.
    """

    as_of: AsOf
    first: date
    last: date
    stores: Sequence[str] | None = None
    items: Sequence[str] | None = None
    step: int = 1

    @property
    def periods(self) -> int:
        """Periods from ``first`` to ``last``, both included."""
        return (self.last - self.first).days // self.step + 1

    def column_of(self, dates: NDArray[Any]) -> NDArray[np.int64]:
        """Which of the periods each date is in, 0 is ``first``."""
        days = dates.astype(np.int64, copy=False) - np.datetime64(self.first, "D").astype(np.int64)
        return days if self.step == 1 else days // self.step

    def on(self, table: Table) -> list[ColumnElement[bool]]:
        """The conditions that every query of ``table`` carries."""
        c = table.c
        conditions = [
            c.business_date.between(self.first, self.last),
            c.loaded_at <= self.as_of.cutoff,
        ]
        if self.stores is not None:
            conditions.append(among(c.store_id, self.stores))
        if self.items is not None:
            items = [*self.items, WHOLE_STORE] if table is plan else self.items
            conditions.append(among(c.item_id, items))
        return conditions


class Covariates(NamedTuple):
    """Which covariates without a column of their own are read: ``names``, in order.

    ``sold``: those of all that no plan gives. ``left_out``: for which there is no room.
    """

    names: tuple[str, ...] = ()
    sold: frozenset[str] = frozenset()
    left_out: tuple[str, ...] = ()


def extra(name: str) -> str:
    """How a covariate that has no column of its own is called among the columns of a row."""
    return f"covariates.{name}"


def read_rows(
    conn: Connection, table: Table, bounds: Bounds, covariates: Iterable[str]
) -> tuple[list[Series], Rows]:
    """Every visible row of ``sales`` or ``plan``, series by series in bytewise order.

    Columns: ``day`` (int64, the period, 0 is ``bounds.first``), ``units`` (of sales), ``price``,
    ``promotion``, ``open`` (0 or 1), ``holiday`` and ``extra(name)`` of each of ``covariates``
    (float64, NaN where NULL), ``loaded_at`` and ``load_id`` (int64).
    """
    packing = _packing(table, covariates)
    key = (table.c.store_id, table.c.item_id)
    query = select(*key, packing.aggregate()).where(*bounds.on(table)).group_by(*key)
    groups = read_groups(conn, query)
    rows = packing.unpack(groups)
    rows.columns["day"] = bounds.column_of(rows.columns["day"])
    return [_series(group) for group in groups], rows


def read_planned_names(conn: Connection, bounds: Bounds) -> tuple[str, ...]:
    """Names of the covariates without a column of their own that some visible plan gives.

    Only what is planned is known ahead. A value that only sales carry (customers in the shop,
    say) is learned with the sale and would be hindsight in a forecast.
    """
    return _names(conn, plan, bounds)


def read_covariates(conn: Connection, past: Bounds, whole: Bounds, most: int) -> Covariates:
    """The first ``most`` of those in ``whole`` that plans give, then of those that only sales give.

    ``past``: the bounds of the sales, of whose last ``RECENT`` periods alone is asked: each shard
    of a snapshot asks, and what nobody has given for so long is not known any more.
    """
    planned = read_planned_names(conn, whole)
    recent = replace(past, first=past.last - timedelta(days=(RECENT - 1) * past.step))
    sold = tuple(name for name in _names(conn, sales, recent) if name not in planned)
    names = (*planned, *sold)
    return Covariates(names[:most], frozenset(sold), names[most:])


def _names(conn: Connection, table: Table, bounds: Bounds) -> tuple[str, ...]:
    covariates = table.c.covariates
    query = select(func.jsonb_object_keys(covariates)).distinct()
    query = query.where(func.jsonb_typeof(covariates) == "object", *bounds.on(table))
    return tuple(sorted(conn.scalars(query)))


_SOLD_SERIES = text(
    """
    WITH RECURSIVE known AS (
        (
            SELECT store_id, item_id, business_date, loaded_at FROM raw.sales
            ORDER BY store_id DESC, item_id DESC, business_date DESC, loaded_at DESC LIMIT 1
        )
        UNION ALL
        SELECT before.* FROM known CROSS JOIN LATERAL (
            SELECT store_id, item_id, business_date, loaded_at FROM raw.sales
            WHERE (store_id, item_id) < (known.store_id, known.item_id)
            ORDER BY store_id DESC, item_id DESC, business_date DESC, loaded_at DESC LIMIT 1
        ) AS before
    )
    SELECT store_id, item_id FROM known
    WHERE (business_date BETWEEN :first AND :last AND loaded_at <= :cutoff) OR EXISTS (
        SELECT FROM raw.sales
        WHERE sales.store_id = known.store_id AND sales.item_id = known.item_id
            AND sales.business_date BETWEEN :first AND :last AND sales.loaded_at <= :cutoff
    )
    """
)
"""From the newest row of one series to that of the one before it, by the index ``sales_by_series``;
DISTINCT would look at each of 10 M rows for the sake of 30,000 series. By night the newest row is
one that is looked for, and no other has to be."""


def read_sold_series(conn: Connection, bounds: Bounds) -> list[Series]:
    """The series with a visible row of sales, whatever stores and items, in bytewise order."""
    asked = {"first": bounds.first, "last": bounds.last, "cutoff": bounds.as_of.cutoff}
    return sorted((store, name) for store, name in conn.execute(_SOLD_SERIES, asked))


def read_sold_before(
    conn: Connection, bounds: Bounds, series: Sequence[Series] | None = None
) -> set[Series]:
    """The series with a visible row of sales before ``bounds.first``, be it one of 0 units.

    ``series``: only these are asked about, else all with a visible row.
    """
    c = sales.c
    early = sales.alias("early")
    seen: FromClause = select(c.store_id, c.item_id).where(*bounds.on(sales)).distinct().subquery()
    if series is not None:
        seen = _listed(series)
    earlier = exists().where(
        early.c.store_id == seen.c.store_id,
        early.c.item_id == seen.c.item_id,
        early.c.business_date < bounds.first,
        early.c.loaded_at <= bounds.as_of.cutoff,
    )
    return {(store, name) for store, name in conn.execute(select(seen).where(earlier))}


def _listed(series: Sequence[Series]) -> FromClause:
    """Series as a table, from two parameters."""
    stores, items = (cast(list(names), ARRAY(Text)) for names in zip(*series, strict=True))
    columns = func.unnest(stores, items).table_valued("store_id", "item_id")
    return columns.render_derived(name="listed")


def read_categories(conn: Connection, as_of: AsOf) -> dict[str, str]:
    """Item to category, as last known at the cutoff; items without one are left out."""
    c = item.c
    query = (
        select(c.item_id, c.category)
        .where(c.loaded_at <= as_of.cutoff)
        .ext(distinct_on(c.item_id))
        .order_by(c.item_id, c.loaded_at.desc(), c.load_id.desc())
    )
    return {name: category for name, category in conn.execute(query) if category is not None}


def read_further_categories(conn: Connection, as_of: AsOf) -> dict[str, tuple[str, ...]]:
    """Item to its categories after the first, of the items that have several at the cutoff."""
    c = item.c
    newest = (
        select(c.item_id, c.categories)
        .where(c.loaded_at <= as_of.cutoff)
        .ext(distinct_on(c.item_id))
        .order_by(c.item_id, c.loaded_at.desc(), c.load_id.desc())
        .subquery()
    )
    query = select(newest).where(newest.c.categories.is_not(None))
    return {name: tuple(categories[1:]) for name, categories in conn.execute(query)}


def read_calendar(conn: Connection, bounds: Bounds) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """Whether the business as a whole is open, and whether there is a public holiday.

    Both bool (periods,). A day that the calendar does not hold is an open working day. The calendar
    is known years ahead and has no knowledge time.
    """
    c = calendar.c
    is_open, is_holiday = np.ones(bounds.periods, bool), np.zeros(bounds.periods, bool)
    query = select(c.business_date, c.open, c.holiday.is_not(None)).where(
        c.business_date.between(bounds.first, bounds.last)
    )
    for day, open_, holiday in conn.execute(query):
        column = (day - bounds.first).days // bounds.step
        is_open[column] = open_
        is_holiday[column] = holiday
    return is_open, is_holiday


def _packing(table: Table, covariates: Iterable[str]) -> Packing:
    c = table.c
    fields = {"day": Field(c.business_date, "M8[D]")}
    if table is sales:
        fields["units"] = Field(c.units, "f8")
    for name in ("price", "promotion", "holiday"):
        fields[name] = number(c[name])
    fields["open"] = number(cast(cast(c.open, Integer), Double))
    for name in covariates:
        fields[extra(name)] = number(from_json(c.covariates[name]))
    fields["loaded_at"] = Field(c.loaded_at, "M8[us]")
    fields["load_id"] = Field(c.load_id, "i8")
    return Packing(fields)


def from_json(value: Any) -> ColumnElement[Any]:
    """A number or a flag of a JSON document as a double, else NULL."""
    kind = func.jsonb_typeof(value)
    flag = cast(cast(cast(value, Boolean), Integer), Double)
    return case((kind == "number", cast(value, Double)), (kind == "boolean", flag))


def among(name: ColumnElement[str], values: Sequence[str]) -> ColumnElement[bool]:
    """Whether a name is one of ``values``, which travel as one parameter."""
    return name == any_(cast(list(values), ARRAY(Text)))


def _series(group: Group) -> Series:
    store, name = group.key
    return store, name
