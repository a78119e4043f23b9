"""A business date may stand for a week, which ends on it.

Revision ID: 0011
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """How many days a row of the calendar stands for; all of them stood for one."""
    comment = "of the period that ends then: 7 where the data set has weeks"
    column = sa.Column("days", sa.SmallInteger, nullable=False, server_default="1", comment=comment)
    op.add_column("calendar", column, schema="raw")
