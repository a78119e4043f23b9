"""From which moment on the endpoint answers from what.

Revision ID: 0013
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0013"
down_revision = "0012"
branch_labels = None
depends_on = None

INSTANT = sa.DateTime(timezone=True)


def upgrade() -> None:
    """Add the moments. What answers now goes on doing so."""
    op.add_column(
        "champion",
        sa.Column(
            "serve_from",
            INSTANT,
            comment="requests know of it from here on; null: from effective_from",
        ),
        schema="ops",
    )
    op.create_table(
        "serving",
        sa.Column("entry_id", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        sa.Column("model", sa.Text(), nullable=False),
        sa.Column("generation_id", sa.BigInteger(), comment="null: nothing is published any more"),
        sa.Column("serve_from", INSTANT, nullable=False, comment="by the clock of this server"),
        sa.Column("recorded_at", INSTANT, nullable=False),
        sa.PrimaryKeyConstraint("entry_id"),
        schema="ops",
    )
    op.create_index("serving_by_model", "serving", ["model", "entry_id"], schema="ops")
    op.execute(
        """
        INSERT INTO ops.serving (model, generation_id, serve_from, recorded_at)
        SELECT DISTINCT ON (model) model, generation_id, least(published_at, now()), now()
        FROM ops.published
        ORDER BY model, business_date DESC
        """
    )
    _append_only("serving")


def _append_only(table: str) -> None:
    op.execute(
        f"""
        CREATE TRIGGER append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON ops.{table}
        FOR EACH STATEMENT EXECUTE FUNCTION ops.refuse_change()
        """
    )
