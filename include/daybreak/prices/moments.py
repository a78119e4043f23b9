"""Prices that move during a day: kept once, in the ledger from then on, and back by its end.

``ops.keep_price_moments`` (revision 0020) does it, with the rights of its owner: who answers
requests may read no ledger and write none.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

from sqlalchemy import Connection, text

if TYPE_CHECKING:
    from _typeshed import DataclassInstance


@dataclass(frozen=True)
class OfPrice:
    """Changes of the price of an item in a store, in order of their slots; each a dataclass with
    the columns of ``ops.price_moment``. ``day_ends``: until when the last one holds."""

    store_id: str
    item_id: str
    currency: str
    decimals: int
    timezone: str
    day_ends: datetime
    changes: Sequence[DataclassInstance]


def keep_changes(
    conn: Connection, generation_id: int, prices: Sequence[OfPrice], now: datetime
) -> list[dict[datetime, int]]:
    """Keep what is not kept yet, in a transaction; of each price, all that is kept: by slot, in
    minor units.

    A change that is kept already stays as it is. Once the generation is not published any more,
    its prices are in force until ``now`` at most.
    """
    given = json.dumps([asdict(one) for one in prices], default=_as_json)
    rows = conn.execute(_KEEP, {"generation": generation_id, "given": given, "now": now}).all()
    conn.commit()
    found: list[dict[datetime, int]] = [{} for _ in prices]
    for number, slot_at, price in rows:
        found[number - 1][slot_at] = price
    return found


_KEEP = text(
    "SELECT number, slot_at, price"
    " FROM ops.keep_price_moments(:generation, CAST(:given AS jsonb), :now)"
)


def _as_json(value: Any) -> str:
    if isinstance(value, datetime):
        return value.isoformat()
    raise TypeError(f"{type(value)} is no JSON")
