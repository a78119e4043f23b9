"""SQLAlchemy Core definitions of every table. Alembic migrations create the same thing.

Schemas: ``raw`` (facts, append-only), ``feature`` (snapshots), ``score`` (what is published),
``ops`` (how it came about) and ``report`` (views only; see ``warehouse/reports``).

Two clocks stand in every raw table: the event date or time, and ``loaded_at``, the moment the
fact became known here. A correction is a new row with a later ``loaded_at``.
"""

from __future__ import annotations

from typing import Any

from sqlalchemy import (
    ARRAY,
    REAL,
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    Date,
    DateTime,
    Double,
    ForeignKey,
    Identity,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    SmallInteger,
    Table,
    Text,
    UniqueConstraint,
    text,
)
from sqlalchemy.dialects.postgresql import JSONB

metadata = MetaData()

Instant = DateTime(timezone=True)


def _lineage() -> list[Column[Any]]:
    """The load of the row, and when it became known."""
    return [
        Column("load_id", BigInteger, nullable=False),
        Column("loaded_at", Instant, nullable=False),
    ]


# --- raw: facts ------------------------------------------------------------------------------

sales = Table(
    "sales",
    metadata,
    Column("business_date", Date, nullable=False),
    Column("store_id", Text, nullable=False),
    Column("item_id", Text, nullable=False),
    Column("units", Double, nullable=False),
    Column("price", Double),
    Column("promotion", Double),
    Column("open", Boolean),
    Column("holiday", Double),
    Column("covariates", JSONB),
    *_lineage(),
    Index("sales_by_date", "business_date"),
    Index("sales_by_series", "store_id", "item_id", "business_date", "loaded_at", "load_id"),
    schema="raw",
)
"""One row a (date, store, item) and load. A day without a row sold nothing."""

plan = Table(
    "plan",
    metadata,
    Column("business_date", Date, nullable=False),
    Column("store_id", Text, nullable=False),
    Column("item_id", Text, nullable=False, comment="'' where the plan holds for the whole store"),
    Column("price", Double),
    Column("promotion", Double),
    Column("open", Boolean),
    Column("holiday", Double),
    Column("covariates", JSONB),
    *_lineage(),
    Index("plan_by_date", "business_date"),
    Index("plan_by_series", "store_id", "item_id", "business_date", "loaded_at", "load_id"),
    schema="raw",
)
"""Covariates known ahead of their date. Their clock differs from that of the sale itself."""

interaction = Table(
    "interaction",
    metadata,
    Column("event_at", Instant, nullable=False),
    Column("business_date", Date, nullable=False, comment="of event_at where the data set is"),
    Column("user_id", Text, comment="null where nobody is known"),
    Column("item_id", Text, nullable=False),
    Column("kind", Text, nullable=False),
    Column("basket_id", Text, comment="what was done together: an invoice, a visit"),
    Column("weight", Double, nullable=False, comment="1 or more is a purchase, less only hints"),
    Column("quantity", Double),
    Column("price", Double),
    *_lineage(),
    Index("interaction_by_time", "event_at"),
    Index("interaction_by_date", "business_date"),
    Index("interaction_by_user", "user_id"),
    schema="raw",
)
"""Who did what with which item. Weights are the data set's; see docs/data-contract.md."""

item = Table(
    "item",
    metadata,
    Column("item_id", Text, nullable=False),
    Column("name", Text),
    Column("category", Text, comment="the first one, where there are several"),
    Column("categories", JSONB, comment="list of all, where there are several; else null"),
    *_lineage(),
    Index("item_by_id", "item_id"),
    schema="raw",
)

store = Table(
    "store",
    metadata,
    Column("store_id", Text, nullable=False),
    Column("name", Text),
    Column("region", Text),
    *_lineage(),
    Index("store_by_id", "store_id"),
    schema="raw",
)

calendar = Table(
    "calendar",
    metadata,
    Column("business_date", Date, primary_key=True),
    Column("open", Boolean, nullable=False),
    Column("holiday", Text, comment="name of the public holiday, if any"),
    Column(
        "days",
        SmallInteger,
        nullable=False,
        server_default="1",
        comment="of the period that ends then: 7 where the data set has weeks",
    ),
    schema="raw",
)
"""Days on which the business as a whole is open, and public holidays; known for years ahead."""

day_closed = Table(
    "day_closed",
    metadata,
    Column("business_date", Date, primary_key=True),
    Column("closed_at", Instant, nullable=False),
    Column("load_id", BigInteger, nullable=False),
    schema="raw",
)
"""From ``closed_at`` on, all facts of the date are known, of every section that closes days.

``load_id``: of a load that covers the date. Never updated.
"""

