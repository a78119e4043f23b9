"""How many lines a loaded file had, and what became of them.

Revision ID: 0004
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

COLUMNS = {
    "lines_read": "of a text file: header, rows, blank and merged",
    "lines_blank": None,
    "lines_merged": "lines of rows beyond their first",
    "lines_bad": "lines of bad rows",
}


def upgrade() -> None:
    """Loads from before keep null: nobody counted."""
    for name, comment in COLUMNS.items():
        op.add_column("load", sa.Column(name, sa.BigInteger(), comment=comment), schema="ops")


def downgrade() -> None:
    """The counts go."""
    for name in COLUMNS:
        op.drop_column("load", name, schema="ops")
