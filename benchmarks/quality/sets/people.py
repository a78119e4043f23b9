"""Data sets of people and what they took: ratings, invoices, receipts, and drawn ones."""

from __future__ import annotations

from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd

from benchmarks.quality.sets import ListsSet
from benchmarks.quality.sets.real import online_retail, receipts
from benchmarks.quality.sets.shop import prepare as shop

SINGLE_DAY = 0.5
HELD_OUT = 0.2


def ratings(folder: Path, data: Path) -> str:
    """Films that were rated 6 or more; in order of time."""
    return _films(f"{data}/movietweetings_100k/ratings.parquet", data)


def ratings_at_random(folder: Path, data: Path) -> str:
    """The same, split at random: a fifth of each user's ratings falls into the last week.

    Of half of the users all others are on one single day, as where an account was filled once.
    """
    rng = np.random.default_rng(5)
    found = pd.read_parquet(data / "movietweetings_100k" / "ratings.parquet")
    number = found["user_id"].factorize()[0]
    end = found["timestamp"].max().normalize()
    held = rng.random(len(found)) < HELD_OUT
    users = number.max() + 1
    single, own_day = rng.random(users) < SINGLE_DAY, rng.integers(7, 180, users)
    at = found["timestamp"] - pd.Timedelta(days=7)
    on_own = end - pd.to_timedelta(own_day, unit="D") + pd.Timedelta(hours=12)
    at = at.where(~single[number], pd.Series(on_own[number], index=at.index))
    last = end - pd.to_timedelta(rng.integers(0, 7, len(found)), unit="D")
    found["timestamp"] = at.where(~held, pd.Series(last, index=at.index))
    found.to_parquet(folder / "ratings.parquet", index=False)
    return _films("${HERE}/ratings.parquet", data)


def _films(file: str, data: Path) -> str:
    return f"""\
name: ratings
interactions:
  files: {file}
  columns: {{event_at: timestamp, user_id: user_id, item_id: item_id, kind: {{const: rating}}}}
  weights: {{rating: 1}}
  filters:
    - {{name: liked, keep: {{column: rating, at_least: 6}}}}
items:
  files: {data}/movietweetings_100k/items.parquet
  columns: {{item_id: item_id, name: title, categories: {{column: genres, separator: "|"}}}}
"""


def groceries(folder: Path, data: Path) -> str:
    """Kinds of products in the baskets of the ten largest stores."""
    lines = receipts(data)
    stores = lines["store_id"].value_counts().index[:10]
    lines = lines[lines["store_id"].isin(stores)]
    keys = ["household_id", "basket_id", "transaction_timestamp", "product_type", "department"]
    lines = lines.dropna(subset=["product_type"])
    lines.groupby(keys, as_index=False)["quantity"].sum().to_parquet(
        folder / "baskets.parquet", index=False
    )
    kinds = lines.drop_duplicates("product_type")[["product_type", "department"]]
    kinds.to_parquet(folder / "kinds.parquet", index=False)
    return """\
name: groceries
calendar: {timezone: America/New_York, country: US}
interactions:
  files: ${HERE}/baskets.parquet
  columns:
    event_at: transaction_timestamp
    user_id: household_id
    item_id: product_type
    basket_id: basket_id
    quantity: quantity
    kind: {const: purchase}
items:
  files: ${HERE}/kinds.parquet
  columns: {item_id: product_type, category: department}
"""


def drawn(people: tuple[float, float, float, int], folder: Path, data: Path) -> str:
    """Users of tastes. ``people``: once, visits, again, seed.

    ``once``: share that comes on one day only; others come about ``visits`` times.

    ``again``: chance that a purchase is one of the user's own earlier ones.
    """
    once, visits, again, seed = people
    rng = np.random.default_rng(seed)
    users, items, kinds, days = 4000, 600, 12, 200
    category = rng.integers(0, kinds, items)
    worth = rng.pareto(1.3, items) + 0.05
    born = np.where(rng.random(items) < 0.3, rng.integers(0, days, items), 0)
    rows = []
    for user in range(users):
        taste = rng.dirichlet(np.full(kinds, 0.25))
        count = 1 if rng.random() < once else 1 + rng.poisson(visits)
        start = rng.integers(0, days)
        when = np.sort(np.append(rng.integers(start, days, count - 1), start))
        mine: list[int] = []
        for visit, day in enumerate(when):
            # Half of a year's interest in something new is gone after three weeks.
            fresh = 1 + 3 * 0.5 ** ((day - born) / 21) * (born > 0)
            chance = worth * fresh * (0.02 + taste[category]) * (born <= day)
            taken = rng.choice(items, 1 + rng.poisson(2.0), replace=False, p=chance / chance.sum())
            for item in taken:
                old = mine and rng.random() < again
                rows.append((user, int(rng.choice(mine)) if old else int(item), day, visit))
            mine += taken.tolist()
    frame = pd.DataFrame(rows, columns=["user", "item", "day", "visit"])
    moment = pd.Timestamp("2025-01-01 10:00") + pd.to_timedelta(frame["day"], unit="D")
    frame = frame.assign(at=moment, basket=frame["user"] * 1000 + frame["visit"])
    frame.drop_duplicates(["user", "item", "basket"]).to_parquet(
        folder / "events.parquet", index=False
    )
    pd.DataFrame({"item": np.arange(items), "kind": category}).astype(str).to_parquet(
        folder / "items.parquet", index=False
    )
    return f"""\
name: {folder.name.split(".")[0]}
interactions:
  files: ${{HERE}}/events.parquet
  columns:
    event_at: at
    user_id: user
    item_id: item
    basket_id: basket
    kind: {{const: purchase}}
items:
  files: ${{HERE}}/items.parquet
  columns: {{item_id: item, category: kind}}
"""


PEOPLE = (
    ListsSet("invoices", online_retail, "online_retail/online_retail.parquet", windows=3, apart=28),
    ListsSet("ratings", ratings, "movietweetings_100k/ratings.parquet", windows=3, apart=21),
    ListsSet(
        "ratings_at_random", ratings_at_random, "movietweetings_100k/ratings.parquet", windows=1
    ),
    ListsSet("groceries", groceries, "completejourney_subset/transactions.parquet", windows=2),
    ListsSet("shop_visits", shop, windows=3),
    ListsSet("one_time_visitors", partial(drawn, (0.85, 2.0, 0.1, 21)), windows=3),
    ListsSet("frequent_returners", partial(drawn, (0.1, 14.0, 0.6, 22)), windows=3),
)