quarantine = Table(
    "quarantine",
    metadata,
    Column("load_id", BigInteger, nullable=False),
    Column("row_number", BigInteger, nullable=False, comment="1 is the first data row"),
    Column("field", Text),
    Column("reason", Text, nullable=False),
    Column("row", JSONB, nullable=False),
    Column("quarantined_at", Instant, nullable=False),
    Index("quarantine_by_load", "load_id"),
    schema="raw",
)

# --- raw: what prices are set by -------------------------------------------------------------

ALL_STORES = ""
"""``store_id`` of a row that holds for every store."""


def _by_series(table: str) -> list[Index]:
    series = ("store_id", "item_id", "business_date", "loaded_at", "load_id")
    return [
        Index(f"{table}_by_date", "business_date"),
        Index(f"{table}_by_series", *series),
    ]


cost = Table(
    "cost",
    metadata,
    Column("business_date", Date, nullable=False, comment="from which it holds"),
    Column("store_id", Text, nullable=False, comment="'' where it holds for all stores"),
    Column("item_id", Text, nullable=False),
    Column("cost", Double, nullable=False, comment="of one unit, in the currency"),
    *_lineage(),
    *_by_series("cost"),
    schema="raw",
)
"""What one unit costs, from a date on."""

competitor_price = Table(
    "competitor_price",
    metadata,
    Column("business_date", Date, nullable=False, comment="on which it was seen"),
    Column("store_id", Text, nullable=False, comment="'' where it holds for all stores"),
    Column("item_id", Text, nullable=False),
    Column("competitor", Text, nullable=False),
    Column("price", Double, nullable=False, comment="in the currency"),
    *_lineage(),
    *_by_series("competitor_price"),
    schema="raw",
)
"""What others ask for the same item."""

stock = Table(
    "stock",
    metadata,
    Column("business_date", Date, nullable=False, comment="at whose close it was counted"),
    Column("store_id", Text, nullable=False),
    Column("item_id", Text, nullable=False),
    Column("units", Double, nullable=False),
    *_lineage(),
    *_by_series("stock"),
    schema="raw",
)

# --- raw: streams ----------------------------------------------------------------------------

KEY_SLOTS = tuple(f"key_{slot}" for slot in range(1, 7))
AMOUNT_SLOTS = tuple(f"amount_{slot}" for slot in range(1, 5))
"""Columns that the keys and the amounts of a stream go to, in the order of ``ops.stream``."""


def _by_key(table: str) -> list[Index]:
    return [
        Index(
            f"{table}_by_{slot}",
            "stream",
            slot,
            "loaded_at",
            postgresql_where=text(f"{slot} IS NOT NULL"),
        )
        for slot in KEY_SLOTS
    ]


stream = Table(
    "stream",
    metadata,
    Column("stream", Text, primary_key=True),
    Column("keys", ARRAY(Text), nullable=False, comment="in the order of key_1 …"),
    Column("amounts", ARRAY(Text), nullable=False, comment="in the order of amount_1 …"),
    Column("decimals", SmallInteger, nullable=False, comment="that amounts have at most"),
    Column("attributes", JSONB, nullable=False, comment="name to kind"),
    Column("timezone", Text, nullable=False, comment="in which its days begin"),
    Column("sequence", BigInteger, nullable=False, comment="of the newest entry"),
    Column("watermark", Instant, comment="no entry is known later; null: it has none"),
    Column(
        "live",
        Boolean,
        nullable=False,
        comment="whether every new entry has to be known after the watermark",
    ),
    Column("tiled_through", Instant, comment="what is known by then is in the tiles"),
    Column("declared_at", Instant, nullable=False),
    schema="ops",
)
"""A log of events and labels. Its row is locked by who appends, so that there is one writer.

The watermark moves with entries, and to the closing of a day, so that none is known by then later.
"""

event_id = Table(
    "event_id",
    metadata,
    Column("stream", Text, primary_key=True),
    Column("event_id", Text, primary_key=True),
    Column("sequence", BigInteger, nullable=False),
    Column("loaded_at", Instant, nullable=False),
    Index("event_id_by_time", "loaded_at"),
    schema="raw",
)
"""Where each event is: an id counts once, whichever day it comes again."""

event = Table(
    "event",
    metadata,
    Column("loaded_at", Instant, primary_key=True),
    Column("stream", Text, primary_key=True),
    Column("sequence", BigInteger, primary_key=True),
    Column("event_id", Text, nullable=False),
    Column("event_at", Instant, nullable=False),
    Column("business_date", Date, nullable=False, comment="of event_at"),
    *(Column(slot, Text) for slot in KEY_SLOTS),
    *(Column(slot, BigInteger) for slot in AMOUNT_SLOTS),
    Column("attributes", JSONB),
    Column("load_id", BigInteger, comment="null where it came over HTTP"),
    *_by_key("event"),
    schema="raw",
    postgresql_partition_by="RANGE (loaded_at)",
)
"""By the day (UTC) on which they became known. ``ops.append_events`` is the one way in."""

