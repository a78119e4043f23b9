"""What one business date costs in the report views, with the demo's history and with ten times it:

python -m benchmarks.bench_reports --stores 8 --items 60 --days 820
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import statistics
import time
from datetime import date, timedelta
from typing import Any

from sqlalchemy import Connection, Engine, Table, insert, text

from benchmarks.facts import AHEAD, BUSINESS_DATE, CUTOFF, fill, temporary_warehouse
from daybreak.ledger import generations
from daybreak.models.recommendations.tables import scores as score_recommendation
from daybreak.models.sales_forecast.tables import scores as score_sales_forecast
from daybreak.warehouse.engine import begin, connect
from daybreak.warehouse.partitions import ensure_partition
from daybreak.warehouse.tables import snapshot

REPEATS = 5
VERSION = "bench"
ASKED = BUSINESS_DATE - timedelta(days=AHEAD)
"""All days that its forecast covers are closed."""

QUESTIONS = {
    "forecast_actual": "SELECT * FROM report.forecast_actual WHERE business_date = :day",
    "forecast_accuracy": """
        SELECT category, sum(absolute_error_p50) / sum(actual_units),
            sum(absolute_error_naive) / sum(actual_units)
        FROM report.forecast_accuracy WHERE business_date = :day GROUP BY category
    """,
    "recommendation_hits": "SELECT * FROM report.recommendation_hits WHERE business_date = :day",
}

TABLES = {"sales_forecast": score_sales_forecast, "recommendations": score_recommendation}
SCORES = {
    "sales_forecast": """
        INSERT INTO score.sales_forecast (business_date, generation_id, store_id, item_id, horizon,
            target_date, shard, p10, p50, p90, mean)
        SELECT :day, :generation, store_id, item_id, horizon, CAST(:day AS date) + horizon, 0,
            1, 4, 9, 5
        FROM (SELECT DISTINCT store_id, item_id FROM raw.sales WHERE business_date = :day) AS series
        CROSS JOIN generate_series(1, :ahead) AS horizon
    """,
    "recommendations": """
        INSERT INTO score.recommendation (business_date, generation_id, user_id, rank, shard,
            item_id, score, reason, because)
        SELECT :day, :generation, CASE number WHEN 0 THEN '' ELSE 'user-' || number END, rank, 0,
            'item-' || lpad(((number * 7 + rank) % :items)::text, 6, '0'), -rank, 'popular', ''
        FROM generate_series(0, :users) AS number CROSS JOIN generate_series(1, 20) AS rank
    """,
}
PURCHASES = """
    INSERT INTO raw.interaction (event_at, business_date, user_id, item_id, kind, weight, load_id,
        loaded_at)
    SELECT day, day, 'user-' || 1 + (number * 7919 + ordinal) % :users,
        'item-' || lpad(((number * 31 + ordinal) % :items)::text, 6, '0'), 'purchase', 1, 1,
        day + interval '1 day'
    FROM generate_series(CAST(:first AS date), CAST(:last AS date), interval '1 day')
        WITH ORDINALITY AS span (day, ordinal)
    CROSS JOIN generate_series(1, :a_day) AS number
"""
CLOSED = """
    INSERT INTO raw.day_closed
    SELECT day, now(), 1
    FROM generate_series(CAST(:first AS date), CAST(:last AS date), interval '1 day') AS day
