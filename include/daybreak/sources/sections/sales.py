"""Sales: units a day, store and item. Rows of ``raw.sales``, of ``raw.plan`` where known ahead."""

from __future__ import annotations

from collections.abc import Collection
from datetime import date, timedelta
from typing import Any, ClassVar, Literal, Self

from pydantic import Field, model_validator
from sqlalchemy import ColumnElement, Select, Table, and_, case, func, literal, select
from sqlalchemy.dialects.postgresql import aggregate_order_by

from daybreak.sources.arrow import Array, as_mask
from daybreak.sources.arrow import compute as pc
from daybreak.sources.contract.canonical import (
    COVARIATES,
    DAY,
    ITEM,
    STORE,
    CanonicalColumn,
    Kind,
)
from daybreak.sources.contract.durations import Ahead, write_duration
from daybreak.sources.contract.section import Facts, Strict, WithCovariates
from daybreak.sources.merging.calendar import is_open
from daybreak.sources.merging.plan_rows import append_derived_plan
from daybreak.sources.merging.shared import (
    Merge,
    Merged,
    append,
    closed_dates,
    covariates_json,
    dates_of,
    differs,
    key_columns,
    later,
    newest,
)
from daybreak.sources.merging.staging import ROW, stage_clock, staging_columns, temporary
from daybreak.sources.sections.kind import Check, SectionKind, days_after
from daybreak.warehouse.tables import sales

Reduction = Literal["first", "last", "max", "min", "mean", "sum", "weighted_mean"]
KEYS = ("business_date", "store_id", "item_id")
_OWN = tuple(column.name for column in COVARIATES)
_VALUES = ("units", *_OWN, "covariates")


class Aggregate(Strict):
    """Lines become one row a key. Units are summed; each covariate has its reduction, the mean
    where an extra one names none. For yes or no, ``max`` is any and ``min`` is all.

    ``first`` and ``last`` are in file order; ``weighted_mean`` weighs by units sold (lines with
    positive units only).
    """

    negative: Literal["net", "quarantine"] = Field(
        "quarantine",
        description="net: negative units cancel units of the same key; never below 0",
    )
    price: Reduction = "weighted_mean"
    promotion: Reduction = "max"
    open: Literal["first", "last", "max", "min"] = "max"
    holiday: Reduction = "max"
    covariates: dict[str, Reduction] = Field({})


class Sales(WithCovariates, Facts):
    """Facts: units sold a day, store and item."""

    kind: ClassVar[str] = "sales"
    own_columns: ClassVar[tuple[CanonicalColumn, ...]] = (
        DAY,
        STORE,
        ITEM,
        CanonicalColumn("units", Kind.NUMBER, required=True, counts=True),
        *COVARIATES,
    )

    aggregate: Aggregate | None = Field(
        None, description="default: each (date, store, item) stands once; a second one is bad"
    )
    known_ahead: dict[str, Ahead] = Field(
        default_factory=dict,
        description="covariate -> how long before its date it was known, which fills raw.plan; "
        "false: only afterwards, so that no plan may give it",
    )
    complete_days: bool = Field(
        False, description="a key absent from a day and store of the file sold nothing"
    )

    @model_validator(mode="after")
    def _known_columns(self) -> Self:
        covariates = {column.name for column in self.canonical[4:]}
        if unknown := sorted(set(self.known_ahead) - covariates):
            raise ValueError(f"`known_ahead` has {unknown}; covariates are {sorted(covariates)}")
        if self.aggregate and (extra := set(self.aggregate.covariates) - set(self.covariates)):
            raise ValueError(f"`aggregate.covariates` has {sorted(extra)}, not in `covariates`")
        return self

    @property
    def ahead(self) -> dict[str, timedelta]:
        """Covariate to how long before its date it was known."""
        return {name: ahead for name, ahead in self.known_ahead.items() if ahead is not None}

    def known(self, covariate: str) -> str | None:
        """When the covariate is known; None: only with the sale."""
        ahead = self.ahead.get(covariate)
        return None if ahead is None else f"{write_duration(ahead)} ahead"

    @property
    def history_only(self) -> frozenset[str]:
        """Covariates that are said to be known only afterwards."""
        return frozenset(self.known_ahead) - frozenset(self.ahead)

    @property
    def nets(self) -> bool:
        """Whether lines of negative units cancel others."""
        return self.aggregate is not None and self.aggregate.negative == "net"


