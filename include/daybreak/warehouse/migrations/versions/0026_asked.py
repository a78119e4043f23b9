"""What the endpoint was asked, counted by bins of its features.

Revision ID: 0026
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0026"
down_revision = "0025"
branch_labels = None
depends_on = None

INSTANT = sa.DateTime(timezone=True)
APPEND = "ops.append_asked(bigint, timestamptz, timestamptz, bigint, text[], bytea[])"


def upgrade() -> None:
    """Add the table, and the one way in: who answers requests may write no table."""
    op.create_table(
        "asked_histogram",
        sa.Column("asked_id", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        sa.Column("generation_id", sa.BigInteger(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False, comment="feature of the engine"),
        sa.Column("begun_at", INSTANT, nullable=False),
        sa.Column("ended_at", INSTANT, nullable=False, comment="when it was written, too"),
        sa.Column("answers", sa.BigInteger(), nullable=False, comment="whose rows were counted"),
        sa.Column(
            "counts",
            sa.LargeBinary(),
            nullable=False,
            comment="int64, by the bins of the row in the version's manifest",
        ),
        sa.CheckConstraint("begun_at <= ended_at", name="asked_histogram_window"),
        sa.ForeignKeyConstraint(["generation_id"], ["ops.generation.generation_id"]),
        sa.PrimaryKeyConstraint("asked_id"),
        schema="ops",
    )
    op.create_index(
        "asked_histogram_by_generation",
        "asked_histogram",
        ["generation_id", "ended_at"],
        schema="ops",
    )
    op.execute(_APPEND)
    op.execute(f"REVOKE ALL ON FUNCTION {APPEND} FROM PUBLIC")
    op.execute(f"GRANT EXECUTE ON FUNCTION {APPEND} TO daybreak_writer, daybreak_service")
    for table, column, comment in (
        ("drift_histogram", "kind", "key, feature, score or row"),
        ("drift", "kind", "key, feature, score, size, quality or asked"),
        (
            "drift",
            "psi_earlier",
            "beside earlier nights of the same weekday; of asked: the night that answered",
        ),
    ):
        op.execute(f"COMMENT ON COLUMN ops.{table}.{column} IS '{comment}'")


def downgrade() -> None:
    """Remove both."""
    op.execute(f"DROP FUNCTION {APPEND}")
    op.drop_table("asked_histogram", schema="ops")
    for table, column, comment in (
        ("drift_histogram", "kind", "key, feature or score"),
        ("drift", "kind", "key, feature, score, size or quality"),
        ("drift", "psi_earlier", "beside earlier nights of the same weekday"),
    ):
        op.execute(f"COMMENT ON COLUMN ops.{table}.{column} IS '{comment}'")


_APPEND = """
    -- Appends what one process was asked about a generation in a while, feature by feature.
    CREATE FUNCTION ops.append_asked(
        the_generation bigint, begun timestamptz, ended timestamptz, the_answers bigint,
        names text[], the_counts bytea[]
    ) RETURNS void
    LANGUAGE sql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
        INSERT INTO ops.asked_histogram (
            generation_id, name, begun_at, ended_at, answers, counts
        )
        SELECT the_generation, one.name, begun, ended, the_answers, one.counts
        FROM unnest(names, the_counts) AS one (name, counts)
    $$
    """