label = Table(
    "label",
    metadata,
    Column("stream", Text, primary_key=True),
    Column("sequence", BigInteger, primary_key=True),
    Column("event_id", Text, nullable=False),
    Column("fraud", Boolean, nullable=False),
    Column("was_fraud", Boolean, nullable=False, comment="as was known before"),
    Column("event_at", Instant, comment="of its event; null while that is not known"),
    Column("business_date", Date),
    *(Column(slot, Text) for slot in KEY_SLOTS),
    Column("load_id", BigInteger, comment="null where it came over HTTP"),
    Column("loaded_at", Instant, nullable=False),
    *_by_key("label"),
    Index("label_by_event", "stream", "event_id", "sequence"),
    Index("label_by_time", "loaded_at"),
    schema="raw",
)
"""What was said of events, with the keys of each. ``ops.append_labels`` is the one way in.

One that comes before its event waits, and is written again when that comes.
"""

# --- feature: snapshots ----------------------------------------------------------------------

snapshot_context = Table(
    "context",
    metadata,
    Column("snapshot_id", BigInteger, ForeignKey("ops.snapshot.snapshot_id"), primary_key=True),
    Column("arrays", LargeBinary, nullable=False, comment="an .npz of named arrays, no pickle"),
    schema="feature",
)
"""What all entities of a snapshot share."""

snapshot_part = Table(
    "snapshot_part",
    metadata,
    Column("snapshot_id", BigInteger, ForeignKey("ops.snapshot.snapshot_id"), primary_key=True),
    Column("shard", Integer, primary_key=True),
    Column("name", Text, primary_key=True),
    Column("array", LargeBinary, nullable=False, comment="an .npy, no pickle"),
    schema="feature",
    prefixes=["UNLOGGED"],
)
"""What shards keep until their snapshot is whole. Lost in a crash of the server, and made again."""

tile = Table(
    "tile",
    metadata,
    Column("business_date", Date, primary_key=True),
    Column("stream", Text, primary_key=True),
    Column("slot", SmallInteger, primary_key=True, comment="1 is key_1"),
    Column("key", Text, primary_key=True),
    Column("through", Instant, primary_key=True, comment="the newest entry that was folded"),
    Column("events", BigInteger, nullable=False),
    Column("frauds", BigInteger, nullable=False, comment="more known than before"),
    Column("last_at", Instant, comment="of its events"),
    *(
        Column(slot.replace("amount", column), BigInteger)
        for column in ("sum", "most", "given")
        for slot in AMOUNT_SLOTS
    ),
    *(Column(slot.replace("key", "others"), ARRAY(BigInteger)) for slot in KEY_SLOTS),
    Index("tile_by_key", "stream", "slot", "key"),
    schema="feature",
    postgresql_partition_by="RANGE (business_date)",
)
"""The entries of a log about one key and one day that became known between two builds, folded."""

# --- ops: how it came about ------------------------------------------------------------------

load = Table(
    "load",
    metadata,
    Column("load_id", BigInteger, Identity(always=True), primary_key=True),
    Column("dataset", Text, nullable=False),
    Column("source", Text, nullable=False, comment="section of the data set file"),
    Column("uri", Text, nullable=False),
    Column("sha256", Text, nullable=False),
    Column("reading", Text, nullable=False, comment="hash of how the section reads its files"),
    Column("rows_read", BigInteger, nullable=False),
    Column("rows_loaded", BigInteger, nullable=False),
    Column("rows_quarantined", BigInteger, nullable=False),
    Column("lines_read", BigInteger, comment="of a text file: header, rows, blank and merged"),
    Column("lines_blank", BigInteger),
    Column("lines_merged", BigInteger, comment="lines of rows beyond their first"),
    Column("lines_bad", BigInteger, comment="lines of bad rows"),
    Column("rules", JSONB, nullable=False, comment="rule -> rows it dropped or changed"),
    Column("first_date", Date),
    Column("last_date", Date),
    Column("finished_at", Instant, nullable=False),
    UniqueConstraint("dataset", "source", "sha256", "reading", name="load_once"),
    schema="ops",
)
"""One row a file that was loaded wholly; the same bytes are never loaded in the same way again. And
one for each live stream, which says from which day on it covers days without files."""

