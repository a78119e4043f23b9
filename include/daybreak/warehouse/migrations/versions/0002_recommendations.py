"""Recommendations: what interactions say, and the tables of the second model.

Revision ID: 0002
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add columns to what is there, and tables beside it; no row goes."""
    _describe_interactions()
    _create_feature()
    _create_score()


def _describe_interactions() -> None:
    """Rows from before get the day in UTC: which zone their data set has was not kept."""
    op.add_column(
        "interaction",
        sa.Column("business_date", sa.Date(), comment="of event_at where the data set is"),
        schema="raw",
    )
    op.add_column(
        "interaction",
        sa.Column("basket_id", sa.Text(), comment="what was done together: an invoice, a visit"),
        schema="raw",
    )
    op.add_column(
        "interaction",
        sa.Column("weight", sa.Double(), comment="1 or more is a purchase, less only hints"),
        schema="raw",
    )
    op.execute(
        """
        UPDATE raw.interaction SET
            business_date = (event_at AT TIME ZONE 'UTC')::date,
            weight = CASE kind WHEN 'cart' THEN 0.5 WHEN 'view' THEN 0.1 ELSE 1 END
        """
    )
    for column in ("business_date", "weight"):
        op.alter_column("interaction", column, nullable=False, schema="raw")
    op.alter_column("interaction", "user_id", comment="null where nobody is known", schema="raw")
    op.create_index(
        "interaction_by_date", "interaction", ["business_date"], unique=False, schema="raw"
    )
    op.create_index("interaction_by_user", "interaction", ["user_id"], unique=False, schema="raw")


def _create_feature() -> None:
    """Snapshots of users, and what all entities of a snapshot share."""
    op.create_table(
        "recommendations",
        sa.Column("business_date", sa.Date(), nullable=False),
        sa.Column("snapshot_id", sa.BigInteger(), nullable=False),
        sa.Column("user_id", sa.Text(), nullable=False),
        sa.Column(
            "ordinal",
            sa.Integer(),
            nullable=False,
            comment="position in key order; shards are ranges",
        ),
        sa.Column("features", sa.LargeBinary(), nullable=False, comment="little-endian float32"),
        sa.PrimaryKeyConstraint("business_date", "snapshot_id", "user_id"),
        schema="feature",
        postgresql_partition_by="RANGE (business_date)",
    )
    op.create_index(
        "snapshot_recommendations_by_ordinal",
        "recommendations",
        ["snapshot_id", "ordinal"],
        unique=False,
        schema="feature",
    )
    op.create_table(
        "context",
        sa.Column("snapshot_id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column(
            "arrays", sa.LargeBinary(), nullable=False, comment="an .npz of named arrays, no pickle"
        ),
        sa.ForeignKeyConstraint(["snapshot_id"], ["ops.snapshot.snapshot_id"]),
        sa.PrimaryKeyConstraint("snapshot_id"),
        schema="feature",
    )


def _create_score() -> None:
    """Published and staged lists."""
    op.create_table(
        "recommendation",
        sa.Column("business_date", sa.Date(), nullable=False),
        sa.Column("generation_id", sa.BigInteger(), nullable=False),
        sa.Column(
            "user_id", sa.Text(), nullable=False, comment="'' is the list for everybody else"
        ),
        sa.Column("rank", sa.SmallInteger(), nullable=False, comment="1 is the best"),
        sa.Column("shard", sa.Integer(), nullable=False),
        sa.Column("item_id", sa.Text(), nullable=False),
        sa.Column(
            "score", sa.REAL(), nullable=False, comment="orders the list of one user, no more"
        ),
        sa.Column(
            "reason",
            sa.Text(),
            nullable=False,
            comment="again, together, similar, trending, popular",
        ),
        sa.Column(
            "because",
            sa.Text(),
            nullable=False,
            comment="the item that the reason names; '' for none",
        ),
        sa.PrimaryKeyConstraint("business_date", "generation_id", "user_id", "rank"),
        schema="score",
        postgresql_partition_by="RANGE (business_date)",
    )
