"""Purchases of as many users as asked for, the same for every run: a long tail of items, tastes."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import Engine, text

from benchmarks.facts import BUSINESS_DATE
from daybreak.warehouse.bulk import copy_in
from daybreak.warehouse.engine import begin
from daybreak.warehouse.tables import interaction, item

ITEMS = 10_000
GROUPS = 40
PER_USER = 20
DAYS = 365
USERS_AT_ONCE = 50_000

Ints = NDArray[np.int64]


def fill_interactions(engine: Engine, users: int) -> int:
    """Write purchases and items; returns how many purchases."""
    rows = 0
    with begin(engine) as conn:
        names = _names("item", np.arange(ITEMS))
        copy_in(
            conn,
            item,
            {
                "item_id": names,
                "category": _names("category", np.arange(ITEMS) % GROUPS),
                "load_id": np.ones(ITEMS, np.int64),
                "loaded_at": np.full(ITEMS, _dates(np.array([-DAYS]))[0]),
            },
        )
        for first, user, number, day in purchases(users):
            known = _dates(day + 1)
            rows += copy_in(
                conn,
                interaction,
                {
                    "event_at": _dates(day) + np.timedelta64(12 * 3600 * 1_000_000, "us"),
                    "business_date": _dates(day).astype("M8[D]"),
                    "user_id": _names("user", first + user),
                    "item_id": names[number],
                    "kind": np.full(len(user), "purchase"),
                    "basket_id": _names("basket", (first + user) * DAYS - day),
                    "weight": np.ones(len(user)),
                    "quantity": np.ones(len(user)),
                    "price": 1.0 + number % 17,
                    "load_id": np.ones(len(user), np.int64),
                    "loaded_at": known,
                },
            )
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as conn:
        conn.execute(text("VACUUM (ANALYZE)"))  # as autovacuum does within a minute
    return rows


def purchases(users: int) -> Iterator[tuple[int, Ints, Ints, Ints]]:
    """Batches of (first user, user in the batch, item, day before the business date)."""
    for batch, first in enumerate(range(0, users, USERS_AT_ONCE)):
        rng = np.random.default_rng([3, batch])
        size = min(USERS_AT_ONCE, users - first)
        user = np.repeat(np.arange(size), rng.poisson(PER_USER - 1, size) + 1)
        # A taste a user; half of what they buy is of it, and within it a few things sell most.
        taste = rng.integers(0, GROUPS, size)[user]
        place = (ITEMS * rng.random(len(user)) ** 3).astype(np.int64)
        of_taste = place // GROUPS * GROUPS + taste
        number = np.where(rng.random(len(user)) < 0.5, of_taste, place) % ITEMS
        # Some days of shopping a user, several items each.
        visit = rng.integers(0, 6, len(user))
        day = -((user * 7919 + visit * 104_729 + first) % DAYS)
        yield first, user, number, day


def _names(kind: str, numbers: Ints) -> NDArray[np.str_]:
    return np.char.add(f"{kind}-", np.char.zfill(numbers.astype("U10"), 9))


def _dates(days: Ints) -> NDArray[np.datetime64]:
    return (np.datetime64(BUSINESS_DATE, "D") + days).astype("M8[us]")