def merge_sales(merge: Merge, section: Sales, staged: Table) -> Merged:
    """Aggregate, compare with what is known, append what is new."""
    how = section.aggregate
    rows = _aggregated(merge, section, how, staged) if how else staged
    dates = [day for day in dates_of(merge.conn, rows) if _in_time(day, merge.through)]
    loaded = 0
    if dates:
        loaded = _append(merge, section, rows, dates)
        _count_sold_while_closed(merge, rows, dates)
    planned = append_derived_plan(merge, section, section.ahead, rows)
    return Merged(loaded, planned, min(dates, default=None), max(dates, default=None))


def _count_sold_while_closed(merge: Merge, rows: Table, dates: list[date]) -> None:
    """The calendar of the data set file may be wrong: say so, the sale counts all the same."""
    shut = [day for day in dates if not is_open(merge.calendar, day)]
    if shut:
        sold = (rows.c.business_date.in_(shut), rows.c.units > 0)
        count = merge.conn.scalar(select(func.count()).select_from(rows).where(*sold)) or 0
        merge.tally.rules["sold_on_a_closed_day"] = count


def _in_time(day: date, through: date | None) -> bool:
    return through is None or day <= through


def _aggregated(merge: Merge, section: Sales, how: Aggregate, staged: Table) -> Table:
    """One row a key, with the rules that made it counted."""
    canonical = [column for column in section.canonical if column.name in staged.c]
    rows = temporary(merge.conn, "aggregated", *staging_columns(canonical))
    units = func.sum(staged.c.units)
    values = {c.name: _reduced(staged, c, how) for c in canonical if c.name not in KEYS}
    values["units"] = func.greatest(units, literal(0.0))
    keys = key_columns(staged, KEYS)
    query = select(*keys, *values.values()).group_by(*keys)
    made = append(merge.conn, rows, [*KEYS, *values], query)
    rules = merge.tally.rules
    rules["merged_into_one_row"] = merge.tally.kept - made
    if how.negative == "net":
        negative = select(func.count()).select_from(staged).where(staged.c.units < 0)
        below = select(*keys).group_by(*keys).having(units < 0).subquery()
        rules["cancellation_netted"] = merge.conn.scalar(negative) or 0
        rules["below_zero_set_to_zero"] = (
            merge.conn.scalar(select(func.count()).select_from(below)) or 0
        )
    return rows


def _reduced(staged: Table, column: CanonicalColumn, how: Aggregate) -> ColumnElement[Any]:
    value = staged.c[column.name]
    own = getattr(how, column.name, "mean")
    reduction: str = how.covariates.get(column.name, own)
    result: ColumnElement[Any]
    if reduction == "weighted_mean":
        sold = and_(staged.c.units > 0, value.is_not(None))
        weight = func.sum(staged.c.units).filter(sold)
        return func.sum(value * staged.c.units).filter(sold) / func.nullif(weight, 0)
    if reduction in ("first", "last"):
        order = staged.c[ROW].asc() if reduction == "first" else staged.c[ROW].desc()
        ordered = func.array_agg(aggregate_order_by(value, order)).filter(value.is_not(None))
        result = ordered[1]
    elif column.kind is Kind.FLAG:
        result = func.bool_or(value) if reduction == "max" else func.bool_and(value)
    else:
        by_name: dict[str, Any] = {
            "max": func.max,
            "min": func.min,
            "sum": func.sum,
            "mean": func.avg,
        }
        result = by_name[reduction](value)
    return result


