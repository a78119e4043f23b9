"""Which generations of other models a snapshot was made from.

Revision ID: 0021
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0021"
down_revision = "0019"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the table; of snapshots that are there nothing is known until they are planned again."""
    op.create_table(
        "snapshot_upstream",
        sa.Column("snapshot_id", sa.BigInteger(), nullable=False),
        sa.Column("generation_id", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["snapshot_id"], ["ops.snapshot.snapshot_id"]),
        sa.ForeignKeyConstraint(["generation_id"], ["ops.generation.generation_id"]),
        sa.PrimaryKeyConstraint("snapshot_id", "generation_id"),
        schema="ops",
    )


def downgrade() -> None:
    """Remove it."""
    op.drop_table("snapshot_upstream", schema="ops")