snapshot = Table(
    "snapshot",
    metadata,
    Column("snapshot_id", BigInteger, Identity(always=True), primary_key=True),
    Column("model", Text, nullable=False),
    Column("business_date", Date, nullable=False),
    Column("cutoff", Instant, nullable=False),
    Column("layout", Text, nullable=False, comment="hash of the names of the values, in order"),
    Column("rows", BigInteger, nullable=False),
    Column("sha256", Text, nullable=False, comment="over keys and bytes, in key order"),
    Column("built_at", Instant, nullable=False),
    Column("pruned_at", Instant, comment="its rows went; scoring the day makes them again"),
    Column("options", JSONB, comment="that its shards are made with"),
    Column("finished_at", Instant, comment="null while shards are missing"),
    UniqueConstraint("model", "business_date", "cutoff", "layout", name="snapshot_once"),
    schema="ops",
)

snapshot_upstream = Table(
    "snapshot_upstream",
    metadata,
    Column("snapshot_id", BigInteger, ForeignKey("ops.snapshot.snapshot_id"), primary_key=True),
    Column(
        "generation_id", BigInteger, ForeignKey("ops.generation.generation_id"), primary_key=True
    ),
    schema="ops",
)
"""Generations of other models whose scores a snapshot was made from."""

snapshot_shard = Table(
    "snapshot_shard",
    metadata,
    Column("snapshot_id", BigInteger, ForeignKey("ops.snapshot.snapshot_id"), primary_key=True),
    Column("shard", Integer, primary_key=True),
    Column("first", BigInteger, nullable=False, comment="position of its first row in key order"),
    Column("entities", BigInteger, comment="null where nobody counted them"),
    Column("keys", LargeBinary, nullable=False, comment="of its entities, UTF-8, ended by NUL"),
    Column("rows", BigInteger, comment="null while they are not written"),
    schema="ops",
)
"""How an unfinished snapshot is cut. Gone when it is whole."""

model_version = Table(
    "model_version",
    metadata,
    Column("model", Text, primary_key=True),
    Column("version", Text, primary_key=True),
    Column("uri", Text, nullable=False),
    Column("files", JSONB, nullable=False, comment="file name -> sha256"),
    Column("manifest", JSONB, nullable=False),
    Column("trained_through", Date, nullable=False),
    Column("registered_at", Instant, nullable=False),
    Column("pruned_at", Instant, comment="its files went"),
    schema="ops",
)

champion = Table(
    "champion",
    metadata,
    Column("entry_id", BigInteger, Identity(always=True), primary_key=True),
    Column("model", Text, nullable=False),
    Column("version", Text, nullable=False),
    Column("effective_from", Instant, nullable=False, comment="in force for cutoffs from here on"),
    Column("recorded_at", Instant, nullable=False),
    Column("actor", Text, nullable=False),
    Column("reason", Text, nullable=False),
    Column("evidence", JSONB, nullable=False, comment="what the gate measured"),
    Column(
        "serve_from",
        Instant,
        comment="requests know of it from here on; null: from effective_from",
    ),
    Index("champion_by_model", "model", "effective_from", "entry_id"),
    schema="ops",
)
"""Append-only: a trigger refuses UPDATE and DELETE."""

verdict = Table(
    "verdict",
    metadata,
    Column("verdict_id", BigInteger, Identity(always=True), primary_key=True),
    Column("model", Text, nullable=False),
    Column("version", Text, nullable=False),
    Column("judged_at", Instant, nullable=False),
    Column("passed", Boolean, nullable=False),
    Column("reason", Text, nullable=False),
    Column("measure", Text, comment="what the gate goes by first, such as WAPE"),
    Column("value", Double, comment="of the version"),
    Column("baseline", Text, comment="the best baseline by that measure"),
    Column("baseline_value", Double),
    Column("evidence", JSONB, nullable=False, comment="all that the gate measured"),
    Column("actor", Text, nullable=False),
    Index("verdict_by_version", "model", "version", "verdict_id"),
    schema="ops",
)
"""What the gate said of a version, the refused ones too; the newest row holds. Append-only."""

trial = Table(
    "trial",
    metadata,
    Column("entry_id", BigInteger, Identity(always=True), primary_key=True),
    Column("model", Text, nullable=False),
    Column("kind", Text, nullable=False, comment="canary or shadow"),
    Column("version", Text, comment="null: what was tried ends"),
    Column("share", Double, comment="of the entities, 0 to 1"),
    Column("serve_from", Instant, nullable=False, comment="by the clock of this server"),
    Column("recorded_at", Instant, nullable=False),
    Column("actor", Text, nullable=False),
    Column("reason", Text, nullable=False),
    CheckConstraint("kind IN ('canary', 'shadow')", name="trial_kind"),
    Index("trial_by_model", "model", "kind", "entry_id"),
    schema="ops",
)
"""Versions tried beside the one in force. Append-only."""

