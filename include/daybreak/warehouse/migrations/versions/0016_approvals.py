"""Terms of a generation, and who agreed to publish what was proposed.

Revision ID: 0016
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0016"
down_revision = "0015"
branch_labels = None
depends_on = None

INSTANT = sa.DateTime(timezone=True)


def upgrade() -> None:
    """Add the column and the table."""
    op.add_column(
        "generation",
        sa.Column(
            "terms",
            postgresql.JSONB(),
            nullable=False,
            server_default="{}",
            comment="numbers that a person set for it, by name",
        ),
        schema="ops",
    )
    op.create_table(
        "approval",
        sa.Column("approval_id", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        sa.Column("generation_id", sa.BigInteger(), nullable=False),
        sa.Column("model", sa.Text(), nullable=False),
        sa.Column("business_date", sa.Date(), nullable=False),
        sa.Column(
            "proposal",
            sa.Text(),
            nullable=False,
            comment="hash of the rows that were asked about; the same get the same answer",
        ),
        sa.Column("figures", postgresql.JSONB(), nullable=False, comment="what was shown"),
        sa.Column("outcome", sa.Text(), nullable=False),
        sa.Column(
            "terms", postgresql.JSONB(), nullable=False, comment="numbers that were set, by name"
        ),
        sa.Column("person", sa.Text(), nullable=False, comment="empty: nobody, in time"),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("decided_at", INSTANT, nullable=False),
        sa.CheckConstraint(
            "outcome IN ('approved', 'capped', 'rejected', 'expired')", name="approval_outcome"
        ),
        sa.ForeignKeyConstraint(["generation_id"], ["ops.generation.generation_id"]),
        sa.PrimaryKeyConstraint("approval_id"),
        sa.UniqueConstraint("generation_id", name="approval_once"),
        schema="ops",
    )
    op.create_index(
        "approval_by_proposal", "approval", ["model", "business_date", "proposal"], schema="ops"
    )
    op.execute(
        """
        CREATE TRIGGER append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON ops.approval
        FOR EACH STATEMENT EXECUTE FUNCTION ops.refuse_change()
        """
    )


def downgrade() -> None:
    """Remove both."""
    op.drop_table("approval", schema="ops")
    op.drop_column("generation", "terms", schema="ops")
