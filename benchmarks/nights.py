"""Published nights of all models, as a shop that has run for some time has them, written by SQL."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta

from sqlalchemy import Connection, insert, text

from benchmarks import bench_reports
from benchmarks.facts import BUSINESS_DATE, CUTOFF
from daybreak.ledger.verdicts import record_verdict
from daybreak.models.fraud.layout import Layout
from daybreak.models.fraud.options import DELAY
from daybreak.models.fraud.tables import scores as score_fraud
from daybreak.models.pricing.tables import scores as score_pricing
from daybreak.signals.log import Event, Label, append_events, append_labels
from daybreak.signals.stream import Stream, declare
from daybreak.warehouse.tables import champion, model_version, price_rules

MODELS = ("sales_forecast", "recommendations", "pricing", "fraud")
STREAM = Stream("payments", ("card", "terminal"), ("amount",), 2, {}, "UTC")
DELAY_DAYS = 7
DAY = timedelta(days=1)

TABLES = bench_reports.TABLES | {"pricing": score_pricing, "fraud": score_fraud}
SCORES = bench_reports.SCORES | {
    # One price of three changes, some of them for a rule.
    "pricing": """
        INSERT INTO score.pricing (business_date, generation_id, shard, store_id, item_id,
            current_price, price, lowest_price, highest_price, current_units, units, units_p10,
            units_p90, current_margin, margin, elasticity, elasticity_low, elasticity_high, gap,
            place, rule, lowest_rule, highest_rule, stopped, judged_by)
        SELECT :day, :generation, 0, store_id, item_id, 100, 100 + 5 * moves, 90, 110, 10,
            10 - moves, 5, 15, 400, 400 + 9 * moves, -1, -2, -0.5, 0,
            moves * row_number() OVER (ORDER BY moves DESC, store_id, item_id),
            CASE WHEN number % 2 = 0 THEN 'largest_change' ELSE '' END, '', '', '', '1111111'
        FROM (
            SELECT store_id, item_id, number, (number % 3 = 0)::int AS moves
            FROM (
                SELECT store_id, item_id, row_number() OVER (ORDER BY store_id, item_id) AS number
                FROM raw.sales WHERE business_date = :day
            ) AS series
        ) AS drawn
    """,
    "fraud": """
        INSERT INTO score.fraud (business_date, generation_id, shard, key, event_id, probability,
            decision)
        SELECT :day, :generation, 0, 'card-' || number % :cards,
            'e-' || CAST(:day AS date) || '-' || number, chance,
            CASE WHEN chance > 0.95 THEN 'block' WHEN chance > 0.9 THEN 'review' ELSE 'allow' END
        FROM (
            SELECT number, abs(hashtext(:day || '-' || number) % 1000) / 1000.0 AS chance
            FROM generate_series(1, :payments) AS number
        ) AS drawn
    """,
}
SLA = """
    INSERT INTO ops.sla (model, business_date, run_key, run_type, generation_id, due_at, landed_at,
        slack_seconds, status, rows, recorded_at)
    SELECT model, business_date, run_key, run_type, generation_id, cutoff + interval '4 hours',
        cutoff + late * interval '5 hours', 14400 - late * 18000,
        CASE late WHEN 1 THEN 'missed' ELSE 'met' END, rows, cutoff + interval '5 hours'
    FROM (
        SELECT *, (extract(day FROM business_date) = 13)::int AS late FROM ops.generation
    ) AS scored
"""
RUNS = """
    INSERT INTO ops.run (run_key, model, business_date, run_type, started_at, interval)
    SELECT run_key, model, business_date, run_type, cutoff, 'daily' FROM ops.generation
"""
LOADS = """
    INSERT INTO ops.load (dataset, source, uri, sha256, reading, rows_read, rows_loaded,
        rows_quarantined, rules, first_date, last_date, finished_at)
    SELECT 'synthetic', 'sales', 'sales-' || business_date || '.csv',
        CAST(business_date AS text), '', 1000, 1000, 0, '{}', business_date, business_date,
        business_date + interval '26 hours'
    FROM raw.day_closed
"""
NAMES = """
    INSERT INTO raw.store (store_id, name, load_id, loaded_at)
    SELECT DISTINCT store_id, 'Store ' || right(store_id, 3), 1, CAST(:known AS timestamptz)
    FROM raw.sales WHERE business_date = :day
"""


def fill_nights(conn: Connection, sizes: dict[str, int], nights: int) -> None:
    """``nights`` business dates up to the newest closed one, published in time but for a few, and
    a load for each closed day.

    ``sizes``: those of `bench_reports.publish`, ``payments`` a day and ``cards`` that make them.
    """
    known = CUTOFF - nights * DAY
    declare(conn, STREAM, known)
    rules = {"currency": "EUR", "ladder": {"points": [1.0]}}
    conn.execute(
        insert(price_rules).values(
            sha256="", rules=rules, decimals=2, timezone="UTC", known_from=known
        )
    )
    conn.execute(text(LOADS))
    conn.execute(text(NAMES), {"known": known, "day": BUSINESS_DATE})
    for model in MODELS:
        _put_in_force(conn, model, known)
    for ago in range(nights)[::-1]:
        day = BUSINESS_DATE - ago * DAY
        _pay(conn, day, sizes)
        for model in MODELS:
            bench_reports.publish(
                conn, model, day, sizes, table=TABLES[model], scores=SCORES[model]
            )
    conn.execute(text(RUNS))
    conn.execute(text(SLA))


def _put_in_force(conn: Connection, model: str, known: datetime) -> None:
    manifest = {"layout": Layout.of(STREAM, DELAY_DAYS).as_json(), "options": {DELAY: DELAY_DAYS}}
    version = bench_reports.VERSION
    conn.execute(
        insert(model_version).values(
            model=model, version=version, uri="", files={},
            manifest=manifest if model == "fraud" else {},
            trained_through=known.date() - DAY, registered_at=known,
        )
    )  # fmt: skip
    record_verdict(
        conn, model=model, version=version, passed=True, reason="better", evidence={},
        actor="bench", now=known,
        headline={"measure": "m", "value": 0.4, "baseline": "mean", "baseline_value": 0.5},
    )  # fmt: skip
    conn.execute(
        insert(champion).values(
            model=model, version=version, effective_from=known, recorded_at=known, actor="bench",
            reason="better", evidence={},
        )
    )  # fmt: skip


def _pay(conn: Connection, day: date, sizes: dict[str, int]) -> None:
    """The payments of a day, each hundredth of which is called a fraud a day later."""
    noon = datetime.combine(day, time(12), UTC)
    ids = {number: f"e-{day}-{number}" for number in range(1, sizes["payments"] + 1)}
    events = [
        Event(one, noon, {"card": f"card-{number % sizes['cards']}"}, {"amount": 100 + number})
        for number, one in ids.items()
    ]
    append_events(conn, STREAM, events, noon)
    frauds = [Label(one, True) for number, one in ids.items() if number % 100 == 7]
    append_labels(conn, STREAM, frauds, noon + timedelta(hours=6))
