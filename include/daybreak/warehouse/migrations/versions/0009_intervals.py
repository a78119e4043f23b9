"""A run says on which business dates its model is scored, so that reports know what is late.

Revision ID: 0009
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """A column; every run before it was a daily one."""
    comment = "when the model was scored then, such as weekly:sunday"
    op.add_column("run", sa.Column("interval", sa.Text, comment=comment), schema="ops")
