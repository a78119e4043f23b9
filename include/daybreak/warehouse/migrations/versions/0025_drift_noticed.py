"""What of a drift is as it was on a holiday, and the smallest change that would be noticed.

Revision ID: 0025
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0025"
down_revision = "0024"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add both to the figures."""
    op.add_column(
        "drift",
        sa.Column(
            "psi_holiday",
            sa.Double(),
            comment="beside the nearest night of a public holiday in the last four weeks",
        ),
        schema="ops",
    )
    op.add_column(
        "drift",
        sa.Column(
            "noticed",
            sa.Double(),
            comment="smallest change that would be noticed within two nights",
        ),
        schema="ops",
    )


def downgrade() -> None:
    """Remove both."""
    for column in ("noticed", "psi_holiday"):
        op.drop_column("drift", column, schema="ops")
