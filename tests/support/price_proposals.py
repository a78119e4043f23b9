"""A published night of prices whose numbers are written by hand."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

from sqlalchemy import Connection, insert

from daybreak.ledger import generations as g
from daybreak.ledger.approvals import Approval, record_approval
from daybreak.models.pricing.tables import scores
from daybreak.warehouse import tables
from daybreak.warehouse.partitions import ensure_partition

MODEL = "pricing"
RULES = {"currency": "EUR", "ladder": {"points": [1.0]}}


def publish(
    conn: Connection,
    day: date,
    moves: dict[str, tuple[int, int]],
    timezone: str = "UTC",
    judged_by: str = "1111111",
) -> int:
    """A generation of the day with one store's prices in cents. ``moves``: item -> price in force,
    price proposed. ``timezone``: in which business dates begin. ``judged_by``: by which days."""
    cutoff = datetime(day.year, day.month, day.day, 2, tzinfo=UTC) + timedelta(days=1)
    conn.execute(
        insert(tables.price_rules).values(
            sha256="", rules=RULES, decimals=2, timezone=timezone, known_from=cutoff
        )
    )
    snapshot_id = conn.execute(
        insert(tables.snapshot)
        .values(
            model=MODEL, business_date=day, cutoff=cutoff, layout="", rows=len(moves), sha256="",
            built_at=cutoff,
        )
        .returning(tables.snapshot.c.snapshot_id)
    ).scalar_one()  # fmt: skip
    generation_id = g.open_generation(
        conn, model=MODEL, business_date=day, run_key="r", run_type="scheduled", cutoff=cutoff,
        version="v1", snapshot_id=snapshot_id, now=cutoff,
    ).generation_id  # fmt: skip
    ensure_partition(conn, scores, day)
    for place, (item, (current, price)) in enumerate(moves.items(), 1):
        conn.execute(
            insert(scores).values(
                business_date=day, generation_id=generation_id, shard=0, store_id="s1",
                item_id=item, current_price=current, price=price, lowest_price=min(current, price),
                highest_price=max(current, price), current_units=10, units=9, units_p10=5,
                units_p90=15, current_margin=400, margin=450, elasticity=-1, elasticity_low=-2,
                elasticity_high=-0.5, place=place if price != current else 0,
                rule="largest_change", lowest_rule="", highest_rule="", gap=0, stopped="",
                judged_by=judged_by,
            )
        )  # fmt: skip
    g.mark_staged(conn, generation_id, len(moves), cutoff)
    g.mark_audited(conn, generation_id, cutoff)
    g.publish(conn, generation_id, cutoff)
    return generation_id


def answer(
    conn: Connection,
    generation_id: int,
    day: date,
    outcome: str,
    reason: str = "too much at once",
) -> None:
    """What somebody, or nobody, said of it."""
    record_approval(
        conn,
        Approval(
            generation_id=generation_id, model=MODEL, business_date=day, proposal="p",
            figures={"prices": 2, "changes": 1, "up": 1}, outcome=outcome, terms={},
            person="ann", reason=reason,
            decided_at=datetime(day.year, day.month, day.day, 9, tzinfo=UTC),
        ),
    )  # fmt: skip