def _append(merge: Merge, section: Sales, rows: Table, dates: list[date]) -> int:
    first, last = dates[0], dates[-1]
    closed = closed_dates(merge.conn, dates)
    clock = stage_clock(
        merge.conn, {day: merge.knowledge.of_fact(day, day in closed) for day in dates}
    )
    values = _values(rows, section)
    within = sales.c.business_date.between(first, last)
    source = rows.join(clock, clock.c.business_date == rows.c.business_date)
    target = [*KEYS, *values, "load_id", "loaded_at"]
    keys = key_columns(rows, KEYS)
    if merge.conn.execute(select(sales.c.load_id).where(within).limit(1)).first() is None:
        fresh = select(*keys, *values.values(), literal(merge.load_id), clock.c.known_at)
        return append(merge.conn, sales, target, fresh.select_from(source))
    known = newest(sales, KEYS, within)
    same_key = and_(*(known.c[name] == rows.c[name] for name in KEYS))
    changed = differs(list(values.values()), [known.c[name] for name in values])
    query = (
        select(*keys, *values.values(), literal(merge.load_id), later(clock.c.known_at, known))
        .select_from(source.outerjoin(known, same_key))
        .where(known.c.item_id.is_(None) | changed)
    )
    if not section.complete_days:
        return append(merge.conn, sales, target, query)
    # Compared before the new rows are in, so that both see the same past.
    absent = append(merge.conn, sales, *_absent(merge, rows, clock, within))
    merge.tally.rules["absent_set_to_zero"] = absent
    return append(merge.conn, sales, target, query) + absent


def _values(rows: Table, section: Sales) -> dict[str, ColumnElement[Any]]:
    values: dict[str, ColumnElement[Any]] = {"units": rows.c.units}
    values |= {name: rows.c[name] for name in _OWN if name in rows.c}
    extras = [name for name in section.covariates if name in rows.c]
    return values | ({"covariates": covariates_json(rows, extras)} if extras else {})


def _absent(
    merge: Merge, rows: Table, clock: Table, within: ColumnElement[bool]
) -> tuple[list[str], Select[Any]]:
    """Zero rows for keys that an earlier file had and this one, declared complete, has not."""
    known = newest(sales, KEYS, within)
    there = rows.alias("there")
    same_key = and_(*(there.c[name] == known.c[name] for name in KEYS))
    covered = select(rows.c.business_date, rows.c.store_id).distinct().subquery()
    query = (
        select(
            *key_columns(known, KEYS),
            case((known.c.units.is_not(None), 0.0)),
            *(known.c[name] for name in _VALUES[1:]),
            literal(merge.load_id),
            later(clock.c.known_at, known),
        )
        .select_from(
            known.join(
                covered,
                and_(
                    covered.c.business_date == known.c.business_date,
                    covered.c.store_id == known.c.store_id,
                ),
            )
            .join(clock, clock.c.business_date == known.c.business_date)
            .outerjoin(there, same_key)
        )
        .where(there.c.item_id.is_(None), known.c.units != 0)
    )
    return [*KEYS, *_VALUES, "load_id", "loaded_at"], query


def _unique(section: Sales, _: Collection[str]) -> tuple[str, ...]:
    return () if section.aggregate else KEYS  # else lines of a key are merged


def _checks(section: Sales, column: CanonicalColumn, values: Array) -> list[Check]:
    if column.name != "units" or section.nets:
        return []
    return [(as_mask(pc.less(values, 0.0)), "is negative")]


def _last_date(section: Sales, through: date) -> date:
    """What is known ahead of ``through`` comes along."""
    return days_after(through, max(section.ahead.values(), default=timedelta(0)))


SALES = SectionKind(
    model=Sales,
    table=sales,
    merge=merge_sales,
    date_column="business_date",
    by_period=True,
    unique=_unique,
    checks=_checks,
    last_date=_last_date,
)
