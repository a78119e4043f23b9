"""Snapshots and versions whose bytes went stay known, for the receipts that name them.

Revision ID: 0008
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None

INSTANT = sa.DateTime(timezone=True)


def upgrade() -> None:
    """Two columns; nothing has gone yet."""
    op.add_column(
        "snapshot",
        sa.Column("pruned_at", INSTANT, comment="its rows went; scoring the day makes them again"),
        schema="ops",
    )
    op.add_column(
        "model_version",
        sa.Column("pruned_at", INSTANT, comment="its files went"),
        schema="ops",
    )
    # Retention looks for the generations of a snapshot.
    op.create_index(
        "generation_by_snapshot", "generation", ["snapshot_id"], unique=False, schema="ops"
    )
