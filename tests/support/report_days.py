"""Small warehouses whose reports are worked by hand, and one in which every report has rows."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from typing import Any

from sqlalchemy import Connection, insert, select

import fraud_days
import price_proposals
import recommendation_lists
from daybreak.ledger import generations as g
from daybreak.ledger.upstream import record_upstream
from daybreak.models.sales_forecast.tables import scores as score_sales_forecast
from daybreak.monitoring.steps import begin_run, record_step
from daybreak.warehouse import tables
from daybreak.warehouse.partitions import ensure_partition

MODEL = "sales_forecast"
MARCH_1 = date(2026, 3, 1)
DAY = timedelta(days=1)


def march(day: int, hour: int = 0) -> datetime:
    return datetime(2026, 3, day, hour, tzinfo=UTC)


def load(conn: Connection, table: Any, *rows: dict[str, Any]) -> None:
    for load_id, row in enumerate(rows):
        conn.execute(insert(table).values({"load_id": load_id, "loaded_at": march(1), **row}))


def sale(day: date, item: str, units: float, **more: Any) -> dict[str, Any]:
    return {"business_date": day, "store_id": "s1", "item_id": item, "units": units, **more}


def close(conn: Connection, *days: date) -> None:
    for day in days:
        conn.execute(
            insert(tables.day_closed).values(business_date=day, closed_at=march(9), load_id=1)
        )


def publish(
    conn: Connection,
    day: date,
    scores: dict[tuple[str, int], tuple[float, float, float, float]],
    *,
    run_type: str = "scheduled",
    version: str = "v1",
) -> int:
    """``scores``: (item, horizon) -> p10, p50, p90, mean."""
    cutoff = datetime(day.year, day.month, day.day, 2, tzinfo=UTC) + DAY
    snapshot_id = conn.execute(
        insert(tables.snapshot)
        .values(
            model=MODEL, business_date=day, cutoff=cutoff, layout=f"{run_type}{version}",
            rows=1, sha256="", built_at=cutoff,
        )
        .returning(tables.snapshot.c.snapshot_id)
    ).scalar_one()  # fmt: skip
    generation = g.open_generation(
        conn, model=MODEL, business_date=day, run_key=f"{run_type} {day}", run_type=run_type,
        cutoff=cutoff, version=version, snapshot_id=snapshot_id, now=cutoff,
    )  # fmt: skip
    ensure_partition(conn, score_sales_forecast, day)
    for (item, horizon), (p10, p50, p90, mean) in scores.items():
        conn.execute(
            insert(score_sales_forecast).values(
                business_date=day, generation_id=generation.generation_id, store_id="s1",
                item_id=item, horizon=horizon, target_date=day + horizon * DAY, shard=0,
                p10=p10, p50=p50, p90=p90, mean=mean,
            )
        )  # fmt: skip
    g.mark_staged(conn, generation.generation_id, len(scores), cutoff)
    g.mark_audited(conn, generation.generation_id, cutoff)
    g.publish(conn, generation.generation_id, cutoff)
    return generation.generation_id


def fill(conn: Connection) -> None:
    load(conn, tables.item, {"item_id": "i1", "name": "Tea", "category": "Drinks"})
    load(conn, tables.store, {"store_id": "s1", "name": "Corner"})
    load(conn, tables.sales, *(sale(MARCH_1 + n * DAY, "i1", n + 1.0) for n in range(4)))
    close(conn, *(MARCH_1 + n * DAY for n in range(4)))
    for day in (MARCH_1, MARCH_1 + DAY):
        publish(conn, day, {("i1", h): (1, 2, 3, 2) for h in range(1, 8)})
    for day, slack, status in ((1, 3600, "met"), (2, -600, "missed")):
        landed = march(day + 1, 6) - timedelta(seconds=slack)
        conn.execute(
            insert(tables.sla).values(
                model=MODEL, business_date=march(day).date(), run_key="r", run_type="scheduled",
                due_at=march(day + 1, 6), landed_at=landed, slack_seconds=slack, status=status,
                recorded_at=landed, queue_seconds=1, wait_seconds=2, score_seconds=3,
                publish_seconds=4, rows=7, rows_per_second=2.3,
            )
        )  # fmt: skip
    begin_run(
        conn, run_key="daily_forecast/late", model=MODEL, business_date=MARCH_1 + DAY,
        run_type="scheduled", queued_at=None, now=march(3), interval="daily",
    )  # fmt: skip
    record_step(
        conn, run_key="daily_forecast/late", step="score_shard", started_at=march(3),
        ended_at=march(3, 1), rows=7, processor_seconds=2.5,
    )  # fmt: skip
    conn.execute(
        insert(tables.period_report).values(
            model=MODEL, period="2026-03-02", name="a", first_date=MARCH_1 + DAY,
            last_date=MARCH_1 + DAY, known_at=march(9), nights=1, uri="", files={},
            made_at=march(9),
        )
    )  # fmt: skip
    come_in(conn)
    for model in (MODEL, "recommendations", "pricing"):
        version(conn, "v1", model)
        champion(conn, "v1", march(1), "first", model)
    conn.execute(
        insert(tables.trial).values(
            model=MODEL, kind="canary", version="v1", share=0.1, serve_from=march(9),
            recorded_at=march(9), actor="test", reason="look",
        )
    )  # fmt: skip
    drifts(conn)
    recommend(conn)
    review(conn)
    proposed = price_proposals.publish(conn, MARCH_1, {"i1": (129, 139), "i2": (200, 200)})
    price_proposals.answer(conn, proposed, MARCH_1, "rejected")
    stand_on_what_was_wrong(conn, proposed)
    for day, cents in ((1, 129), (3, 169), (4, 129)):
        moment = march(day)
        conn.execute(
            insert(tables.price).values(
                store_id="s1", item_id="i1", price=cents, currency="EUR", decimals=2,
                valid_from=moment, timezone="UTC", known_at=moment, source="observed",
            )
        )  # fmt: skip


def stand_on_what_was_wrong(conn: Connection, generation_id: int) -> None:
    """It was made from a forecast that was rolled back since."""
    wrong = publish(conn, MARCH_1, {("i1", 1): (9, 9, 9, 9)}, run_type="cli")
    g.rollback(conn, MODEL, MARCH_1, march(2, 9))
    record_upstream(conn, g.get_generation(conn, generation_id).snapshot_id, [wrong])


def drifts(conn: Connection) -> None:
    """A feature of the newest day, in alarm, and a measure that is quiet."""
    newest = select(tables.published.c.generation_id).where(
        tables.published.c.model == MODEL, tables.published.c.business_date == MARCH_1 + DAY
    )
    of = {
        "generation_id": conn.scalar(newest), "model": MODEL, "business_date": MARCH_1 + DAY,
        "kind": "feature", "name": "price",
    }  # fmt: skip
    limits = {"distance": 4.0, "raise_at": 0.5}
    conn.execute(
        insert(tables.drift).values(
            **of, **limits, clear_at=0.25, rows=7, psi_earlier=4.0, psi_training=0.3,
            noticed=0.15, earlier_nights=4, usual_nights=20, state="alarm", measured_at=march(3),
        )
    )  # fmt: skip
    bias = of | {"kind": "quality", "name": "bias"}
    conn.execute(
        insert(tables.drift).values(
            **bias, rows=7, value=0.05, value_earlier=0.01, distance=0.04, raise_at=0.2,
            clear_at=0.1, noticed=0.25, earlier_nights=20, usual_nights=20, state="quiet",
            measured_at=march(3),
        )
    )  # fmt: skip
    conn.execute(
        insert(tables.drift_alarm).values(**of, **limits, event="raised", recorded_at=march(3))
    )


def come_in(conn: Connection) -> None:
    """A file that was loaded but for one row."""
    load_id = conn.execute(
        insert(tables.load)
        .values(
            dataset="shop", source="sales", uri="sales.csv", sha256="", reading="", rows_read=5,
            rows_loaded=4, rows_quarantined=1, rules={}, first_date=MARCH_1,
            last_date=MARCH_1 + 3 * DAY, finished_at=march(5),
        )
        .returning(tables.load.c.load_id)
    ).scalar_one()  # fmt: skip
    conn.execute(
        insert(tables.quarantine).values(
            load_id=load_id, row_number=3, field="units", reason="is not a number",
            row={"units": "?"}, quarantined_at=march(5),
        )
    )  # fmt: skip


def recommend(conn: Connection) -> None:
    """One published list of two users, and a week in which one of them buys."""
    first = date(2026, 2, 1)
    recommendation_lists.publish(conn, {"": ["i1"], "u1": ["i1", "i2"]}, first)
    days = [first + n * DAY for n in range(1, 8)]
    close(conn, *days)
    recommendation_lists.buy(conn, "u1", "i2", (days[0] - recommendation_lists.MONDAY).days)


def review(conn: Connection) -> None:
    """A day with a known fraud, the newest one without, and a decision that was not proven."""
    fraud_days.begin_stream(conn, delay_days=2)
    champion(conn, "v1", march(1), "first", "fraud")
    for day in (MARCH_1, MARCH_1 + 2 * DAY):
        scored = [fraud_days.Scored(f"card {n}", f"{day} {n}", n / 8) for n in range(4)]
        fraud_days.happen(conn, scored, day)
        fraud_days.publish(conn, scored, day)
        fraud_days.decide(conn, fraud_days.noon(day), day.day)
    fraud_days.say(conn, True, f"{MARCH_1} 3")
    fraud_days.prove(conn, MARCH_1, "r", fraud_days.cutoff_of(MARCH_1))


def version(conn: Connection, name: str, model: str = MODEL, **manifest: Any) -> None:
    conn.execute(
        insert(tables.model_version).values(
            model=model, version=name, uri="", files={}, manifest=manifest,
            trained_through=MARCH_1, registered_at=march(1),
        )
    )  # fmt: skip


def champion(
    conn: Connection, name: str, effective_from: datetime, reason: str, model: str = MODEL
) -> None:
    conn.execute(
        insert(tables.champion).values(
            model=model, version=name, effective_from=effective_from, recorded_at=march(9),
            actor="test", reason=reason, evidence={"wape": 0.5},
        )
    )  # fmt: skip
