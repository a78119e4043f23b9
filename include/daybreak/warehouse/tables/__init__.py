"""SQLAlchemy Core definitions of every table. Alembic migrations create the same thing.

Schemas: ``raw`` (facts, append-only), ``feature`` (snapshots), ``score`` (what is published),
``ops`` (how it came about) and ``report`` (views only; see ``warehouse/reports``).

Two clocks stand in every raw table: the event date or time, and ``loaded_at``, the moment the
fact became known here. A correction is a new row with a later ``loaded_at``.
"""

from __future__ import annotations

from daybreak.warehouse.tables.feature import snapshot_context, snapshot_part, tile
from daybreak.warehouse.tables.ops_access import api_key
from daybreak.warehouse.tables.ops_decisions import decision, proof
from daybreak.warehouse.tables.ops_drift import asked_histogram, drift, drift_alarm, drift_histogram
from daybreak.warehouse.tables.ops_generations import approval, generation, published, serving
from daybreak.warehouse.tables.ops_prices import price, price_moment, price_reading, price_rules
from daybreak.warehouse.tables.ops_runs import period_report, run, sla, step
from daybreak.warehouse.tables.ops_snapshots import (
    load,
    snapshot,
    snapshot_shard,
    snapshot_upstream,
)
from daybreak.warehouse.tables.ops_versions import champion, model_version, trial, verdict
from daybreak.warehouse.tables.raw_facts import (
    calendar,
    day_closed,
    interaction,
    item,
    plan,
    quarantine,
    sales,
    store,
)
from daybreak.warehouse.tables.raw_prices import ALL_STORES, competitor_price, cost, stock
from daybreak.warehouse.tables.raw_streams import (
    AMOUNT_SLOTS,
    KEY_SLOTS,
    event,
    event_id,
    label,
    stream,
)
from daybreak.warehouse.tables.schema import (
    READER_ROLE,
    SCHEMAS,
    SERVICE_ROLE,
    WRITER_ROLE,
    Instant,
    metadata,
)

__all__ = [
    "ALL_STORES",
    "AMOUNT_SLOTS",
    "KEY_SLOTS",
    "READER_ROLE",
    "SCHEMAS",
    "SERVICE_ROLE",
    "WRITER_ROLE",
    "Instant",
    "api_key",
    "approval",
    "asked_histogram",
    "calendar",
    "champion",
    "competitor_price",
    "cost",
    "day_closed",
    "decision",
    "drift",
    "drift_alarm",
    "drift_histogram",
    "event",
    "event_id",
    "generation",
    "interaction",
    "item",
    "label",
    "load",
    "metadata",
    "model_version",
    "period_report",
    "plan",
    "price",
    "price_moment",
    "price_reading",
    "price_rules",
    "proof",
    "published",
    "quarantine",
    "run",
    "sales",
    "serving",
    "sla",
    "snapshot",
    "snapshot_context",
    "snapshot_part",
    "snapshot_shard",
    "snapshot_upstream",
    "step",
    "stock",
    "store",
    "stream",
    "tile",
    "trial",
    "verdict",
]
