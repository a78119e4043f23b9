"""Offers and rules by hand: what is not said is plain."""

from __future__ import annotations

from datetime import date
from typing import Any

from daybreak.models.pricing.choice.offers import Offers
from daybreak.prices.rules import Rules, rules_of
from random_prices import as_offers

DAY = date(2026, 3, 1)
PLAIN = {
    "store": "S",
    "category": "",
    "price": 100,
    "cost": 50,
    "since": None,
    "competitor": None,
    "age": 0,
    "stock": None,
    "day": DAY,
}
LADDER = (0.8, 0.9, 1.0, 1.1, 1.2)


def offers(*changes: dict[str, Any]) -> Offers:
    """One for each; items are called a, b, c … where they have no name."""
    return as_offers(
        [PLAIN | {"item": chr(97 + number)} | change for number, change in enumerate(changes)]
    )


def rules(**said: Any) -> Rules:
    """On five points around 1.00 EUR, for revenue."""
    least = {"currency": "EUR", "objective": "revenue", "ladder": {"points": list(LADDER)}}
    return rules_of(least | said)
