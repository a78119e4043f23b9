"""Published lists and purchases, written row by row for tests whose numbers are worked by hand."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta
from typing import Any

from sqlalchemy import Connection, insert

from daybreak.ledger import generations as g
from daybreak.models.recommendations.tables import scores as score_recommendation
from daybreak.warehouse import tables
from daybreak.warehouse.partitions import ensure_partition

MODEL = "recommendations"
MONDAY = date(2026, 3, 9)
DAY = timedelta(days=1)
CUTOFF = datetime(2026, 3, 10, 2, tzinfo=UTC)


def publish(
    conn: Connection,
    lists: dict[str, Sequence[str | tuple[str, str, str]]],
    day: date = MONDAY,
    version: str = "v1",
) -> int:
    """``lists``: user -> items, best first; or (item, reason, because)."""
    cutoff = CUTOFF + (day - MONDAY)
    snapshot_id = conn.execute(
        insert(tables.snapshot)
        .values(
            model=MODEL, business_date=day, cutoff=cutoff, layout=version,
            rows=1, sha256="", built_at=cutoff,
        )
        .returning(tables.snapshot.c.snapshot_id)
    ).scalar_one()  # fmt: skip
    generation = g.open_generation(
        conn, model=MODEL, business_date=day, run_key=f"{version} {day}", run_type="scheduled",
        cutoff=cutoff, version=version, snapshot_id=snapshot_id, now=cutoff,
    )  # fmt: skip
    ensure_partition(conn, score_recommendation, day)
    count = 0
    for user, items in lists.items():
        for rank, entry in enumerate(items, 1):
            item, reason, because = (entry, "popular", "") if isinstance(entry, str) else entry
            conn.execute(
                insert(score_recommendation).values(
                    business_date=day, generation_id=generation.generation_id, user_id=user,
                    rank=rank, item_id=item, score=-rank, reason=reason, because=because, shard=0,
                )
            )  # fmt: skip
            count += 1
    g.mark_staged(conn, generation.generation_id, count, cutoff)
    g.mark_audited(conn, generation.generation_id, cutoff)
    g.publish(conn, generation.generation_id, cutoff)
    return generation.generation_id


def buy(conn: Connection, user: str | None, item: str, days: int, **more: Any) -> None:
    """A purchase so many days after Monday, known at the end of its day."""
    day = MONDAY + days * DAY
    noon = datetime(day.year, day.month, day.day, 12, tzinfo=UTC)
    values = {
        "event_at": noon, "business_date": day, "user_id": user, "item_id": item,
        "kind": "purchase", "weight": 1.0, "load_id": 1, "loaded_at": noon + timedelta(hours=12),
    }  # fmt: skip
    conn.execute(insert(tables.interaction).values(values | more))
