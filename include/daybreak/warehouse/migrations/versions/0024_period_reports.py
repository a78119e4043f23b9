"""Reports of models over periods, and what steps take of the processor.

Revision ID: 0024
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

revision = "0024"
down_revision = "0023"
branch_labels = None
depends_on = None

INSTANT = sa.DateTime(timezone=True)


def upgrade() -> None:
    """Add the list of reports, and a column to steps; those of earlier runs have no number."""
    op.create_table(
        "period_report",
        sa.Column("report_id", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        sa.Column("model", sa.Text(), nullable=False),
        sa.Column("period", sa.Text(), nullable=False, comment="2026-07-20, 2026-W30 or 2026-07"),
        sa.Column(
            "name", sa.Text(), nullable=False, comment="knowledge time, and a hash of the content"
        ),
        sa.Column("first_date", sa.Date(), nullable=False),
        sa.Column("last_date", sa.Date(), nullable=False),
        sa.Column("known_at", INSTANT, nullable=False, comment="knowledge time of all its numbers"),
        sa.Column(
            "nights", sa.Integer(), nullable=False, comment="published business dates of the period"
        ),
        sa.Column("uri", sa.Text(), nullable=False),
        sa.Column("files", JSONB(), nullable=False, comment="file name to sha256"),
        sa.Column("made_at", INSTANT, nullable=False),
        sa.PrimaryKeyConstraint("report_id"),
        sa.UniqueConstraint("model", "period", "name", name="period_report_once"),
        schema="ops",
    )
    op.add_column(
        "step",
        sa.Column(
            "processor_seconds",
            sa.Double(),
            comment="of the process, PostgreSQL's not counted",
        ),
        schema="ops",
    )


def downgrade() -> None:
    """Remove both; the files of reports stay in the registry's store."""
    op.drop_column("step", "processor_seconds", schema="ops")
    op.drop_table("period_report", schema="ops")
