"""Items: what is sold, read or watched. Rows of ``raw.item``."""

from __future__ import annotations

from typing import ClassVar, Self

from pydantic import model_validator

from daybreak.sources.contract.canonical import ITEM, KNOWN_FROM, NAME, CanonicalColumn, Kind
from daybreak.sources.merging.master import Master, merge_master, unique_key
from daybreak.sources.sections.kind import SectionKind
from daybreak.warehouse.tables import item


class Items(Master):
    """What is sold. An item has one ``category``, or several ``categories``."""

    kind: ClassVar[str] = "items"
    key: ClassVar[str] = "item_id"
    own_columns: ClassVar[tuple[CanonicalColumn, ...]] = (
        ITEM,
        NAME,
        CanonicalColumn("category", Kind.TEXT),
        CanonicalColumn("categories", Kind.TEXTS),
        KNOWN_FROM,
    )

    @model_validator(mode="after")
    def _one_or_several(self) -> Self:
        if {"category", "categories"} <= set(self.columns):
            raise ValueError("give either `category` or `categories`, whose first one it is")
        return self


ITEMS = SectionKind(model=Items, table=item, merge=merge_master, unique=unique_key)
