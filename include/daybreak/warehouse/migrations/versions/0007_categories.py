"""An item may have several categories.

Revision ID: 0007
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """What is there keeps its one category, so nothing is written."""
    comment = "list of all, where there are several; else null"
    column = sa.Column("categories", postgresql.JSONB(), comment=comment)
    op.add_column("item", column, schema="raw")
    comment = "the first one, where there are several"
    op.alter_column("item", "category", comment=comment, schema="raw")


def downgrade() -> None:
    """The first category stays."""
    op.drop_column("item", "categories", schema="raw")
    op.alter_column("item", "category", comment=None, schema="raw")
