"""From which moment on the endpoint answers from what, and what is tried beside it.

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
    """Add the moments and the trials. What answers now goes on doing so."""
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
    # What another release is publishing right now is waited for, not missed.
    op.execute("LOCK TABLE ops.published IN SHARE MODE")
    op.execute(
        """
        INSERT INTO ops.serving (model, generation_id, serve_from, recorded_at)
        SELECT DISTINCT ON (model) model, generation_id, least(published_at, now()), now()
        FROM ops.published
        ORDER BY model, business_date DESC
        """
    )
    op.create_table(
        "trial",
        sa.Column("entry_id", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        sa.Column("model", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False, comment="canary or shadow"),
        sa.Column("version", sa.Text(), comment="null: what was tried ends"),
        sa.Column("share", sa.Double(), comment="of the entities, 0 to 1"),
        sa.Column("serve_from", INSTANT, nullable=False, comment="by the clock of this server"),
        sa.Column("recorded_at", INSTANT, nullable=False),
        sa.Column("actor", sa.Text(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.CheckConstraint("kind IN ('canary', 'shadow')", name="trial_kind"),
        sa.PrimaryKeyConstraint("entry_id"),
        schema="ops",
    )
    op.create_index("trial_by_model", "trial", ["model", "kind", "entry_id"], schema="ops")
    for table in ("serving", "trial"):
        _append_only(table)


def _append_only(table: str) -> None:
    op.execute(
        f"""
        CREATE TRIGGER append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON ops.{table}
        FOR EACH STATEMENT EXECUTE FUNCTION ops.refuse_change()
        """
    )