"""


def measure(
    stores: int, items: int, days: int, *, users: int, vintages: int, times: int = 10
) -> dict[str, Any]:
    """Seconds of each question, median of ``REPEATS``, with ``days`` and ``times`` as many."""
    seconds = {
        factor: _measure_one(stores, items, days * factor, users, vintages * factor)
        for factor in (1, times)
    }
    return {
        "series": stores * items,
        "days": days,
        "users": users,
        "vintages": vintages,
        "times": times,
        "seconds": {
            view: {factor: round(found[view], 4) for factor, found in seconds.items()}
            for view in QUESTIONS
        },
        "ratio": {view: round(seconds[times][view] / seconds[1][view], 2) for view in QUESTIONS},
        "machine": f"{os.cpu_count()} cores, Python {platform.python_version()}, "
        f"load {os.getloadavg()[0]:.1f}",
    }


def _measure_one(stores: int, items: int, days: int, users: int, vintages: int) -> dict[str, float]:
    sizes = {"users": users, "items": items, "a_day": max(1, users // 10), "ahead": AHEAD}
    span = {"first": BUSINESS_DATE - timedelta(days=days - 1), "last": BUSINESS_DATE}
    with temporary_warehouse() as engine:
        fill(engine, stores, items, days)
        with begin(engine) as conn:
            conn.execute(text(PURCHASES), sizes | span)
            conn.execute(text(CLOSED), span)
            for number in range(vintages):
                for model in SCORES:
                    publish(conn, model, ASKED - timedelta(days=number), sizes)
        with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as conn:
            conn.execute(text("VACUUM ANALYZE"))  # as autovacuum does within a minute
        return {view: _ask(engine, question) for view, question in QUESTIONS.items()}


def publish(
    conn: Connection,
    model: str,
    day: date,
    sizes: dict[str, int],
    *,
    table: Table | None = None,
    scores: str | None = None,
) -> None:
    """A generation of the day. ``table`` and ``scores``: where its rows are, and what writes them;
    by default those of `TABLES` and `SCORES`."""
    cutoff = CUTOFF + (day - BUSINESS_DATE)
    snapshot_id = conn.execute(
        insert(snapshot)
        .values(
            model=model,
            business_date=day,
            cutoff=cutoff,
            layout="bench",
            rows=0,
            sha256="",
            built_at=cutoff,
        )
        .returning(snapshot.c.snapshot_id)
    ).scalar_one()
    opened = generations.open_generation(
        conn,
        model=model,
        business_date=day,
        run_key=f"bench/{model}/{day}",
        run_type="scheduled",
        cutoff=cutoff,
        version=VERSION,
        snapshot_id=snapshot_id,
        now=cutoff,
    )
    ensure_partition(conn, TABLES[model] if table is None else table, day)
    values = sizes | {"day": day, "generation": opened.generation_id}
    rows = conn.execute(text(scores or SCORES[model]), values).rowcount
    generations.mark_staged(conn, opened.generation_id, rows, cutoff)
    generations.mark_audited(conn, opened.generation_id, cutoff)
    generations.publish(conn, opened.generation_id, cutoff)


def _ask(engine: Engine, question: str) -> float:
    seconds = []
    with connect(engine) as conn:
        for _ in range(REPEATS):
            started = time.perf_counter()
            answer = conn.execute(text(question), {"day": ASKED}).all()
            seconds.append(time.perf_counter() - started)
            if not answer:
                raise RuntimeError(f"no answer to {question}")
    return statistics.median(seconds)


def report(result: dict[str, Any]) -> str:
    """The table that stands in README.md."""
    times = result["times"]
    return "\n".join(
        [
            f"One business date of {result['series']:,} series and {result['users']:,} users, with "
            f"{result['days']:,} days of history and {result['vintages']} published days, and with "
            f"{times} times as many ({result['machine']})",
            "",
            f"| view | seconds | with {times} x the history | ratio |",
            "|---|---:|---:|---:|",
            *(
                f"| `report.{view}` | {found[1]:.3f} | {found[times]:.3f} "
                f"| {result['ratio'][view]:.2f} |"
                for view, found in result["seconds"].items()
            ),
        ]
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--stores", type=int, default=8)
    parser.add_argument("--items", type=int, default=60)
    parser.add_argument("--days", type=int, default=820)
    parser.add_argument("--users", type=int, default=2000)
    parser.add_argument("--vintages", type=int, default=7, help="published business dates")
    parser.add_argument("--json", action="store_true", help="one object instead of a table")
    options = parser.parse_args()
    result = measure(
        options.stores,
        options.items,
        options.days,
        users=options.users,
        vintages=options.vintages,
    )
    print(json.dumps(result) if options.json else report(result))


if __name__ == "__main__":
    main()
