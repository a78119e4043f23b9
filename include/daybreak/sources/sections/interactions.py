"""Interactions: who did what with which item. Rows of ``raw.interaction``.

Interactions have no key: a customer may buy the same thing twice in one minute.

So a file that covers known dates again is compared as a multiset of rows: copies that it has
more are appended; fewer remove none, because a fact that was known cannot become unknown. Only
what happened is compared. A basket that a later reading of the file adds, or another weight of
the same kind, is not a new event.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from math import isfinite
from types import MappingProxyType
from typing import Annotated, Any, ClassVar, Self

import pyarrow as pa
from pydantic import AfterValidator, Field, field_validator, model_validator
from sqlalchemy import (
    BigInteger,
    Boolean,
    ColumnElement,
    Date,
    Double,
    Select,
    Subquery,
    Table,
    case,
    cast,
    false,
    func,
    literal,
    null,
    select,
    true,
    union_all,
)

from daybreak.sources.arrow import Array, as_mask
from daybreak.sources.arrow import compute as pc
from daybreak.sources.contract.canonical import ITEM, PRICE, CanonicalColumn, Kind
from daybreak.sources.contract.section import Facts, scalar_text
from daybreak.sources.merging.shared import Merge, Merged, append, closed_dates
from daybreak.sources.merging.staging import ROW, stage_clock
from daybreak.sources.sections.kind import Check, SectionKind
from daybreak.warehouse.tables import interaction

DEFAULT_WEIGHTS: Mapping[str, float] = MappingProxyType({"view": 0.1, "cart": 0.5, "purchase": 1.0})
_EVENT = ("event_at", "user_id", "item_id", "kind", "quantity", "price")
_BASKET = "basket_id"
_VALUES = (*_EVENT, _BASKET)


def _weighable(weight: float) -> float:
    if not (isfinite(weight) and weight >= 0):
        raise ValueError(f"{weight} is not a weight: give a finite number from 0 up")
    return weight


Weight = Annotated[float, AfterValidator(_weighable)]


class Interactions(Facts):
    """Who did what with which item; the recommender learns from them."""

    kind: ClassVar[str] = "interactions"
    own_columns: ClassVar[tuple[CanonicalColumn, ...]] = (
        CanonicalColumn("event_at", Kind.INSTANT, required=True),
        CanonicalColumn("user_id", Kind.TEXT, key=True),
        ITEM,
        CanonicalColumn("kind", Kind.TEXT, required=True),
        CanonicalColumn("basket_id", Kind.TEXT, key=True),
        CanonicalColumn("quantity", Kind.NUMBER, counts=True),
        PRICE,
    )

    weights: dict[str, Weight] | None = Field(
        None,
        min_length=1,
        description="kind -> how much an event says, 1 or more being a purchase; another kind is "
        "a bad row. Default: view 0.1, cart 0.5, purchase 1",
    )

    @field_validator("weights", mode="before")
    @classmethod
    def _kinds_as_text(cls, weights: Any) -> Any:
        if not isinstance(weights, dict):
            return weights
        return {scalar_text(kind): weight for kind, weight in weights.items()}

    @model_validator(mode="after")
    def _constant_weighs(self) -> Self:
        kind = self.columns.get("kind")
        if kind and kind.const is not None and scalar_text(kind.const) not in self.weight_of:
            name = scalar_text(kind.const)
            named = "`weights` names" if self.weights else "without `weights` there are"
            raise ValueError(f"each kind is {name!r}, but {named} {sorted(self.weight_of)}")
        return self

    @property
    def weight_of(self) -> Mapping[str, float]:
        """Kind to weight. A row of a kind that is not there is bad."""
        return DEFAULT_WEIGHTS if self.weights is None else self.weights


def merge_interactions(merge: Merge, section: Interactions, staged: Table) -> Merged:
    """Append the rows of ``staged`` that the warehouse does not hold yet."""
    zone = literal(str(merge.knowledge.zone))
    day = cast(func.timezone(zone, staged.c.event_at), Date)
    dates: list[date] = list(merge.conn.scalars(select(day).distinct().order_by(day)))
    if not dates:
        return Merged(0)
    closed = closed_dates(merge.conn, dates)
    clock = stage_clock(merge.conn, {d: merge.knowledge.of_fact(d, d in closed) for d in dates})
    rows = _new_rows(merge, staged)
    local = cast(func.timezone(zone, rows.c.event_at), Date)
    query = select(
        *(rows.c[name] for name in _VALUES),
        clock.c.business_date,
        _weight(section, rows.c.kind),
        literal(merge.load_id),
        clock.c.known_at,
    ).select_from(rows.join(clock, clock.c.business_date == local))
    target = [*_VALUES, "business_date", "weight", "load_id", "loaded_at"]
    loaded = append(merge.conn, interaction, target, query)
    return Merged(loaded, 0, dates[0], dates[-1])


def _new_rows(merge: Merge, staged: Table) -> Subquery:
    """The rows of ``staged`` beyond those that the warehouse holds of the same event."""
    given = [staged.c[name] if name in staged.c else _absent(name) for name in _VALUES]
    span = merge.conn.execute(
        select(func.min(staged.c.event_at), func.max(staged.c.event_at))
    ).one()
    within = interaction.c.event_at.between(*span)
    if not merge.conn.execute(select(interaction.c.load_id).where(within).limit(1)).first():
        return select(*given).subquery()
    known = select(
        *(interaction.c[name] for name in _VALUES),
        cast(null(), BigInteger).label(ROW),
        true().label("_held"),
    ).where(within)
    both = union_all(known, select(*given, staged.c[ROW], false().label("_held"))).subquery()
    return _beyond(both).subquery()


def _beyond(both: Subquery) -> Select[Any]:
    """Of n copies of an event in the file and k in the warehouse, n - k of the file's.

    Copies in a basket in which the warehouse holds the event already are taken for those that
    it holds. Windows, not a join: they let null equal null without comparing each with each.
    """
    event = [both.c[name] for name in _EVENT]
    basket, row = both.c[_BASKET], both.c[ROW]
    held: ColumnElement[bool] = both.c["_held"]
    place = func.row_number().over(partition_by=[*event, basket, held], order_by=row)
    held_in_basket = func.count().filter(held).over(partition_by=[*event, basket])
    counted = select(
        *both.c,
        func.count().filter(held).over(partition_by=event).label("_copies"),
        cast(place <= held_in_basket, Boolean).label("_matched"),
    ).subquery()
    order = [counted.c["_matched"].desc(), counted.c[_BASKET], counted.c[ROW]]
    parts = [*(counted.c[name] for name in _EVENT), counted.c["_held"]]
    ranked = select(
        *counted.c, func.row_number().over(partition_by=parts, order_by=order).label("_rank")
    ).subquery()
    return select(*(ranked.c[name] for name in _VALUES)).where(
        ~ranked.c["_held"], ranked.c["_rank"] > ranked.c["_copies"]
    )


def _weight(section: Interactions, kind: ColumnElement[str]) -> ColumnElement[float]:
    whens = {name: literal(weight, Double) for name, weight in section.weight_of.items()}
    return case(whens, value=kind)  # no other kind was staged


def _absent(name: str) -> ColumnElement[Any]:
    return cast(null(), interaction.c[name].type).label(name)


def _checks(section: Interactions, column: CanonicalColumn, values: Array) -> list[Check]:
    if column.name != "kind":
        return []
    weights = section.weight_of
    unnamed = pc.invert(pc.is_in(values, value_set=pa.array(list(weights))))
    remedy = "" if section.weights else "; name it in `weights`"
    mask = as_mask(pc.and_(pc.is_valid(values), unnamed))
    return [(mask, f"is none of {sorted(weights)}{remedy}")]


def _last_date(_: Interactions, through: date) -> date:
    return through


INTERACTIONS = SectionKind(
    model=Interactions,
    table=interaction,
    merge=merge_interactions,
    date_column="event_at",
    checks=_checks,
    last_date=_last_date,
)
