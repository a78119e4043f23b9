"""A night of many prices by the real jobs: seconds of each step, and memory.

Random facts, and a published forecast of them that this puts there: what is measured is what
prices take beyond the forecast. The night runs in a process of its own, as ``daybreak score
pricing`` does.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from multiprocessing import get_context
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
from sqlalchemy import Connection, func, insert, select, text

from benchmarks.facts import (
    AHEAD,
    BUSINESS_DATE,
    CUTOFF,
    Prices,
    fill,
    temporary_server,
    usual_price,
)
from benchmarks.prices.live import asked_again
from benchmarks.prices.shops import FORECAST, PRICES, clock_from, put_in_force
from benchmarks.prices.solve import groups
from benchmarks.stages import peak_mb, reset_peak
from daybreak.clock import AsOf
from daybreak.jobs.run import score_day
from daybreak.ledger import generations
from daybreak.models.base import Progress, Trained, quiet
from daybreak.models.pricing.elasticity.hyper import Hyper
from daybreak.models.pricing.model import MODEL
from daybreak.models.pricing.tables import scores
from daybreak.models.sales_forecast.tables import scores as forecasts
from daybreak.prices.rulebook import declare_rules
from daybreak.prices.rules import Rules, rules_of
from daybreak.runtime import Runtime
from daybreak.scoring.snapshots import read_snapshot
from daybreak.settings import Settings
from daybreak.warehouse.bulk import copy_in
from daybreak.warehouse.engine import begin, connect
from daybreak.warehouse.partitions import ensure_partition
from daybreak.warehouse.tables import competitor_price, cost, snapshot, step

DAYS = 420
MOVED = Prices(elasticity=-1.8, lag=7, promoted=False)
LARGEST_CHANGE = 0.2
LOOKED_AT = 4_000
VERSION = {
    "engine": "none",
    "trained_through": BUSINESS_DATE.isoformat(),
    "options": Hyper().to_options(),
}
"""The night estimates responses itself; learning their variances is no part of it."""
DATA_SET = """\
name: bench
calendar: {timezone: UTC}
sales: {files: none.csv}
items: {files: none.csv}
pricing: {currency: EUR, ladder: {points: [1]}}
"""
"""Which sections there are; nothing is loaded from it."""
CLOSED = """
    INSERT INTO raw.day_closed
    SELECT day, day + interval '1 day', 1
    FROM generate_series(CAST(:first AS date), CAST(:last AS date), interval '1 day') AS day
"""
SCORES = """
    INSERT INTO score.sales_forecast (business_date, generation_id, store_id, item_id, horizon,
        target_date, shard, p10, p50, p90, mean)
    SELECT :day, :generation, store_id, item_id, horizon, CAST(:day AS date) + horizon, 0,
        usual / 2, usual, 2 * usual, usual
    FROM (
        SELECT store_id, item_id, (1 + right(item_id, 6)::int % 9)::real AS usual
        FROM raw.sales WHERE business_date > CAST(:day AS date) - 28 GROUP BY 1, 2
    ) AS series
    CROSS JOIN generate_series(1, :ahead) AS horizon
