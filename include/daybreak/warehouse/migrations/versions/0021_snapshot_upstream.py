"""Which generations of other models a snapshot was made from; what a price is judged by.

Revision ID: 0021
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0021"
down_revision = "0020"
branch_labels = None
depends_on = None

COLUMNS = (("gap", "real", "0"), ("stopped", "text", "''"), ("judged_by", "text", "''"))


def upgrade() -> None:
    """Add the table; of snapshots that are there nothing is known until they are planned again.

    And columns of a model's scores that are there: their rows say nothing of them.
    """
    op.create_table(
        "snapshot_upstream",
        sa.Column("snapshot_id", sa.BigInteger(), nullable=False),
        sa.Column("generation_id", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["snapshot_id"], ["ops.snapshot.snapshot_id"]),
        sa.ForeignKeyConstraint(["generation_id"], ["ops.generation.generation_id"]),
        sa.PrimaryKeyConstraint("snapshot_id", "generation_id"),
        schema="ops",
    )
    for name, kind, nothing in COLUMNS:
        op.execute(
            f"ALTER TABLE IF EXISTS score.pricing ADD COLUMN IF NOT EXISTS {name} {kind} NOT NULL "
            f"DEFAULT {nothing}"
        )
        op.execute(f"ALTER TABLE IF EXISTS score.pricing ALTER COLUMN {name} DROP DEFAULT")


def downgrade() -> None:
    """Remove them."""
    for name, _, _ in COLUMNS:
        op.execute(f"ALTER TABLE IF EXISTS score.pricing DROP COLUMN IF EXISTS {name} CASCADE")
    op.drop_table("snapshot_upstream", schema="ops")
