"""Three small shops in Japan, as YAML and CSV files: prices in yen under rules of all kinds.

Nothing of it is made by the package: the facts are known here, row by row, so that
``price_checker`` can be given them.
"""

from __future__ import annotations

import csv
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import yaml

LAST = date(2026, 3, 28)
DAYS = 300
STORES = ("渋谷", "大阪", "札幌")
LADDER = sorted(
    point for whole in range(0, 2000, 100) for point in (whole + 28, whole + 58, whole + 98)
)
LADDER = [point for point in LADDER if 98 <= point <= 1998]


@dataclass(frozen=True)
class Item:
    """``price``: usual one, a point of the ladder. ``cost``: of all stores, or None."""

    category: str
    price: int
    cost: int | None
    units: float


ITEMS = {
    "お茶 小": Item("飲料", 128, 60, 9),
    "お茶 中": Item("飲料", 158, 80, 8),
    "お茶 大": Item("飲料", 198, 95, 6),
    "水": Item("飲料", 98, 40, 14),
    "饅頭": Item("菓子", 228, 120, 5),
    "煎餅": Item("菓子", 328, 190, 4),
    "団子": Item("菓子", 258, 140, 5),
    "弁当 松": Item("弁当", 898, 560, 4),
    "弁当 竹": Item("弁当", 698, 400, 5),
    "弁当 梅": Item("弁当", 498, 5000, 6),
    "新聞": Item("雑貨", 198, 150, 3),
    "雑誌": Item("雑貨", 758, 520, 2),
    "箸": Item("雑貨", 158, None, 2),
}
STOCK = {"弁当 松": 30}
RULES: dict[str, Any] = {
    "currency": "JPY",
    "objective": "margin",
    "days": 7,
    "ladder": {"endings": [28, 58, 98], "every": 100, "from": 98, "to": 1998},
    "margin_floor": 0.1,
    "largest_rise": 0.25,
    "largest_fall": 0.3,
    "least_days": 5,
    "changes_a_night": 9,
    "competitor": {"below": 0.2, "above": 0.1, "of": "median", "newest_days": 7},
    "blocked": {"items": ["団子"], "stores": [], "categories": []},
    "together": [
        {"name": "one price of buns", "items": ["饅頭"], "across": "stores", "how": "same_price"},
        {"name": "cups", "items": ["お茶 小", "お茶 中", "お茶 大"], "how": "ascending"},
    ],
    "markdowns": [
        {
            "items": ["弁当 松"],
            "ends": (LAST + timedelta(days=4)).isoformat(),
            "below_cost": True,
            "floor": 300,
        }
    ],
    "approval": {"changes": 3, "hours": 2},
}
COMPETITORS = {
    # Shop and price, days before LAST on which it was seen.
    "煎餅": [("角の店", 258, 1), ("駅前", 298, 2)],
    "水": [("角の店", 98, 30)],  # the feed is dead: too old to count
    "雑誌": [("角の店", 1, 0)],  # absurd: no price is so low
}


def write(folder: Path, **rules: Any) -> Path:
    """All files; the path of the YAML one."""
    _table(folder / "売上.csv", ("日付", "店", "商品", "数量", "価格"), _sales())
    first = LAST - timedelta(days=DAYS)
    costs = [(first, name, item.cost) for name, item in ITEMS.items() if item.cost is not None]
    _table(folder / "原価.csv", ("日付", "商品", "原価"), costs)
    seen = [
        (LAST - timedelta(days=age), name, shop, price)
        for name, asked in COMPETITORS.items()
        for shop, price, age in asked
    ]
    _table(folder / "他店.csv", ("日付", "商品", "他店", "価格"), seen)
    left = [(LAST, store, name, units) for name, units in STOCK.items() for store in STORES]
    _table(folder / "在庫.csv", ("日付", "店", "商品", "数量"), left)
    names = [(name, item.category) for name, item in ITEMS.items()]
    _table(folder / "商品.csv", ("商品", "分類"), names)
    path = folder / "shop.yaml"
    path.write_text(yaml.safe_dump(_spec(RULES | rules), allow_unicode=True, sort_keys=False))
    return path


def offers() -> list[dict[str, Any]]:
    """What is priced after ``LAST``, as the checker reads it, in the order of store and item."""
    found = []
    for store in sorted(STORES):
        for name in sorted(ITEMS):
            history = _history(store, name)
            asked = [price for _, price, age in COMPETITORS.get(name, []) if age <= 7]
            ages = [age for _, _, age in COMPETITORS.get(name, []) if age <= 7]
            found.append(
                {
                    "store": store,
                    "item": name,
                    "category": ITEMS[name].category,
                    "price": history[-1],
                    "cost": ITEMS[name].cost,
                    "since": _since(history),
                    "competitor": int(np.median(asked)) if asked else None,
                    "age": min(ages, default=0),
                    "stock": STOCK.get(name),
                    "day": LAST + timedelta(days=1),
                }
            )
    return found


def _spec(rules: dict[str, Any]) -> dict[str, Any]:
    dated = {"business_date": "日付", "item_id": "商品"}
    return {
        "name": "shops_in_japan",
        "calendar": {"timezone": "Asia/Tokyo", "country": "JP"},
        "sales": {
            "files": "${HERE}/売上.csv",
            "columns": {**dated, "store_id": "店", "units": "数量", "price": "価格"},
        },
        "items": {
            "files": "${HERE}/商品.csv",
            "columns": {"item_id": "商品", "name": "商品", "category": "分類"},
        },
        "costs": {"files": "${HERE}/原価.csv", "columns": {**dated, "cost": "原価"}},
        "competitors": {
            "files": "${HERE}/他店.csv",
            "columns": {**dated, "competitor": "他店", "price": "価格"},
        },
        "stock": {
            "files": "${HERE}/在庫.csv",
            "columns": {**dated, "store_id": "店", "units": "数量"},
        },
        "pricing": rules,
    }


def _table(path: Path, titles: tuple[str, ...], rows: Any) -> None:
    with path.open("w", newline="") as file:
        csv.writer(file).writerows([titles, *rows])


def _sales() -> list[tuple[Any, ...]]:
    draw = np.random.default_rng(5)
    found: list[tuple[Any, ...]] = []
    for store in STORES:
        for name, item in ITEMS.items():
            history = _history(store, name)
            for back, price in zip(range(DAYS - 1, -1, -1), history, strict=True):
                day = LAST - timedelta(days=back)
                busy = 1.4 if day.weekday() >= 5 else 0.9
                mean = item.units * busy * (price / item.price) ** -1.7
                found.append((day, store, name, draw.poisson(mean), price))
    return found


def _history(store: str, name: str) -> list[int]:
    """The price of each day: a step up or down the ladder every four weeks; all stores alike for
    what has one price. Cups keep their order, and one item has changed some days ago."""
    item, place = ITEMS[name], list(ITEMS).index(name)
    usual = LADDER.index(item.price)
    together = name == "饅頭"
    shift = 3 * place + (0 if together else 7 * STORES.index(store))
    found = []
    for day in range(DAYS):
        month = (day + shift) // 28
        step = (0, 1, 0, -1)[month % 4] if item.category != "飲料" or name == "水" else month % 2
        found.append(LADDER[max(usual + step, 0)])
    if name == "弁当 竹":
        found[-2:] = [LADDER[usual + 2]] * 2
    return found


def _since(history: list[int]) -> int | None:
    """Days from the last change to the day after the history."""
    for back in range(1, len(history)):
        if history[-1 - back] != history[-1]:
            return back
    return None
