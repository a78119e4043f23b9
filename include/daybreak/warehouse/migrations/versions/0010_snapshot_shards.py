"""Snapshots are made in shards: an unfinished one says so, and how it is cut.

Revision ID: 0010
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None

INSTANT = sa.DateTime(timezone=True)


def upgrade() -> None:
    """Every snapshot there is was written in one transaction, so it is whole."""
    op.add_column(
        "snapshot",
        sa.Column("options", JSONB, comment="that its shards are made with"),
        schema="ops",
    )
    op.add_column(
        "snapshot",
        sa.Column("finished_at", INSTANT, comment="null while shards are missing"),
        schema="ops",
    )
    op.execute("UPDATE ops.snapshot SET finished_at = built_at")
    snapshot = ["snapshot_id"], ["ops.snapshot.snapshot_id"]
    op.create_table(
        "snapshot_shard",
        sa.Column("snapshot_id", sa.BigInteger(), nullable=False),
        sa.Column("shard", sa.Integer(), nullable=False),
        sa.Column(
            "first",
            sa.BigInteger(),
            nullable=False,
            comment="position of its first row in key order",
        ),
        sa.Column("entities", sa.BigInteger(), comment="null where nobody counted them"),
        sa.Column(
            "keys",
            sa.LargeBinary(),
            nullable=False,
            comment="of its entities, UTF-8, ended by NUL",
        ),
        sa.Column("rows", sa.BigInteger(), comment="null while they are not written"),
        sa.ForeignKeyConstraint(*snapshot),
        sa.PrimaryKeyConstraint("snapshot_id", "shard"),
        schema="ops",
    )
    op.create_table(
        "snapshot_part",
        sa.Column("snapshot_id", sa.BigInteger(), nullable=False),
        sa.Column("shard", sa.Integer(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("array", sa.LargeBinary(), nullable=False, comment="an .npy, no pickle"),
        sa.ForeignKeyConstraint(*snapshot),
        sa.PrimaryKeyConstraint("snapshot_id", "shard", "name"),
        schema="feature",
        prefixes=["UNLOGGED"],
    )
    # Packing floats takes longer than writing them.
    op.execute('ALTER TABLE feature.snapshot_part ALTER COLUMN "array" SET STORAGE EXTERNAL')