generation = Table(
    "generation",
    metadata,
    Column("generation_id", BigInteger, Identity(always=True), primary_key=True),
    Column("model", Text, nullable=False),
    Column("business_date", Date, nullable=False),
    Column("run_key", Text, nullable=False, comment="the run that opened it"),
    Column("run_type", Text, nullable=False, comment="scheduled, manual, backfill, asset, cli"),
    Column("cutoff", Instant, nullable=False),
    Column("version", Text, nullable=False),
    Column("snapshot_id", BigInteger, ForeignKey("ops.snapshot.snapshot_id"), nullable=False),
    Column(
        "terms",
        JSONB,
        nullable=False,
        server_default="{}",
        comment="numbers that a person set for it, by name",
    ),
    Column("state", Text, nullable=False),
    Column("reason", Text, nullable=False, server_default=""),
    Column("rows", BigInteger),
    Column("opened_at", Instant, nullable=False),
    Column("staged_at", Instant),
    Column("audited_at", Instant),
    Column("proven_at", Instant),
    Column("published_at", Instant),
    Column("ended_at", Instant, comment="superseded, rejected or rolled back"),
    Column("swept_at", Instant, comment="its score rows were deleted"),
    Index("generation_by_day", "model", "business_date"),
    Index("generation_by_run", "run_key"),
    Index("generation_by_snapshot", "snapshot_id"),
    Index(
        "generation_published_once",
        "model",
        "business_date",
        unique=True,
        postgresql_where=text("state = 'published'"),
    ),
    CheckConstraint(
        "state IN ('staging', 'staged', 'audited', 'proven', 'published', 'superseded', "
        "'rejected', 'rolled_back')",
        name="generation_state",
    ),
    schema="ops",
)
"""``ledger/generations.py`` is the only writer; docs/generations.md draws the states."""

approval = Table(
    "approval",
    metadata,
    Column("approval_id", BigInteger, Identity(always=True), primary_key=True),
    Column("generation_id", BigInteger, ForeignKey("ops.generation.generation_id"), nullable=False),
    Column("model", Text, nullable=False),
    Column("business_date", Date, nullable=False),
    Column(
        "proposal",
        Text,
        nullable=False,
        comment="hash of the rows that were asked about; the same get the same answer",
    ),
    Column("figures", JSONB, nullable=False, comment="what was shown"),
    Column("outcome", Text, nullable=False),
    Column("terms", JSONB, nullable=False, comment="numbers that were set, by name"),
    Column("person", Text, nullable=False, comment="empty: nobody, in time"),
    Column("reason", Text, nullable=False),
    Column("decided_at", Instant, nullable=False),
    UniqueConstraint("generation_id", name="approval_once"),
    Index("approval_by_proposal", "model", "business_date", "proposal"),
    CheckConstraint(
        "outcome IN ('approved', 'capped', 'rejected', 'expired')", name="approval_outcome"
    ),
    schema="ops",
)
"""Append-only. Who agreed to what was proposed, and who did not."""

published = Table(
    "published",
    metadata,
    Column("model", Text, primary_key=True),
    Column("business_date", Date, primary_key=True),
    Column("generation_id", BigInteger, ForeignKey("ops.generation.generation_id"), nullable=False),
    Column("published_at", Instant, nullable=False),
    schema="ops",
)
"""The pointer. Report views see only generations named here, and the endpoint a moment later."""

serving = Table(
    "serving",
    metadata,
    Column("entry_id", BigInteger, Identity(always=True), primary_key=True),
    Column("model", Text, nullable=False),
    Column("generation_id", BigInteger, comment="null: nothing is published any more"),
    Column("serve_from", Instant, nullable=False, comment="by the clock of this server"),
    Column("recorded_at", Instant, nullable=False),
    Index("serving_by_model", "model", "entry_id"),
    schema="ops",
)
"""Which generation the endpoint answers from, from which moment on. Append-only."""

