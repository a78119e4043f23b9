"""Where the sales forecast keeps its snapshots and its scores."""

from __future__ import annotations

from sqlalchemy import REAL, Column, Date, SmallInteger, Text

from daybreak.warehouse.model_tables import score_table, snapshot_table

snapshots = snapshot_table("sales_forecast", ("store_id", "item_id"))

scores = score_table(
    "sales_forecast",
    (
        Column("store_id", Text, primary_key=True),
        Column("item_id", Text, primary_key=True),
        Column("horizon", SmallInteger, primary_key=True, comment="days ahead: 1 is the next day"),
        Column("target_date", Date, nullable=False),
    ),
    [Column(name, REAL, nullable=False) for name in ("p10", "p50", "p90", "mean")],
)
