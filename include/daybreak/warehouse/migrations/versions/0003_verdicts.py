"""Verdicts: what the gate said of every version that it judged, the refused ones too.

Revision ID: 0003
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the table. Versions that the gate promoted before keep their verdict."""
    op.create_table(
        "verdict",
        sa.Column("verdict_id", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        sa.Column("model", sa.Text(), nullable=False),
        sa.Column("version", sa.Text(), nullable=False),
        sa.Column("judged_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("passed", sa.Boolean(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("measure", sa.Text(), comment="what the gate goes by first, such as WAPE"),
        sa.Column("value", sa.Double(), comment="of the version"),
        sa.Column("baseline", sa.Text(), comment="the best baseline by that measure"),
        sa.Column("baseline_value", sa.Double()),
        sa.Column(
            "evidence",
            postgresql.JSONB(),
            nullable=False,
            comment="all that the gate measured",
        ),
        sa.Column("actor", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("verdict_id"),
        schema="ops",
    )
    op.create_index(
        "verdict_by_version",
        "verdict",
        ["model", "version", "verdict_id"],
        unique=False,
        schema="ops",
    )
    # A hand or the demo writes no `challenger` into the evidence; the gate always has.
    op.execute(
        """
        INSERT INTO ops.verdict (model, version, judged_at, passed, reason, evidence, actor)
        SELECT model, version, recorded_at, true, reason, evidence, actor
        FROM ops.champion
        WHERE evidence -> 'challenger' IS NOT NULL
        ORDER BY entry_id
        """
    )
    op.execute(
        """
        CREATE TRIGGER append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON ops.verdict
        FOR EACH STATEMENT EXECUTE FUNCTION ops.refuse_change()
        """
    )
