"""Small shops with random rules, some of them absurd, and what each price would be worth."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta
from random import Random
from typing import Any

import numpy as np
from numpy.typing import NDArray

from daybreak.models.pricing.choice.offers import UNKNOWN, Offers
from daybreak.prices.rules import RANKED

DAY = date(2026, 3, 1)
ITEMS = ("apple", "bread", "cocoa", "dates")
CATEGORIES = ("food", "", "drinks", "food")
POINTS = (0.79, 0.95, 0.99, 1.0, 1.05, 1.2, 1.5)
STORES = ("north", "south", "west")


@dataclass(frozen=True)
class Shop:
    """Plain rules and offers, as the checker reads them, and values float64 (n, K) and (n,)."""

    rules: dict[str, Any]
    offers: list[dict[str, Any]]
    values: NDArray[np.float64]
    keep: NDArray[np.float64]


def random_shop(seed: int, stores: int = 3, items: int = 4) -> Shop:
    """As many stores and items at most. Half of the shops have few rules and plain offers."""
    random = Random(seed)
    plain = random.random() < 0.5
    rules = random_rules(random, 0.2 if plain else 0.5)
    pairs = [
        (store, number)
        for store in STORES[: random.randint(1, stores)]
        for number in range(random.randint(1, items))
        if random.random() < 0.9
    ]
    offers = [random_offer(random, *pair, odd=0.1 if plain else 0.6) for pair in pairs]
    points = points_of(rules)
    worth = np.array([[random.randint(-40, 60) for _ in points] for _ in offers], float)
    scale = random.choice([1, 1, 0.0004, 1234.5678])
    worth = worth.reshape(len(offers), len(points)) * scale
    for row in worth:
        for column in range(len(row)):
            if random.random() < 0.05:
                row[column] = np.nan
    keep = np.array([random.choice([0, 4, 7, 11, 20, 10, np.nan]) for _ in offers], float) * scale
    return Shop(rules, offers, worth, keep)


def points_of(rules: dict[str, Any]) -> list[float]:
    """As many as the ladder has."""
    said = rules["ladder"]
    if "points" in said:
        return sorted(set(said["points"]))
    return [0.0] * {"step": 5, "endings": 4}["step" if "step" in said else "endings"]


def random_rules(random: Random, chance: float) -> dict[str, Any]:
    def maybe(chance: float = chance) -> bool:
        return random.random() < chance

    rules: dict[str, Any] = {
        "currency": "EUR",
        "objective": random.choice(["margin", "revenue", "units"]),
        "ladder": random.choice(
            [
                *[{"points": random.sample(POINTS, 6)} for _ in range(4)],
                {"points": random.sample(POINTS, 4)},
                {"points": [1.0]},
                {"endings": [0.49, 0.99], "from": 0.49, "to": 1.99},
                {"step": 0.1, "from": 0.8, "to": 1.25},
            ]
        ),
    }
    if maybe():
        rules["margin_floor"] = random.choice([0, 0.05, 0.1, 0.333333, 0.9])
    if maybe():
        rules["largest_rise"] = random.choice([0, 0.05, 0.15, 0.5, 3])
    if maybe():
        rules["largest_fall"] = random.choice([0, 0.05, 0.2, 0.3, 1])
    if maybe():
        rules["least_days"] = random.choice([0, 3, 7])
    if maybe():
        rules["changes_a_night"] = random.choice([0, 1, 2, 3, 5])
    if maybe():
        rules["competitor"] = random.choice(
            [
                {"below": 0.1, "above": 0.05},
                {"above": 0.0},
                {"below": 0.333333, "newest_days": 0},
                {"below": 0.02, "above": 0.02, "of": "median", "newest_days": 9},
            ]
        )
    if maybe(0.3):
        kind, names = random.choice(
            [("items", ITEMS), ("stores", STORES), ("categories", ("food", "drinks"))]
        )
        rules["blocked"] = {kind: [random.choice(names)]}
    if maybe(0.6):
        rules["together"] = [
            random_group(random) | {"name": f"group {number}"}
            for number in range(random.randint(1, 3))
        ]
    if maybe(0.4):
        rules["markdowns"] = [
            random.choice([{"items": [random.choice(ITEMS)]}, {"category": "food"}])
            | {"ends": str(DAY + timedelta(days=random.choice([-1, 0, 9])))}
            | random.choice([{}, {"below_cost": True}, {"below_cost": True, "floor": 0.8}])
            for _ in range(random.randint(1, 2))
        ]
    if maybe(0.3):
        rules["priority"] = random.sample(RANKED, len(RANKED))
    return rules


def random_group(random: Random) -> dict[str, Any]:
    some = random.sample(ITEMS, random.randint(2, 4))
    how = random.choice(["same_price", "same_step", "ascending"])
    if how == "ascending":
        return {"how": how, "items": some}
    across = random.choice(["items", "stores", "both"])
    of = random.choice([{"items": some}, {"category": "food"}])
    return {"how": how, "across": across} | ({} if across == "stores" and some[0] > "b" else of)


def random_offer(random: Random, store: str, number: int, odd: float) -> dict[str, Any]:
    def one_of(usual: list[Any], unusual: list[Any]) -> Any:
        return random.choice(unusual if random.random() < odd else usual)

    return {
        "store": store,
        "item": ITEMS[number],
        "category": CATEGORIES[number],
        "price": one_of([95, 99, 100, 105], [79, 120, 149, 150, 33, 101, 0, 2**24]),
        "cost": one_of([40, 60], [None, 0, 90, 95, 100, 130, 2**40]),
        "since": one_of([None, 100], [0, 3, 7]),
        "competitor": one_of([None, 100], [90, 110, 1, 2**50]),
        "age": one_of([0, 1], [3, 4, 30]),
        "stock": one_of([None, 12], [0]),
        "day": DAY,
    }


def as_offers(offers: list[dict[str, Any]]) -> Offers:
    """As the model takes them."""

    def numbers(name: str) -> NDArray[np.int64]:
        found = [UNKNOWN if offer[name] is None else offer[name] for offer in offers]
        return np.array(found, np.int64)

    store, item, category = (
        np.array([offer[name] for offer in offers], object)
        for name in ("store", "item", "category")
    )
    names = ("price", "cost", "since", "competitor", "age", "stock")
    return Offers(store, item, category, *map(numbers, names), day=DAY)
