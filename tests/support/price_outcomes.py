"""What became of proposed prices: row by row and day by day, from the facts, without SQL's help."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

from sqlalchemy import Connection, text

from daybreak.ledger.states import Generation

Row = dict[str, Any]
DAY = timedelta(days=1)
SERIES = ("store_id", "item_id")


def read(conn: Connection, table: str, **equal: Any) -> list[Row]:
    where = " AND ".join(f"{name} = :{name}" for name in equal) or "TRUE"
    found = conn.execute(text(f"SELECT * FROM {table} WHERE {where}"), equal).mappings()
    return [dict(row) for row in found]


def newest(rows: Iterable[Row], *clocks: str) -> Row | None:
    """The last one by these columns; the later of two that are alike."""
    found = None
    for row in rows:
        if found is None or [row[c] for c in clocks] >= [found[c] for c in clocks]:
            found = row
    return found


class Facts:
    """Everything that is known, by store and item."""

    def __init__(self, conn: Connection) -> None:
        self.conn = conn
        self.closed = {row["business_date"] for row in read(conn, "raw.day_closed")}
        self.by: dict[tuple[str, str, str], list[Row]] = {}
        for table in ("raw.sales", "raw.plan", "raw.cost", "ops.price"):
            for row in read(conn, table):
                key = table, row["store_id"], row["item_id"]
                self.by.setdefault(key, []).append(row)

    def of(self, table: str, store: str, item: str) -> list[Row]:
        return self.by.get((table, store, item), [])


def outcomes(facts: Facts, generation: Generation, days: int, step: int = 1) -> list[Row]:
    """What `report.price_outcome` has to say of a generation, in the order of store and item.

    ``days``: of the rules; ``step``: days of a period.
    """
    book = newest(
        (r for r in read(facts.conn, "ops.price_rules") if r["known_from"] <= generation.cutoff),
        "known_from",
    )
    assert book is not None
    rows = read(facts.conn, "score.pricing", generation_id=generation.generation_id)
    rows.sort(key=lambda row: (row["store_id"].encode(), row["item_id"].encode()))
    return [_outcome(facts, row, generation, book, range(step, max(days, step) + 1, step))
            for row in rows]  # fmt: skip


def _outcome(facts: Facts, row: Row, generation: Generation, book: Row, ahead: range) -> Row:
    day, series = generation.business_date, (row["store_id"], row["item_id"])
    zone, scale = ZoneInfo(book["timezone"]), 10 ** book["decimals"]
    counted = [
        day + n * DAY for n in ahead if _may_change(facts, series, day + n * DAY, generation.cutoff)
    ]
    cost = _cost(facts, series, day + DAY, generation.cutoff)
    units, revenue, in_force, known = 0.0, 0.0, 0, True
    for target in counted:
        sold = newest(
            (s for s in facts.of("raw.sales", *series) if s["business_date"] == target),
            "loaded_at",
            "load_id",
        )
        paid = None if sold is None else sold["price"]
        if sold is not None:
            units += sold["units"]
            revenue += sold["units"] * (paid or 0)
            known &= sold["units"] == 0 or paid is not None
        asked = _minor(paid, scale) if paid is not None else _held(facts, series, target, zone)
        in_force += asked == int(row["price"])
    closed = bool(counted) and all(one in facts.closed for one in counted)
    found = {
        "store_id": series[0],
        "item_id": series[1],
        "days": len(counted),
        "first_day": min(counted, default=None),
        "last_day": max(counted, default=None),
        "state": "closed" if closed else "open" if counted else "not_judged",
        "days_in_force": None,
        "actual_units": None,
        "within": None,
        "actual_margin": None,
        "cost": cost,
        "margin": None if cost is None else row["margin"] / scale,
        "current_margin": None if cost is None else row["current_margin"] / scale,
    }
    if closed:
        found |= {"days_in_force": in_force, "actual_units": units}
        if in_force == len(counted):
            found["within"] = row["units_p10"] <= units <= row["units_p90"]
        if cost is not None and known:
            found["actual_margin"] = revenue - cost * units
    return found


def _may_change(facts: Facts, series: tuple[str, str], day: date, cutoff: datetime) -> bool:
    """Whether no promotion was planned for it, by what was known then."""
    planned = newest(
        (
            one
            for one in facts.of("raw.plan", *series)
            if one["business_date"] == day and one["loaded_at"] <= cutoff
        ),
        "loaded_at",
        "load_id",
    )
    return planned is None or not planned["promotion"]


def _cost(facts: Facts, series: tuple[str, str], day: date, cutoff: datetime) -> float | None:
    for store in (series[0], ""):
        found = newest(
            (
                one
                for one in facts.of("raw.cost", store, series[1])
                if one["business_date"] <= day and one["loaded_at"] <= cutoff
            ),
            "business_date",
            "loaded_at",
            "load_id",
        )
        if found is not None:
            return float(found["cost"])
    return None


def _held(facts: Facts, series: tuple[str, str], day: date, zone: ZoneInfo) -> int | None:
    ends = datetime.combine(day + DAY, time(), zone)
    found = newest(
        (one for one in facts.of("ops.price", *series) if one["valid_from"] < ends),
        "valid_from",
        "known_at",
        "entry_id",
    )
    return None if found is None else found["price"]


def _minor(price: float, scale: int) -> int:
    return int((Decimal(str(price)) * scale).to_integral_value())
