"""How far nights are from one another, and the alarms that follow.

Revision ID: 0023
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0023"
down_revision = "0022"
branch_labels = None
depends_on = None

INSTANT = sa.DateTime(timezone=True)
GENERATION = "ops.generation.generation_id"


def upgrade() -> None:
    """Add histograms, figures and alarms; the last are only appended to."""
    op.create_table(
        "drift_histogram",
        sa.Column("generation_id", sa.BigInteger(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False, comment="key, feature or score"),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column(
            "bins", sa.LargeBinary(), nullable=False, comment="int16 keys of daybreak.histogram"
        ),
        sa.Column("counts", sa.LargeBinary(), nullable=False, comment="int64"),
        sa.ForeignKeyConstraint(["generation_id"], [GENERATION]),
        sa.PrimaryKeyConstraint("generation_id", "kind", "name"),
        schema="ops",
    )
    op.create_table(
        "drift",
        sa.Column("generation_id", sa.BigInteger(), nullable=False),
        sa.Column(
            "kind", sa.Text(), nullable=False, comment="key, feature, score, size or quality"
        ),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("model", sa.Text(), nullable=False),
        sa.Column("business_date", sa.Date(), nullable=False),
        sa.Column("rows", sa.BigInteger(), nullable=False, comment="values that it is of"),
        sa.Column("value", sa.Double(), comment="of a size or a measure of quality"),
        sa.Column("value_training", sa.Double(), comment="what the version's backtest found"),
        sa.Column("value_earlier", sa.Double(), comment="median of earlier nights"),
        sa.Column("missing", sa.Double(), comment="share of the values"),
        sa.Column("missing_earlier", sa.Double(), comment="usually, on nights of the same weekday"),
        sa.Column(
            "outside",
            sa.Double(),
            comment="share of the values that is outside of the training's",
        ),
        sa.Column("psi_training", sa.Double()),
        sa.Column("ks_training", sa.Double()),
        sa.Column("psi_earlier", sa.Double(), comment="beside earlier nights of the same weekday"),
        sa.Column("ks_earlier", sa.Double()),
        sa.Column("earlier_nights", sa.SmallInteger(), nullable=False),
        sa.Column(
            "usual_nights",
            sa.SmallInteger(),
            nullable=False,
            comment="that raise_at is learned from",
        ),
        sa.Column("distance", sa.Double(), comment="what raise_at is for"),
        sa.Column("raise_at", sa.Double(), comment="null while nothing is usual"),
        sa.Column("clear_at", sa.Double()),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("measured_at", INSTANT, nullable=False),
        sa.CheckConstraint("state IN ('quiet', 'over', 'alarm')", name="drift_state"),
        sa.ForeignKeyConstraint(["generation_id"], [GENERATION]),
        sa.PrimaryKeyConstraint("generation_id", "kind", "name"),
        schema="ops",
    )
    op.create_index("drift_by_day", "drift", ["model", "business_date"], schema="ops")
    op.create_table(
        "drift_alarm",
        sa.Column("alarm_id", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        sa.Column("model", sa.Text(), nullable=False),
        sa.Column("business_date", sa.Date(), nullable=False),
        sa.Column("generation_id", sa.BigInteger(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("event", sa.Text(), nullable=False),
        sa.Column("distance", sa.Double()),
        sa.Column("raise_at", sa.Double()),
        sa.Column("recorded_at", INSTANT, nullable=False),
        sa.CheckConstraint("event IN ('raised', 'cleared')", name="drift_alarm_event"),
        sa.ForeignKeyConstraint(["generation_id"], [GENERATION]),
        sa.PrimaryKeyConstraint("alarm_id"),
        sa.UniqueConstraint(
            "model", "kind", "name", "business_date", "event", name="drift_alarm_once"
        ),
        schema="ops",
    )
    op.execute(
        """
        CREATE TRIGGER append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON ops.drift_alarm
        FOR EACH STATEMENT EXECUTE FUNCTION ops.refuse_change()
        """
    )


def downgrade() -> None:
    """Remove all three."""
    for table in ("drift_alarm", "drift", "drift_histogram"):
        op.drop_table(table, schema="ops")