"""


@dataclass(frozen=True)
class Scale:
    """``points`` that the largest change leaves of the ladder; ``budget``: changes of the night;
    ``families``: so many of each kind of group."""

    stores: int = 60
    items: int = 500
    points: int = 12
    budget: int | None = 2000
    families: int = 30


@dataclass(frozen=True)
class Measured:
    """What the process of a night says of itself. ``steps``: seconds by step, the sum of shards
    and from the begin of the first one to the end of the last one."""

    seconds: float
    peak_mb: float
    rows: int
    steps: dict[str, tuple[float, float]]


def measure(scale: Scale, progress: Progress) -> dict[str, Any]:
    """One night of prices, from the published forecast to the published prices."""
    with filled(scale, progress) as runtime:
        progress(f"a night of {scale.stores * scale.items:,} prices")
        url = runtime.engine.url.render_as_string(hide_password=False)
        where = url, str(runtime.settings.home), runtime.settings.dataset
        with ProcessPoolExecutor(1, get_context("spawn")) as process:
            night = process.submit(_night, *where).result()
        with connect(runtime.engine) as conn:
            found = _found(conn)
        progress("asking for each of them")
        again = asked_again(runtime, AsOf(BUSINESS_DATE, runtime.clock()))
    return {
        "prices": night.rows,
        "seconds": night.seconds,
        "peak_mb": night.peak_mb,
        "steps": night.steps,
        "again": again,
        **found,
    }


@contextmanager
def filled(scale: Scale, progress: Progress) -> Iterator[Runtime]:
    """A warehouse with a published forecast and a version that prices it."""
    with (
        temporary_server() as (_, engine),
        TemporaryDirectory(prefix="dbk-bench-", dir="/tmp") as home,
    ):
        path = Path(home) / "bench.yaml"
        path.write_text(DATA_SET)
        url = engine.url.render_as_string(hide_password=False)
        settings = Settings(home=Path(home), warehouse_url=url, dataset=str(path))
        runtime = Runtime(settings, clock=clock_from(CUTOFF.date()))
        progress(f"writing {DAYS} days of {scale.stores} × {scale.items} series")
        fill(engine, scale.stores, scale.items, DAYS, MOVED)
        with begin(engine) as conn:
            span = {"first": BUSINESS_DATE - timedelta(days=DAYS - 1), "last": BUSINESS_DATE}
            conn.execute(text(CLOSED), span)
            _price_inputs(conn, scale.items)
            declare_rules(conn, rules(scale), CUTOFF)
            _publish_forecast(conn)
        with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as conn:
            conn.execute(text("VACUUM (ANALYZE)"))  # as autovacuum does within a minute
        put_in_force(runtime, PRICES, Trained(None, VERSION), CUTOFF)
        yield runtime
        runtime.engine.dispose()


def rules(scale: Scale) -> Rules:
    """A ladder of even steps in per cent, so that each price has as many points."""
    step = np.log((1 + LARGEST_CHANGE) / (1 - LARGEST_CHANGE)) / scale.points
    points = np.unique(np.round(np.exp(np.arange(np.log(0.5), np.log(40), step)), 2))
    return rules_of(
        {
            "currency": "EUR",
            "ladder": {"points": points.tolist()},
            "margin_floor": 0.05,
            "largest_rise": LARGEST_CHANGE,
            "largest_fall": LARGEST_CHANGE,
            "least_days": 7,
            "changes_a_night": scale.budget,
            "competitor": {"above": 0.3},
            "together": groups(_items(scale.items).tolist(), scale.families),
        }
    )


def _night(url: str, home: str, dataset: str) -> Measured:
    """In a process of its own, as a run of the command line."""
    settings = Settings(home=Path(home), warehouse_url=url, dataset=dataset)
    runtime = Runtime(settings, clock=clock_from(CUTOFF.date()))
    reset_peak()
    begun = time.perf_counter()
    sla = score_day(PRICES, BUSINESS_DATE, "latest", quiet, runtime)
    seconds, peak = time.perf_counter() - begun, peak_mb()
    with connect(runtime.engine) as conn:
        rows = conn.execute(select(step).where(step.c.run_key == sla["run_key"])).all()
    runtime.engine.dispose()
    steps = {}
    for name in dict.fromkeys(row.step for row in sorted(rows, key=lambda row: row.ended_at)):
        each = [(row.started_at, row.ended_at) for row in rows if row.step == name]
        whole = sum((end - start).total_seconds() for start, end in each)
        wall = (max(end for _, end in each) - min(start for start, _ in each)).total_seconds()
        steps[name] = whole, wall
    return Measured(seconds, peak, int(sla["rows"]), steps)


def _found(conn: Connection) -> dict[str, Any]:
    """``points``: that the rules leave a price which may move, in the mean of some thousands."""
    last = conn.scalar(select(func.max(snapshot.c.snapshot_id)).where(snapshot.c.model == PRICES))
    rows = read_snapshot(conn, MODEL, int(last or 0), 0, LOOKED_AT)
    points = np.diff(rows.offsets) - 1
    changed, known = conn.execute(
        select(
            func.count().filter(scores.c.price != scores.c.current_price),
            func.count().filter(scores.c.elasticity < 0),
        )
    ).one()
    return {
        "points": float(points[points > 0].mean()),
        "changed": int(changed),
        "with_elasticity": int(known),
    }


def _items(items: int) -> Any:
    return np.char.add("item-", np.char.zfill(np.arange(items).astype("U6"), 6))


def _price_inputs(conn: Connection, items: int) -> None:
    """What items cost and what a competitor asks, in all stores."""
    number = np.arange(items)
    usual = usual_price(number).astype(float)
    draw = np.random.default_rng(3)
    shared: dict[str, Any] = {
        "business_date": np.full(items, np.datetime64(BUSINESS_DATE, "D")),
        "store_id": np.full(items, ""),
        "item_id": _items(items),
        "load_id": np.ones(items, np.int64),
        "loaded_at": np.full(items, np.datetime64(CUTOFF.replace(tzinfo=None), "us")),
    }
    copy_in(conn, cost, {**shared, "cost": np.round(usual * draw.uniform(0.5, 0.75, items), 2)})
    asked = np.round(usual * draw.uniform(0.9, 1.2, items), 2)
    rival = {"competitor": np.full(items, "rival"), "price": asked}
    copy_in(conn, competitor_price, shared | rival)


def _publish_forecast(conn: Connection) -> None:
    snapshot_id = conn.execute(
        insert(snapshot)
        .values(
            model=FORECAST,
            business_date=BUSINESS_DATE,
            cutoff=CUTOFF,
            layout="bench",
            rows=0,
            sha256="",
            built_at=CUTOFF,
        )
        .returning(snapshot.c.snapshot_id)
    ).scalar_one()
    generation_id = generations.open_generation(
        conn,
        model=FORECAST,
        business_date=BUSINESS_DATE,
        run_key="bench",
        run_type="cli",
        cutoff=CUTOFF,
        version="bench",
        snapshot_id=snapshot_id,
        now=CUTOFF,
    ).generation_id
    ensure_partition(conn, forecasts, BUSINESS_DATE)
    asked = {"day": BUSINESS_DATE, "generation": generation_id, "ahead": AHEAD}
    rows = conn.execute(text(SCORES), asked).rowcount
    generations.mark_staged(conn, generation_id, rows, CUTOFF)
    generations.mark_audited(conn, generation_id, CUTOFF)
    generations.publish(conn, generation_id, CUTOFF)