price = Table(
    "price",
    metadata,
    Column("entry_id", BigInteger, Identity(always=True), primary_key=True),
    Column("store_id", Text, nullable=False),
    Column("item_id", Text, nullable=False),
    Column("price", BigInteger, comment="minor units; null: not on sale from here on"),
    Column("currency", Text, nullable=False, comment="ISO 4217"),
    Column("decimals", SmallInteger, nullable=False, comment="of the currency"),
    Column("valid_from", Instant, nullable=False),
    Column("timezone", Text, nullable=False, comment="whose days it counts for"),
    Column("known_at", Instant, nullable=False),
    Column("source", Text, nullable=False),
    Column("generation_id", BigInteger, comment="whose price it is; null: observed"),
    CheckConstraint(
        "source IN ('observed', 'published', 'withdrawn', 'live')", name="price_source"
    ),
    CheckConstraint("price >= 0", name="price_not_negative"),
    Index("price_by_series", "store_id", "item_id", "valid_from", "known_at", "entry_id"),
    Index(
        "price_by_generation",
        "generation_id",
        postgresql_where=text("generation_id IS NOT NULL"),
    ),
    schema="ops",
)
"""Which price is in force from when on, said when. Append-only: of entries with one ``valid_from``
the one known last holds."""

price_moment = Table(
    "price_moment",
    metadata,
    Column("generation_id", BigInteger, primary_key=True, autoincrement=False),
    Column("store_id", Text, primary_key=True),
    Column("item_id", Text, primary_key=True),
    Column("slot_at", Instant, primary_key=True, comment="from when on it is in force"),
    Column("price", BigInteger, nullable=False, comment="minor units"),
    Column("published", BigInteger, nullable=False, comment="price of the night"),
    Column("demand", REAL, comment="a multiple of what was expected; null: not known"),
    Column("units", Double, comment="sold since the day began"),
    Column("expected", REAL, comment="to be sold by then"),
    Column("competitor", BigInteger, comment="minor units; null: none is known"),
    Column("known_by", Instant, nullable=False, comment="it knows nothing later"),
    Column("recorded_at", Instant, nullable=False),
    CheckConstraint("price >= 0", name="price_moment_not_negative"),
    schema="ops",
)
"""Changes of prices during a day, and what moved them. Append-only; ``ops.keep_price_moments`` is
the way in, which puts them into the ledger."""

price_reading = Table(
    "price_reading",
    metadata,
    Column("reading_id", BigInteger, Identity(always=True), primary_key=True),
    Column("business_date", Date, nullable=False, comment="of the newest sales"),
    Column("cutoff", Instant, nullable=False, comment="and what was known by then"),
    Column("timezone", Text, nullable=False, comment="in which business dates begin"),
    Column("entries", BigInteger, nullable=False, comment="that were appended"),
    schema="ops",
)
"""Which sales were taken into the ledger of prices. Append-only."""

run = Table(
    "run",
    metadata,
    Column("run_key", Text, primary_key=True, comment="dag_id/run_id, or cli/…"),
    Column("model", Text, nullable=False),
    Column("business_date", Date, nullable=False),
    Column("run_type", Text, nullable=False),
    Column("queued_at", Instant),
    Column("started_at", Instant, nullable=False),
    Column("interval", Text, comment="when the model was scored then, such as weekly:sunday"),
    schema="ops",
)

step = Table(
    "step",
    metadata,
    Column("run_key", Text, primary_key=True),
    Column("step", Text, primary_key=True),
    Column("shard", Integer, primary_key=True, comment="-1 where the step is not sharded"),
    Column("started_at", Instant, nullable=False),
    Column("ended_at", Instant, nullable=False),
    Column("rows", BigInteger),
    Column("processor_seconds", Double, comment="of the process, PostgreSQL's not counted"),
    schema="ops",
)
"""How long each step of a run took, the last try of each."""

period_report = Table(
    "period_report",
    metadata,
    Column("report_id", BigInteger, Identity(always=True), primary_key=True),
    Column("model", Text, nullable=False),
    Column("period", Text, nullable=False, comment="2026-07-20, 2026-W30 or 2026-07"),
    Column("name", Text, nullable=False, comment="knowledge time, and a hash of the content"),
    Column("first_date", Date, nullable=False),
    Column("last_date", Date, nullable=False),
    Column("known_at", Instant, nullable=False, comment="knowledge time of all its numbers"),
    Column("nights", Integer, nullable=False, comment="published business dates of the period"),
    Column("uri", Text, nullable=False),
    Column("files", JSONB, nullable=False, comment="file name to sha256"),
    Column("made_at", Instant, nullable=False),
    UniqueConstraint("model", "period", "name", name="period_report_once"),
    schema="ops",
)
"""Reports of models over periods. A row is written after all of its files."""

