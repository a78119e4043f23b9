"""Costs: what one unit of an item costs the shop. Rows of ``raw.cost``."""

from __future__ import annotations

from typing import ClassVar

from daybreak.sources.contract.canonical import DAY, ITEM, CanonicalColumn, Kind
from daybreak.sources.merging.dated import (
    KNOWN_AT,
    SOME_STORE,
    Dated,
    last_date,
    merge_dated,
    unique_key,
)
from daybreak.sources.sections.kind import SectionKind
from daybreak.warehouse.tables import cost


class Costs(Dated):
    """What one unit costs, from ``business_date`` until a later row; in all stores without one."""

    kind: ClassVar[str] = "costs"
    own_columns: ClassVar[tuple[CanonicalColumn, ...]] = (
        DAY,
        SOME_STORE,
        ITEM,
        CanonicalColumn("cost", Kind.NUMBER, required=True, non_negative=True),
        KNOWN_AT,
    )
    keys: ClassVar[tuple[str, ...]] = ("business_date", "store_id", "item_id")
    value: ClassVar[str] = "cost"


# Not by period: a cost that holds from a Wednesday on holds at the end of its week, too.
COSTS = SectionKind(
    model=Costs,
    table=cost,
    merge=merge_dated,
    date_column="business_date",
    unique=unique_key,
    last_date=last_date,
    several=True,
)
