"""The rules that prices keep, as they were when.

Revision ID: 0017
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

revision = "0017"
down_revision = "0016"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the table, which only grows."""
    op.create_table(
        "price_rules",
        sa.Column("rules_id", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        sa.Column("sha256", sa.Text(), nullable=False, comment="of their canonical JSON"),
        sa.Column("rules", JSONB(), nullable=False),
        sa.Column("decimals", sa.SmallInteger(), nullable=False, comment="of the currency"),
        sa.Column("timezone", sa.Text(), nullable=False, comment="in which business dates begin"),
        sa.Column(
            "known_from",
            sa.DateTime(timezone=True),
            nullable=False,
            comment="in force for cutoffs from here on",
        ),
        sa.PrimaryKeyConstraint("rules_id"),
        sa.UniqueConstraint("known_from", name="price_rules_once"),
        schema="ops",
    )
    op.execute(
        """
        CREATE TRIGGER append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON ops.price_rules
        FOR EACH STATEMENT EXECUTE FUNCTION ops.refuse_change()
        """
    )
