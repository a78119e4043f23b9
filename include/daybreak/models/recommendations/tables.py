"""Where the recommendations keep their snapshots and their lists."""

from __future__ import annotations

from sqlalchemy import REAL, Column, SmallInteger, Text

from daybreak.warehouse.model_tables import score_table, snapshot_table

snapshots = snapshot_table("recommendations", ("user_id",))

scores = score_table(
    "recommendation",
    (
        Column("user_id", Text, primary_key=True, comment="'' is the list for everybody else"),
        Column("rank", SmallInteger, primary_key=True, comment="1 is the best"),
    ),
    (
        Column("item_id", Text, nullable=False),
        Column("score", REAL, nullable=False, comment="orders the list of one user, no more"),
        Column(
            "reason", Text, nullable=False, comment="again, together, similar, trending, popular"
        ),
        Column(
            "because", Text, nullable=False, comment="the item that the reason names; '' for none"
        ),
    ),
)