sla = Table(
    "sla",
    metadata,
    Column("model", Text, primary_key=True),
    Column("business_date", Date, primary_key=True),
    Column("run_key", Text, primary_key=True),
    Column("run_type", Text, nullable=False),
    Column("generation_id", BigInteger),
    Column("due_at", Instant, nullable=False),
    Column("landed_at", Instant),
    Column("slack_seconds", Double, comment="due minus landed; negative is late"),
    Column("status", Text, nullable=False),
    Column("queue_seconds", Double),
    Column("wait_seconds", Double),
    Column("score_seconds", Double),
    Column("publish_seconds", Double),
    Column("rows", BigInteger),
    Column("rows_per_second", Double),
    Column("recorded_at", Instant, nullable=False),
    Column("deadline_fired_at", Instant, comment="when Airflow's deadline alert said so"),
    CheckConstraint("status IN ('met', 'missed', 'not_counted')", name="sla_status"),
    schema="ops",
)
"""``not_counted`` is a backfill: neither a miss nor fresh."""


def _of_generation() -> Column[Any]:
    return Column(
        "generation_id",
        BigInteger,
        ForeignKey("ops.generation.generation_id"),
        primary_key=True,
    )


drift_histogram = Table(
    "drift_histogram",
    metadata,
    Column(
        "generation_id", BigInteger, ForeignKey("ops.generation.generation_id"), primary_key=True
    ),
    Column("kind", Text, primary_key=True, comment="key, feature, score or row"),
    Column("name", Text, primary_key=True),
    Column("bins", LargeBinary, nullable=False, comment="int16 keys of daybreak.histogram"),
    Column("counts", LargeBinary, nullable=False, comment="int64"),
    schema="ops",
)
"""What a generation was scored from, and what was scored. It follows from its rows alone."""

asked_histogram = Table(
    "asked_histogram",
    metadata,
    Column("asked_id", BigInteger, Identity(always=True), primary_key=True),
    Column("generation_id", BigInteger, ForeignKey("ops.generation.generation_id"), nullable=False),
    Column("name", Text, nullable=False, comment="feature of the engine"),
    Column("begun_at", Instant, nullable=False),
    Column("ended_at", Instant, nullable=False, comment="when it was written, too"),
    Column("answers", BigInteger, nullable=False, comment="whose rows were counted"),
    Column(
        "counts",
        LargeBinary,
        nullable=False,
        comment="int64, by the bins of the row in the version's manifest",
    ),
    Index("asked_histogram_by_generation", "generation_id", "ended_at"),
    CheckConstraint("begun_at <= ended_at", name="asked_histogram_window"),
    schema="ops",
)
"""What one process of the endpoint was asked about a generation in a while. Only appended to, by
``ops.append_asked``; old generations are deleted."""

drift = Table(
    "drift",
    metadata,
    Column(
        "generation_id", BigInteger, ForeignKey("ops.generation.generation_id"), primary_key=True
    ),
    Column("kind", Text, primary_key=True, comment="key, feature, score, size, quality or asked"),
    Column("name", Text, primary_key=True),
    Column("model", Text, nullable=False),
    Column("business_date", Date, nullable=False),
    Column("rows", BigInteger, nullable=False, comment="values that it is of"),
    Column("value", Double, comment="of a size or a measure of quality"),
    Column("value_training", Double, comment="what the version's backtest found"),
    Column("value_earlier", Double, comment="median of earlier nights"),
    Column("missing", Double, comment="share of the values"),
    Column("missing_earlier", Double, comment="usually, on nights of the same weekday"),
    Column("outside", Double, comment="share of the values that is outside of the training's"),
    Column("psi_training", Double),
    Column("ks_training", Double),
    Column(
        "psi_earlier",
        Double,
        comment="beside earlier nights of the same weekday; of asked: the night that answered",
    ),
    Column("ks_earlier", Double),
    Column(
        "psi_holiday",
        Double,
        comment="beside the nearest night of a public holiday in the last four weeks",
    ),
    Column("earlier_nights", SmallInteger, nullable=False),
    Column("usual_nights", SmallInteger, nullable=False, comment="that raise_at is learned from"),
    Column("distance", Double, comment="what raise_at is for"),
    Column("raise_at", Double, comment="null while nothing is usual"),
    Column("clear_at", Double),
    Column("noticed", Double, comment="smallest change that would be noticed within two nights"),
    Column("state", Text, nullable=False),
    Column("measured_at", Instant, nullable=False),
    Index("drift_by_day", "model", "business_date"),
    CheckConstraint("state IN ('quiet', 'over', 'alarm')", name="drift_state"),
    schema="ops",
)
"""How far a night is from earlier ones and from its version's training, by what is compared."""

