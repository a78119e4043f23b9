"""What is known latest of a store, an item and a day is one step into an index.

Report views look up sales and plans so, a row of the forecast at a time.

Revision ID: 0006
"""

from __future__ import annotations

from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None

BY_SERIES = ["store_id", "item_id", "business_date", "loaded_at", "load_id"]


def upgrade() -> None:
    """An index of plans by series, and the order of knowledge in that of sales."""
    op.create_index("plan_by_series", "plan", BY_SERIES, schema="raw")
    op.drop_index("sales_by_series", "sales", schema="raw")
    op.create_index("sales_by_series", "sales", BY_SERIES, schema="raw")
