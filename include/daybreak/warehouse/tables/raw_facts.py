"""Facts of sales, plans, baskets and calendars, as files gave them."""

from __future__ import annotations

from sqlalchemy import BigInteger, Boolean, Column, Date, Double, Index, SmallInteger, Table, Text
from sqlalchemy.dialects.postgresql import JSONB

from daybreak.warehouse.tables.schema import Instant, lineage, metadata

sales = Table(
    "sales",
    metadata,
    Column("business_date", Date, nullable=False),
    Column("store_id", Text, nullable=False),
    Column("item_id", Text, nullable=False),
    Column("units", Double, nullable=False),
    Column("price", Double),
    Column("promotion", Double),
    Column("open", Boolean),
    Column("holiday", Double),
    Column("covariates", JSONB),
    *lineage(),
    Index("sales_by_date", "business_date"),
    Index("sales_by_series", "store_id", "item_id", "business_date", "loaded_at", "load_id"),
    schema="raw",
)
"""One row a (date, store, item) and load. A day without a row sold nothing."""

plan = Table(
    "plan",
    metadata,
    Column("business_date", Date, nullable=False),
    Column("store_id", Text, nullable=False),
    Column("item_id", Text, nullable=False, comment="'' where the plan holds for the whole store"),
    Column("price", Double),
    Column("promotion", Double),
    Column("open", Boolean),
    Column("holiday", Double),
    Column("covariates", JSONB),
    *lineage(),
    Index("plan_by_date", "business_date"),
    Index("plan_by_series", "store_id", "item_id", "business_date", "loaded_at", "load_id"),
    schema="raw",
)
"""Covariates known ahead of their date. Their clock differs from that of the sale itself."""

interaction = Table(
    "interaction",
    metadata,
    Column("event_at", Instant, nullable=False),
    Column("business_date", Date, nullable=False, comment="of event_at where the data set is"),
    Column("user_id", Text, comment="null where nobody is known"),
    Column("item_id", Text, nullable=False),
    Column("kind", Text, nullable=False),
    Column("basket_id", Text, comment="what was done together: an invoice, a visit"),
    Column("weight", Double, nullable=False, comment="1 or more is a purchase, less only hints"),
    Column("quantity", Double),
    Column("price", Double),
    *lineage(),
    Index("interaction_by_time", "event_at"),
    Index("interaction_by_date", "business_date"),
    Index("interaction_by_user", "user_id"),
    schema="raw",
)
"""Who did what with which item. Weights are the data set's; see docs/data-contract.md."""

item = Table(
    "item",
    metadata,
    Column("item_id", Text, nullable=False),
    Column("name", Text),
    Column("category", Text, comment="the first one, where there are several"),
    Column("categories", JSONB, comment="list of all, where there are several; else null"),
    *lineage(),
    Index("item_by_id", "item_id"),
    schema="raw",
)

store = Table(
    "store",
    metadata,
    Column("store_id", Text, nullable=False),
    Column("name", Text),
    Column("region", Text),
    *lineage(),
    Index("store_by_id", "store_id"),
    schema="raw",
)

calendar = Table(
    "calendar",
    metadata,
    Column("business_date", Date, primary_key=True),
    Column("open", Boolean, nullable=False),
    Column("holiday", Text, comment="name of the public holiday, if any"),
    Column(
        "days",
        SmallInteger,
        nullable=False,
        server_default="1",
        comment="of the period that ends then: 7 where the data set has weeks",
    ),
    schema="raw",
)
"""Days on which the business as a whole is open, and public holidays; known for years ahead."""

day_closed = Table(
    "day_closed",
    metadata,
    Column("business_date", Date, primary_key=True),
    Column("closed_at", Instant, nullable=False),
    Column("load_id", BigInteger, nullable=False),
    schema="raw",
)
"""From ``closed_at`` on, all facts of the date are known, of every section that closes days.

``load_id``: of a load that covers the date. Never updated.
"""

quarantine = Table(
    "quarantine",
    metadata,
    Column("load_id", BigInteger, nullable=False),
    Column("row_number", BigInteger, nullable=False, comment="1 is the first data row"),
    Column("field", Text),
    Column("reason", Text, nullable=False),
    Column("row", JSONB, nullable=False),
    Column("quarantined_at", Instant, nullable=False),
    Index("quarantine_by_load", "load_id"),
    schema="raw",
)
