"""Random shops solved, and what the independent reading of the rules says of the answer."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from daybreak.models.pricing.choice.groups import groups_of
from daybreak.models.pricing.choice.programme import Limits
from daybreak.models.pricing.choice.rails import Rails, Rule, rails_of
from daybreak.models.pricing.choice.solution import KEEP, Solution
from daybreak.models.pricing.choice.solve import solve
from daybreak.prices.rules import rules_of
from price_checker import allowed, ladder
from random_prices import Shop, as_offers


def solved(shop: Shop, limits: Limits | None = None) -> tuple[Rails, Solution]:
    rules, offers = rules_of(shop.rules), as_offers(shop.offers)
    rails, groups = rails_of(offers, rules), groups_of(offers, rules)
    budget = rules.changes_a_night
    return rails, solve(rails, groups, shop.values, shop.keep, budget=budget, limits=limits)


def final(shop: Shop, solution: Solution) -> list[int]:
    """The prices that were chosen, in cents."""
    points = ladder(shop.rules)
    return [
        offer["price"] if choice == KEEP else points[choice]
        for offer, choice in zip(shop.offers, solution.choice.tolist(), strict=True)
    ]


def misnamed(shop: Shop, rails: Rails) -> Iterator[str]:
    """Prices whose rails differ from what the rules leave, or that name a rule that is not it."""
    points = ladder(shop.rules)
    if rails.points.tolist() != points:
        yield "the ladder is another one"
        return
    for row, offer in enumerate(shop.offers):
        left = allowed(shop.rules, offer)
        kept = Rule(rails.kept[row])
        named = f"{offer['store']} {offer['item']}: "
        if [points[k] for k in np.flatnonzero(rails.admissible[row])] != left:
            yield named + "other points are left"
        if (kept is Rule.NONE) != bool(left):
            yield named + f"{left} is left, and kept by {kept.label!r}"
        if kept is Rule.CONFLICT:
            stronger, weaker = (Rule(code).label for code in rails.conflict[row])
            if not (allowed(shop.rules, offer, stronger) or stronger == weaker == "ladder"):
                yield named + f"{stronger} alone leaves nothing"
            if allowed(shop.rules, offer, "ladder", stronger, weaker):
                yield named + f"{stronger} and {weaker} leave something"
        elif kept is not Rule.NONE:
            if allowed(shop.rules, offer, kept.label):
                yield named + f"{kept.label} leaves something"
        else:
            yield from (named + end for end in _misnamed_ends(shop, rails, row, points))


def _misnamed_ends(shop: Shop, rails: Rails, row: int, points: list[int]) -> Iterator[str]:
    low, high = int(rails.low[row]), int(rails.high[row])
    beyond = [(low - 1, rails.low_rule[row])] if low else []
    beyond += [(high + 1, rails.high_rule[row])] if high < len(points) - 1 else []
    for point, code in beyond:
        rule = Rule(code).label
        if points[point] in allowed(shop.rules, shop.offers[row], rule):
            yield f"{rule} does not forbid {points[point]}"
