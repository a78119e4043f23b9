"""An API key opens what its scopes say, until it expires.

Revision ID: 0012
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0012"
down_revision = "0011"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """The keys that are there opened every route, which all read; they go on doing so."""
    op.add_column(
        "api_key",
        sa.Column(
            "scopes",
            sa.ARRAY(sa.Text()),
            nullable=False,
            server_default=sa.text("'{predict,explain}'::text[]"),
            comment="what the key opens; admin opens all",
        ),
        schema="ops",
    )
    op.add_column(
        "api_key",
        sa.Column(
            "expires_at",
            sa.DateTime(timezone=True),
            comment="from then on it opens nothing; null: it does not expire",
        ),
        schema="ops",
    )
    op.create_check_constraint(
        "api_key_scopes",
        "api_key",
        "cardinality(scopes) > 0 AND scopes <@ '{predict,explain,events,admin}'::text[]",
        schema="ops",
    )
