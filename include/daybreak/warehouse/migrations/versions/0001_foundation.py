"""The foundation: schemas, tables, the append-only champion ledger, the read-only role.

Revision ID: 0001
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

INSTANT = sa.DateTime(timezone=True)


def upgrade() -> None:
    """Create everything in an empty database."""
    for schema in ("raw", "feature", "score", "ops", "report"):
        op.execute(f"CREATE SCHEMA IF NOT EXISTS {schema}")
    _create_raw()
    _create_feature()
    _create_score()
    _create_ops()
    _guard_champion_ledger()
    _create_reader()


def _create_raw() -> None:
    """Facts, append-only."""
    op.create_table(
        "calendar",
        sa.Column("business_date", sa.Date(), nullable=False),
        sa.Column("open", sa.Boolean(), nullable=False),
        sa.Column("holiday", sa.Text(), comment="name of the public holiday, if any"),
        sa.PrimaryKeyConstraint("business_date"),
        schema="raw",
    )
    op.create_table(
        "day_closed",
        sa.Column("business_date", sa.Date(), nullable=False),
        sa.Column("closed_at", INSTANT, nullable=False),
        sa.Column("load_id", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("business_date"),
        schema="raw",
    )
    op.create_table(
        "interaction",
        sa.Column("event_at", INSTANT, nullable=False),
        sa.Column("user_id", sa.Text()),
        sa.Column("item_id", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("quantity", sa.Double()),
        sa.Column("price", sa.Double()),
        sa.Column("load_id", sa.BigInteger(), nullable=False),
        sa.Column("loaded_at", INSTANT, nullable=False),
        schema="raw",
    )
    op.create_index("interaction_by_time", "interaction", ["event_at"], unique=False, schema="raw")
    op.create_table(
        "item",
        sa.Column("item_id", sa.Text(), nullable=False),
        sa.Column("name", sa.Text()),
        sa.Column("category", sa.Text()),
        sa.Column("load_id", sa.BigInteger(), nullable=False),
        sa.Column("loaded_at", INSTANT, nullable=False),
        schema="raw",
    )
    op.create_index("item_by_id", "item", ["item_id"], unique=False, schema="raw")
    op.create_table(
        "plan",
        sa.Column("business_date", sa.Date(), nullable=False),
        sa.Column("store_id", sa.Text(), nullable=False),
        sa.Column(
            "item_id",
            sa.Text(),
            nullable=False,
            comment="'' where the plan holds for the whole store",
        ),
        sa.Column("price", sa.Double()),
        sa.Column("promotion", sa.Double()),
        sa.Column("open", sa.Boolean()),
        sa.Column("holiday", sa.Double()),
        sa.Column("covariates", JSONB()),
        sa.Column("load_id", sa.BigInteger(), nullable=False),
        sa.Column("loaded_at", INSTANT, nullable=False),
        schema="raw",
    )
    op.create_index("plan_by_date", "plan", ["business_date"], unique=False, schema="raw")
    op.create_table(
        "quarantine",
        sa.Column("load_id", sa.BigInteger(), nullable=False),
        sa.Column("row_number", sa.BigInteger(), nullable=False, comment="1 is the first data row"),
        sa.Column("field", sa.Text()),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("row", JSONB(), nullable=False),
        sa.Column("quarantined_at", INSTANT, nullable=False),
        schema="raw",
    )
    op.create_index("quarantine_by_load", "quarantine", ["load_id"], unique=False, schema="raw")
    op.create_table(
        "sales",
        sa.Column("business_date", sa.Date(), nullable=False),
        sa.Column("store_id", sa.Text(), nullable=False),
        sa.Column("item_id", sa.Text(), nullable=False),
        sa.Column("units", sa.Double(), nullable=False),
        sa.Column("price", sa.Double()),
        sa.Column("promotion", sa.Double()),
        sa.Column("open", sa.Boolean()),
        sa.Column("holiday", sa.Double()),
        sa.Column("covariates", JSONB()),
        sa.Column("load_id", sa.BigInteger(), nullable=False),
        sa.Column("loaded_at", INSTANT, nullable=False),
        schema="raw",
    )
    op.create_index("sales_by_date", "sales", ["business_date"], unique=False, schema="raw")
    op.create_index(
        "sales_by_series",
        "sales",
        ["store_id", "item_id", "business_date"],
        unique=False,
        schema="raw",
    )
    op.create_table(
        "store",
        sa.Column("store_id", sa.Text(), nullable=False),
        sa.Column("name", sa.Text()),
        sa.Column("region", sa.Text()),
        sa.Column("load_id", sa.BigInteger(), nullable=False),
        sa.Column("loaded_at", INSTANT, nullable=False),
        schema="raw",
    )
    op.create_index("store_by_id", "store", ["store_id"], unique=False, schema="raw")


def _create_feature() -> None:
    """Snapshots, partitioned by month of business date."""
    op.create_table(
        "sales_forecast",
        sa.Column("business_date", sa.Date(), nullable=False),
        sa.Column("snapshot_id", sa.BigInteger(), nullable=False),
        sa.Column("store_id", sa.Text(), nullable=False),
        sa.Column("item_id", sa.Text(), nullable=False),
        sa.Column(
            "ordinal",
            sa.Integer(),
            nullable=False,
            comment="position in key order; shards are ranges",
        ),
        sa.Column("features", sa.LargeBinary(), nullable=False, comment="little-endian float32"),
        sa.PrimaryKeyConstraint("business_date", "snapshot_id", "store_id", "item_id"),
        schema="feature",
        postgresql_partition_by="RANGE (business_date)",
    )
    op.create_index(
        "snapshot_sales_forecast_by_ordinal",
        "sales_forecast",
        ["snapshot_id", "ordinal"],
        unique=False,
        schema="feature",
    )


def _create_score() -> None:
    """Published and staged scores, partitioned likewise."""
    op.create_table(
        "sales_forecast",
        sa.Column("business_date", sa.Date(), nullable=False),
        sa.Column("generation_id", sa.BigInteger(), nullable=False),
        sa.Column("store_id", sa.Text(), nullable=False),
        sa.Column("item_id", sa.Text(), nullable=False),
        sa.Column(
            "horizon", sa.SmallInteger(), nullable=False, comment="days ahead: 1 is the next day"
        ),
        sa.Column("target_date", sa.Date(), nullable=False),
        sa.Column("shard", sa.Integer(), nullable=False),
        sa.Column("p10", sa.REAL(), nullable=False),
        sa.Column("p50", sa.REAL(), nullable=False),
        sa.Column("p90", sa.REAL(), nullable=False),
        sa.Column("mean", sa.REAL(), nullable=False),
        sa.PrimaryKeyConstraint("business_date", "generation_id", "store_id", "item_id", "horizon"),
        schema="score",
        postgresql_partition_by="RANGE (business_date)",
    )


def _create_ops() -> None:
    """How the scores came about."""
    op.create_table(
        "api_key",
        sa.Column("key_id", sa.Text(), nullable=False, comment="the public part of the key"),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column(
            "sha256",
            sa.Text(),
            nullable=False,
            comment="of the secret part, which has 256 random bits",
        ),
        sa.Column("created_at", INSTANT, nullable=False),
        sa.Column("revoked_at", INSTANT),
        sa.PrimaryKeyConstraint("key_id"),
        schema="ops",
    )
    op.create_table(
        "champion",
        sa.Column("entry_id", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        sa.Column("model", sa.Text(), nullable=False),
        sa.Column("version", sa.Text(), nullable=False),
        sa.Column(
            "effective_from", INSTANT, nullable=False, comment="in force for cutoffs from here on"
        ),
        sa.Column("recorded_at", INSTANT, nullable=False),
        sa.Column("actor", sa.Text(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("evidence", JSONB(), nullable=False, comment="what the gate measured"),
        sa.PrimaryKeyConstraint("entry_id"),
        schema="ops",
    )
    op.create_index(
        "champion_by_model",
        "champion",
        ["model", "effective_from", "entry_id"],
        unique=False,
        schema="ops",
    )
    op.create_table(
        "load",
        sa.Column("load_id", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        sa.Column("dataset", sa.Text(), nullable=False),
        sa.Column("source", sa.Text(), nullable=False, comment="section of the data set file"),
        sa.Column("uri", sa.Text(), nullable=False),
        sa.Column("sha256", sa.Text(), nullable=False),
        sa.Column(
            "reading", sa.Text(), nullable=False, comment="hash of how the section reads its files"
        ),
        sa.Column("rows_read", sa.BigInteger(), nullable=False),
        sa.Column("rows_loaded", sa.BigInteger(), nullable=False),
        sa.Column("rows_quarantined", sa.BigInteger(), nullable=False),
        sa.Column("rules", JSONB(), nullable=False, comment="rule -> rows it dropped or changed"),
        sa.Column("first_date", sa.Date()),
        sa.Column("last_date", sa.Date()),
        sa.Column("finished_at", INSTANT, nullable=False),
        sa.PrimaryKeyConstraint("load_id"),
        sa.UniqueConstraint("dataset", "source", "sha256", "reading", name="load_once"),
        schema="ops",
    )
    op.create_table(
        "model_version",
        sa.Column("model", sa.Text(), nullable=False),
        sa.Column("version", sa.Text(), nullable=False),
        sa.Column("uri", sa.Text(), nullable=False),
        sa.Column("files", JSONB(), nullable=False, comment="file name -> sha256"),
        sa.Column("manifest", JSONB(), nullable=False),
        sa.Column("trained_through", sa.Date(), nullable=False),
        sa.Column("registered_at", INSTANT, nullable=False),
        sa.PrimaryKeyConstraint("model", "version"),
        schema="ops",
    )
    op.create_table(
        "run",
        sa.Column("run_key", sa.Text(), nullable=False, comment="dag_id/run_id, or cli/…"),
        sa.Column("model", sa.Text(), nullable=False),
        sa.Column("business_date", sa.Date(), nullable=False),
        sa.Column("run_type", sa.Text(), nullable=False),
        sa.Column("queued_at", INSTANT),
        sa.Column("started_at", INSTANT, nullable=False),
        sa.PrimaryKeyConstraint("run_key"),
        schema="ops",
    )
    op.create_table(
        "sla",
        sa.Column("model", sa.Text(), nullable=False),
        sa.Column("business_date", sa.Date(), nullable=False),
        sa.Column("run_key", sa.Text(), nullable=False),
        sa.Column("run_type", sa.Text(), nullable=False),
        sa.Column("generation_id", sa.BigInteger()),
        sa.Column("due_at", INSTANT, nullable=False),
        sa.Column("landed_at", INSTANT),
        sa.Column("slack_seconds", sa.Double(), comment="due minus landed; negative is late"),
        sa.Column("status", sa.Text(), nullable=False),
        sa.Column("queue_seconds", sa.Double()),
        sa.Column("wait_seconds", sa.Double()),
        sa.Column("score_seconds", sa.Double()),
        sa.Column("publish_seconds", sa.Double()),
        sa.Column("rows", sa.BigInteger()),
        sa.Column("rows_per_second", sa.Double()),
        sa.Column("recorded_at", INSTANT, nullable=False),
        sa.Column("deadline_fired_at", INSTANT, comment="when Airflow's deadline alert said so"),
        sa.CheckConstraint("status IN ('met', 'missed', 'not_counted')", name="sla_status"),
        sa.PrimaryKeyConstraint("model", "business_date", "run_key"),
        schema="ops",
    )
    op.create_table(
        "snapshot",
        sa.Column("snapshot_id", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        sa.Column("model", sa.Text(), nullable=False),
        sa.Column("business_date", sa.Date(), nullable=False),
        sa.Column("cutoff", INSTANT, nullable=False),
        sa.Column(
            "layout", sa.Text(), nullable=False, comment="hash of the names of the values, in order"
        ),
        sa.Column("rows", sa.BigInteger(), nullable=False),
        sa.Column("sha256", sa.Text(), nullable=False, comment="over keys and bytes, in key order"),
        sa.Column("built_at", INSTANT, nullable=False),
        sa.PrimaryKeyConstraint("snapshot_id"),
        sa.UniqueConstraint("model", "business_date", "cutoff", "layout", name="snapshot_once"),
        schema="ops",
    )
    op.create_table(
        "step",
        sa.Column("run_key", sa.Text(), nullable=False),
        sa.Column("step", sa.Text(), nullable=False),
        sa.Column(
            "shard", sa.Integer(), nullable=False, comment="-1 where the step is not sharded"
        ),
        sa.Column("started_at", INSTANT, nullable=False),
        sa.Column("ended_at", INSTANT, nullable=False),
        sa.Column("rows", sa.BigInteger()),
        sa.PrimaryKeyConstraint("run_key", "step", "shard"),
        schema="ops",
    )
    op.create_table(
        "generation",
        sa.Column("generation_id", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        sa.Column("model", sa.Text(), nullable=False),
        sa.Column("business_date", sa.Date(), nullable=False),
        sa.Column("run_key", sa.Text(), nullable=False, comment="the run that opened it"),
        sa.Column(
            "run_type", sa.Text(), nullable=False, comment="scheduled, manual, backfill, asset, cli"
        ),
        sa.Column("cutoff", INSTANT, nullable=False),
        sa.Column("version", sa.Text(), nullable=False),
        sa.Column("snapshot_id", sa.BigInteger(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("reason", sa.Text(), server_default="", nullable=False),
        sa.Column("rows", sa.BigInteger()),
        sa.Column("opened_at", INSTANT, nullable=False),
        sa.Column("staged_at", INSTANT),
        sa.Column("audited_at", INSTANT),
        sa.Column("proven_at", INSTANT),
        sa.Column("published_at", INSTANT),
        sa.Column("ended_at", INSTANT, comment="superseded, rejected or rolled back"),
        sa.Column("swept_at", INSTANT, comment="its score rows were deleted"),
        sa.CheckConstraint(
            "state IN ('staging', 'staged', 'audited', 'proven', 'published', 'superseded', "
            "'rejected', 'rolled_back')",
            name="generation_state",
        ),
        sa.ForeignKeyConstraint(
            ["snapshot_id"],
            ["ops.snapshot.snapshot_id"],
        ),
        sa.PrimaryKeyConstraint("generation_id"),
        schema="ops",
    )
    op.create_index(
        "generation_by_day", "generation", ["model", "business_date"], unique=False, schema="ops"
    )
    op.create_index("generation_by_run", "generation", ["run_key"], unique=False, schema="ops")
    op.create_index(
        "generation_published_once",
        "generation",
        ["model", "business_date"],
        unique=True,
        schema="ops",
        postgresql_where=sa.text("state = 'published'"),
    )
    op.create_table(
        "published",
        sa.Column("model", sa.Text(), nullable=False),
        sa.Column("business_date", sa.Date(), nullable=False),
        sa.Column("generation_id", sa.BigInteger(), nullable=False),
        sa.Column("published_at", INSTANT, nullable=False),
        sa.ForeignKeyConstraint(
            ["generation_id"],
            ["ops.generation.generation_id"],
        ),
        sa.PrimaryKeyConstraint("model", "business_date"),
        schema="ops",
    )


def _guard_champion_ledger() -> None:
    """Who was champion, and why, is never rewritten: not even by its owner, by mistake."""
    op.execute(
        """
        CREATE FUNCTION ops.refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
        BEGIN
            RAISE EXCEPTION '%.% is append-only: % is refused',
                TG_TABLE_SCHEMA, TG_TABLE_NAME, TG_OP
                USING HINT = 'Add an entry with a later effective_from instead.';
        END
        $$
        """
    )
    op.execute(
        """
        CREATE TRIGGER append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON ops.champion
        FOR EACH STATEMENT EXECUTE FUNCTION ops.refuse_change()
        """
    )


def _create_reader() -> None:
    """The analysts' role: it may read the schema report and nothing else.

    A role belongs to the whole server, so another database's migration may have created it, or
    be creating it now (advisory locks do not reach across databases). Only the creation needs
    CREATEROLE, so an administrator can make the role first and migrate with fewer rights.
    """
    op.execute(
        """
        DO $$
        BEGIN
            IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'daybreak_reader') THEN
                CREATE ROLE daybreak_reader NOLOGIN;
            END IF;
        EXCEPTION WHEN duplicate_object OR unique_violation THEN
            NULL;
        END
        $$
        """
    )
    op.execute("GRANT USAGE ON SCHEMA report TO daybreak_reader")
    op.execute(
        "ALTER DEFAULT PRIVILEGES IN SCHEMA report GRANT SELECT ON TABLES TO daybreak_reader"
    )
