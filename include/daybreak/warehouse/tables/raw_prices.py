"""What prices are set by: costs, competitors' prices, stock."""

from __future__ import annotations

from sqlalchemy import Column, Date, Double, Index, Table, Text

from daybreak.warehouse.tables.schema import lineage, metadata

ALL_STORES = ""
"""``store_id`` of a row that holds for every store."""


def _by_series(table: str) -> list[Index]:
    series = ("store_id", "item_id", "business_date", "loaded_at", "load_id")
    return [
        Index(f"{table}_by_date", "business_date"),
        Index(f"{table}_by_series", *series),
    ]


cost = Table(
    "cost",
    metadata,
    Column("business_date", Date, nullable=False, comment="from which it holds"),
    Column("store_id", Text, nullable=False, comment="'' where it holds for all stores"),
    Column("item_id", Text, nullable=False),
    Column("cost", Double, nullable=False, comment="of one unit, in the currency"),
    *lineage(),
    *_by_series("cost"),
    schema="raw",
)
"""What one unit costs, from a date on."""

competitor_price = Table(
    "competitor_price",
    metadata,
    Column("business_date", Date, nullable=False, comment="on which it was seen"),
    Column("store_id", Text, nullable=False, comment="'' where it holds for all stores"),
    Column("item_id", Text, nullable=False),
    Column("competitor", Text, nullable=False),
    Column("price", Double, nullable=False, comment="in the currency"),
    *lineage(),
    *_by_series("competitor_price"),
    schema="raw",
)
"""What others ask for the same item."""

stock = Table(
    "stock",
    metadata,
    Column("business_date", Date, nullable=False, comment="at whose close it was counted"),
    Column("store_id", Text, nullable=False),
    Column("item_id", Text, nullable=False),
    Column("units", Double, nullable=False),
    *lineage(),
    *_by_series("stock"),
    schema="raw",
)
