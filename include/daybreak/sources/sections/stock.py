"""Stock: units that lie in a store at the close of a day. Rows of ``raw.stock``."""

from __future__ import annotations

from typing import ClassVar

from daybreak.sources.contract.canonical import DAY, ITEM, STORE, CanonicalColumn, Kind
from daybreak.sources.merging.dated import KNOWN_AT, Dated, last_date, merge_dated, unique_key
from daybreak.sources.sections.kind import SectionKind
from daybreak.warehouse.tables import stock


class Stock(Dated):
    """Units of an item in a store at the close of a day."""

    kind: ClassVar[str] = "stock"
    own_columns: ClassVar[tuple[CanonicalColumn, ...]] = (
        DAY,
        STORE,
        ITEM,
        CanonicalColumn("units", Kind.NUMBER, required=True, non_negative=True, counts=True),
        KNOWN_AT,
    )
    keys: ClassVar[tuple[str, ...]] = ("business_date", "store_id", "item_id")
    value: ClassVar[str] = "units"


STOCK = SectionKind(
    model=Stock,
    table=stock,
    merge=merge_dated,
    date_column="business_date",
    observed=True,
    unique=unique_key,
    last_date=last_date,
    several=True,
)
