"""Rails and the choice of prices: ``python -m benchmarks.prices.solve [--offers 30000]``.

A drawn shop: items in stores on a ladder, known demand, sizes in order, lines that move by one
step, some items of one price in all stores, and a budget that binds. Everything is drawn with a
fixed seed.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from datetime import date
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.stages import Stages
from daybreak.models.pricing.choice.groups import groups_of
from daybreak.models.pricing.choice.offers import UNKNOWN, Offers
from daybreak.models.pricing.choice.programme import Limits
from daybreak.models.pricing.choice.rails import Rails, rails_of
from daybreak.models.pricing.choice.solve import solve
from daybreak.prices.rules import Rules, rules_of

STORES = 10
FAMILY = 3
"""Items of a family: sizes in order, or a line."""


def measure(
    offers: int = 30_000, points: int = 12, budget: int | None = 2000, families: int = 300
) -> dict[str, Any]:
    """Seconds and peak memory of each stage. ``families``: as many of each kind of group."""
    items = max(offers // STORES, 1)
    rules, shop = _rules(items, points, budget, families), _shop(items, points)
    stages = Stages()
    with stages.stage("rails"):
        rails = rails_of(shop, rules)
        found = groups_of(shop, rules)
    with stages.stage("values"):
        values, keep = _values(rails, shop)
    limits = Limits()
    with stages.stage("solve"):
        solution = solve(rails, found, values, keep, budget=rules.changes_a_night, limits=limits)
    return {
        "offers": len(shop),
        "points": len(rules.points),
        "budget": budget,
        "units": found.units,
        "pairs": len(found.pairs),
        "changes": solution.changes,
        "gain": solution.gain,
        "programmes": len(solution.parts),
        "optimal": solution.optimal,
        "gap": max((part.gap for part in solution.parts), default=0.0),
        "seconds": stages.seconds,
        "peak_mb": stages.peak_mb,
    }


def report(result: dict[str, Any]) -> str:
    """A table."""
    about = (
        "{offers:,} offers × {points} points, {units:,} units, {pairs:,} pairs, budget {budget}: "
        "{changes:,} changes, {programmes} programmes, optimal: {optimal}, gap {gap:.2g}"
    )
    rows = [
        f"| {name} | {seconds:.2f} | {result['peak_mb'][name]:.0f} MB |"
        for name, seconds in result["seconds"].items()
    ]
    head = ["| stage | seconds | peak memory |", "|---|---:|---:|"]
    return "\n".join([about.format(**result), "", *head, *rows])


def _rules(items: int, points: int, budget: int | None, families: int) -> Rules:
    last = 1 + (points - 1) / 10
    return rules_of(
        {
            "currency": "EUR",
            "ladder": {"step": 0.1, "from": 1, "to": round(last, 2)},
            "margin_floor": 0.05,
            "largest_rise": 0.4,
            "largest_fall": 0.4,
            "least_days": 3,
            "changes_a_night": budget,
            "together": groups(_names(items).tolist(), families),
        }
    )


def groups(names: Sequence[str], families: int) -> list[dict[str, Any]]:
    """The first items are sizes, the next ones lines, the next ones have one price everywhere."""
    families = min(families, len(names) // (3 * FAMILY))
    together: list[dict[str, Any]] = []
    for number in range(families):
        sizes = names[FAMILY * number : FAMILY * (number + 1)]
        line = names[FAMILY * (families + number) : FAMILY * (families + number + 1)]
        alone = [names[2 * FAMILY * families + number]]
        together += [
            {"name": f"sizes {number}", "items": sizes, "how": "ascending"},
            {"name": f"line {number}", "items": line, "how": "same_step"},
            {"name": f"all {number}", "items": alone, "across": "stores", "how": "same_price"},
        ]
    return together


def _names(items: int) -> NDArray[np.str_]:
    return np.char.add("item-", np.char.zfill(np.arange(items).astype("U6"), 6))


def _shop(items: int, points: int) -> Offers:
    """Sizes of a family cost about the same, so that their order matters."""
    random = np.random.default_rng(1)
    n = items * STORES
    store, item = (grid.ravel() for grid in np.meshgrid(np.arange(STORES), np.arange(items)))
    usual = random.integers(2, points - 2, items // FAMILY + 1)[item // FAMILY]
    at = np.clip(usual + item % FAMILY - 1 + random.integers(0, 2, n), 0, points - 1)
    price = 100 + 10 * at
    return Offers(
        np.char.add("S", store.astype("U3")),
        _names(items)[item],
        np.full(n, "all"),
        price,
        (price * random.uniform(0.5, 0.8, n)).astype(np.int64),
        random.integers(0, 30, n),
        np.full(n, UNKNOWN),
        np.full(n, UNKNOWN),
        np.full(n, UNKNOWN),
        day=date(2026, 7, 1),
    )


def _values(rails: Rails, shop: Offers) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Margin of a week by a demand of constant elasticity."""
    random = np.random.default_rng(2)
    units = random.gamma(1.0, 20.0, len(shop))[:, None]
    elasticity = random.uniform(-4.0, -0.5, len(shop))[:, None]
    price = shop.price[:, None]
    sold = units * (rails.points / price) ** elasticity
    values = np.where(rails.admissible, sold * (rails.points - shop.cost[:, None]), np.nan)
    return values, (units * (price - shop.cost[:, None]))[:, 0]


def main() -> None:
    """From the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--offers", type=int, default=30_000)
    parser.add_argument("--points", type=int, default=12)
    parser.add_argument("--budget", type=int, default=2000, help="0: none")
    parser.add_argument("--families", type=int, default=300)
    given = parser.parse_args()
    print(report(measure(given.offers, given.points, given.budget or None, given.families)))


if __name__ == "__main__":
    main()
