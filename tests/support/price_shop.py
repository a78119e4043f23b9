"""A small shop with costs and rules of prices, whose data set is a YAML file of its own."""

from __future__ import annotations

import csv
from datetime import date
from pathlib import Path
from typing import Any

import yaml

from daybreak.sources.synthetic import generate, shop_options

OPTIONS = {
    "seed": 7,
    "stores": 3,
    "items": 24,
    "start": "2025-01-01",
    "end": "2026-03-31",
    "users": 50,
    "baskets_per_day": 2,
}
LAST = date(2026, 3, 31)
COST = 0.62
"""Share of the usual price."""
RULES: dict[str, Any] = {
    "currency": "EUR",
    "objective": "margin",
    "days": 7,
    "ladder": {"step": 0.05, "from": 0.5, "to": 60.0},
    "largest_rise": 0.15,
    "largest_fall": 0.25,
    "changes_a_night": 30,
}


def write_shop(folder: Path, **rules: Any) -> Path:
    """The YAML file of the data set, with ``rules`` over the usual ones."""
    shop = generate(shop_options(OPTIONS)).catalogue
    with (folder / "costs.csv").open("w", newline="") as file:
        rows = csv.writer(file)
        rows.writerow(["day", "item", "cost"])
        for item, price in zip(shop.item_ids, shop.base_price, strict=True):
            rows.writerow([OPTIONS["start"], item, round(COST * price, 2)])
    made = {"generator": "synthetic"}
    spec = {
        "name": "shop",
        "generators": {"synthetic": OPTIONS},
        "calendar": {"timezone": "Europe/London", "country": "GB"},
        "sales": made,
        "plan": [
            {**made, "known_ahead": "28d"},
            {**made, "table": "hours", "known_ahead": "35d"},
        ],
        "items": made,
        "stores": made,
        "costs": {
            "files": "${HERE}/costs.csv",
            "columns": {"business_date": "day", "item_id": "item", "cost": "cost"},
        },
        "pricing": RULES | rules,
    }
    path = folder / "shop.yaml"
    path.write_text(yaml.safe_dump(spec, sort_keys=False))
    return path
