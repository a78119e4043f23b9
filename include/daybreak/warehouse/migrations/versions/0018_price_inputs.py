"""What prices are set by beside sales: costs, prices of competitors, stock.

Revision ID: 0018
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0018"
down_revision = "0017"
branch_labels = None
depends_on = None

_ALL_STORES = "'' where it holds for all stores"


def _dated(name: str, day: str, store: str | None, *values: sa.Column[object]) -> None:
    """A table of dated values with its two clocks and the indexes that loads and reads go by."""
    op.create_table(
        name,
        sa.Column("business_date", sa.Date(), nullable=False, comment=day),
        sa.Column("store_id", sa.Text(), nullable=False, comment=store),
        sa.Column("item_id", sa.Text(), nullable=False),
        *values,
        sa.Column("load_id", sa.BigInteger(), nullable=False),
        sa.Column("loaded_at", sa.DateTime(timezone=True), nullable=False),
        schema="raw",
    )
    series = ["store_id", "item_id", "business_date", "loaded_at", "load_id"]
    op.create_index(f"{name}_by_date", name, ["business_date"], schema="raw")
    op.create_index(f"{name}_by_series", name, series, schema="raw")


def upgrade() -> None:
    """Three tables of the schema ``raw``, which the jobs read and append to."""
    of_a_unit = "of one unit, in the currency"
    _dated(
        "cost",
        "from which it holds",
        _ALL_STORES,
        sa.Column("cost", sa.Double(), nullable=False, comment=of_a_unit),
    )
    _dated(
        "competitor_price",
        "on which it was seen",
        _ALL_STORES,
        sa.Column("competitor", sa.Text(), nullable=False),
        sa.Column("price", sa.Double(), nullable=False, comment="in the currency"),
    )
    _dated(
        "stock",
        "at whose close it was counted",
        None,
        sa.Column("units", sa.Double(), nullable=False),
    )
