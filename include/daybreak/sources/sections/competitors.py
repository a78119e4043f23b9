"""Competitors: at which price others sell an item. Rows of ``raw.competitor_price``."""

from __future__ import annotations

from typing import ClassVar

from daybreak.sources.arrow import Array, as_mask
from daybreak.sources.arrow import compute as pc
from daybreak.sources.contract.canonical import DAY, ITEM, CanonicalColumn, Kind
from daybreak.sources.merging.dated import (
    KNOWN_AT,
    SOME_STORE,
    Dated,
    last_date,
    merge_dated,
    unique_key,
)
from daybreak.sources.sections.kind import Check, SectionKind
from daybreak.warehouse.tables import competitor_price


class Competitors(Dated):
    """What a competitor asked for an item on a day: near one store, or everywhere without one."""

    kind: ClassVar[str] = "competitors"
    own_columns: ClassVar[tuple[CanonicalColumn, ...]] = (
        DAY,
        SOME_STORE,
        ITEM,
        CanonicalColumn("competitor", Kind.TEXT, required=True, key=True),
        CanonicalColumn("price", Kind.NUMBER, required=True, non_negative=True),
        KNOWN_AT,
    )
    keys: ClassVar[tuple[str, ...]] = ("business_date", "store_id", "item_id", "competitor")
    value: ClassVar[str] = "price"


def _checks(_: Competitors, column: CanonicalColumn, values: Array) -> list[Check]:
    if column.name != "price":
        return []
    return [(as_mask(pc.equal(values, 0.0)), "is zero")]


COMPETITORS = SectionKind(
    model=Competitors,
    table=competitor_price,
    merge=merge_dated,
    date_column="business_date",
    observed=True,
    unique=unique_key,
    checks=_checks,
    last_date=last_date,
    several=True,
)