drift_alarm = Table(
    "drift_alarm",
    metadata,
    Column("alarm_id", BigInteger, Identity(always=True), primary_key=True),
    Column("model", Text, nullable=False),
    Column("business_date", Date, nullable=False),
    Column("generation_id", BigInteger, ForeignKey("ops.generation.generation_id"), nullable=False),
    Column("kind", Text, nullable=False),
    Column("name", Text, nullable=False),
    Column("event", Text, nullable=False),
    Column("distance", Double),
    Column("raise_at", Double),
    Column("recorded_at", Instant, nullable=False),
    CheckConstraint("event IN ('raised', 'cleared')", name="drift_alarm_event"),
    UniqueConstraint("model", "kind", "name", "business_date", "event", name="drift_alarm_once"),
    schema="ops",
)
"""Alarms that were raised and cleared. Append-only: the newest row of a name holds."""

decision = Table(
    "decision",
    metadata,
    Column("decided_at", Instant, primary_key=True),
    Column("decision_id", BigInteger, primary_key=True),
    Column("model", Text, nullable=False),
    Column("version", Text, nullable=False),
    Column("stream", Text, nullable=False),
    Column("business_date", Date, nullable=False, comment="of event_at"),
    Column("event_id", Text, nullable=False),
    Column("event_at", Instant, nullable=False),
    Column(
        "sequence",
        BigInteger,
        comment="of its event in the log; null: it was not there yet, and comes after all of its "
        "moment",
    ),
    Column("recorded", Boolean, nullable=False, comment="its event was asked to be"),
    Column(
        "known",
        JSONB,
        nullable=False,
        comment="by key: the watermark that its signals were read at; null: nothing was",
    ),
    Column("stale", Boolean, nullable=False, comment="answered without the warehouse"),
    Column("request", Text, nullable=False, comment="JSON"),
    Column("features", LargeBinary, nullable=False, comment="little-endian float32"),
    Column("answer", Text, nullable=False, comment="JSON, but for latency_ms"),
    Column("latency_ms", REAL, nullable=False, comment="from the request to its recording"),
    Column(
        "commit_ms",
        REAL,
        nullable=False,
        comment="that the recording before it took in the same process",
    ),
    Index("decision_by_day", "model", "business_date", "decided_at"),
    Index("decision_by_event", "stream", "event_id"),
    schema="ops",
    postgresql_partition_by="RANGE (decided_at)",
)
"""Answers about events, by the day (UTC) of the answer. ``ops.record_decisions`` is the way in."""

proof = Table(
    "proof",
    metadata,
    Column("model", Text, primary_key=True),
    Column("business_date", Date, primary_key=True),
    Column("run_key", Text, primary_key=True),
    Column("decisions", BigInteger, nullable=False),
    Column("differing", BigInteger, nullable=False),
    Column("wrong_tiles", BigInteger, nullable=False),
    Column("finding", Text, nullable=False, comment="the first of what is wrong; ''"),
    Column("proven_at", Instant, nullable=False),
    schema="ops",
)
"""What the night found when it made the decisions of a day again."""

api_key = Table(
    "api_key",
    metadata,
    Column("key_id", Text, primary_key=True, comment="the public part of the key"),
    Column("name", Text, nullable=False),
    Column("sha256", Text, nullable=False, comment="of the secret part, which has 256 random bits"),
    Column("created_at", Instant, nullable=False),
    Column("revoked_at", Instant),
    Column(
        "scopes",
        ARRAY(Text),
        nullable=False,
        server_default=text("'{predict,explain}'::text[]"),
        comment="what the key opens; admin opens all",
    ),
    Column(
        "expires_at", Instant, comment="from then on it opens nothing; null: it does not expire"
    ),
    CheckConstraint(
        "cardinality(scopes) > 0 AND scopes <@ '{predict,explain,events,admin}'::text[]",
        name="api_key_scopes",
    ),
    schema="ops",
)

price_rules = Table(
    "price_rules",
    metadata,
    Column("rules_id", BigInteger, Identity(always=True), primary_key=True),
    Column("sha256", Text, nullable=False, comment="of their canonical JSON"),
    Column("rules", JSONB, nullable=False),
    Column("decimals", SmallInteger, nullable=False, comment="of the currency"),
    Column("timezone", Text, nullable=False, comment="in which business dates begin"),
    Column("known_from", Instant, nullable=False, comment="in force for cutoffs from here on"),
    UniqueConstraint("known_from", name="price_rules_once"),
    schema="ops",
)
"""The rules that prices keep, as the data set had them when. Append-only."""

SCHEMAS = ("raw", "feature", "score", "ops", "report")
READER_ROLE = "daybreak_reader"
SERVICE_ROLE = "daybreak_service"
WRITER_ROLE = "daybreak_writer"

__all__ = [name for name, value in globals().items() if isinstance(value, Table)]
__all__ += ["READER_ROLE", "SCHEMAS", "SERVICE_ROLE", "WRITER_ROLE", "metadata"]
