"""Stores: where it is sold. Rows of ``raw.store``."""

from __future__ import annotations

from typing import ClassVar

from daybreak.sources.contract.canonical import KNOWN_FROM, NAME, STORE, CanonicalColumn, Kind
from daybreak.sources.merging.master import Master, merge_master, unique_key
from daybreak.sources.sections.kind import SectionKind
from daybreak.warehouse.tables import store


class Stores(Master):
    """Where it is sold."""

    kind: ClassVar[str] = "stores"
    key: ClassVar[str] = "store_id"
    own_columns: ClassVar[tuple[CanonicalColumn, ...]] = (
        STORE,
        NAME,
        CanonicalColumn("region", Kind.TEXT),
        KNOWN_FROM,
    )


STORES = SectionKind(model=Stores, table=store, merge=merge_master, unique=unique_key)
