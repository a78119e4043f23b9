"""Where the fraud model keeps its snapshots and the scores of a day's events."""

from __future__ import annotations

from sqlalchemy import REAL, Column, Text

from daybreak.warehouse.model_tables import score_table, snapshot_table

KEYS = ("key", "event_id")

snapshots = snapshot_table("fraud", KEYS)

scores = score_table(
    "fraud",
    (
        Column(
            "key",
            Text,
            primary_key=True,
            comment="what alerts are about, such as a card: the first key of the stream; '' where "
            "the event has none",
        ),
        Column("event_id", Text, primary_key=True),
    ),
    (
        Column("probability", REAL, nullable=False, comment="of fraud, 0 to 1"),
        Column("decision", Text, nullable=False, comment="allow, review, block"),
    ),
)
