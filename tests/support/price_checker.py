"""An independent reading of the rules of prices: row by row, in fractions, from the prose.

Knows nothing of the code under test: rules are plain values as a file has them, offers are plain
dictionaries. ``None`` is unknown. Prices are whole minor units of the currency.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import date
from fractions import Fraction
from itertools import pairwise
from typing import Any

Offer = dict[str, Any]
Rules = dict[str, Any]

LARGEST = 2**24


def exact(number: float) -> Fraction:
    return Fraction(str(number))


SCALES = {"EUR": 100, "JPY": 1}


def minor(rules: Rules, number: float) -> int:
    amount = exact(number) * SCALES[rules["currency"]]
    assert amount.denominator == 1
    return int(amount)


def ladder(rules: Rules) -> list[int]:
    """Every cent there is, tried."""
    said = rules["ladder"]
    if "points" in said:
        return sorted({minor(rules, point) for point in said["points"]})
    first, last = minor(rules, said["from"]), minor(rules, said["to"])
    if "step" in said:
        step = minor(rules, said["step"])
        return [p for p in range(first, last + 1) if (p - first) % step == 0]
    every = minor(rules, said.get("every", 1))
    ends = {minor(rules, ending) for ending in said["endings"]}
    return [p for p in range(first, last + 1) if p % every in ends]


def has_to_go(rules: Rules, offer: Offer) -> list[dict[str, Any]]:
    return [
        one
        for one in rules.get("markdowns", [])
        if (offer["item"] in one.get("items", ()) or offer["category"] == one.get("category"))
        and offer["day"] <= date.fromisoformat(str(one["ends"]))
        and offer["stock"] != 0
    ]


def at_a_loss(rules: Rules, offer: Offer) -> bool:
    return any(one.get("below_cost", False) for one in has_to_go(rules, offer))


def no_price(_rules: Rules, offer: Offer, _new: int) -> bool:
    return bool(offer["price"] > 0)


def too_large(_rules: Rules, offer: Offer, _new: int) -> bool:
    return bool(offer["price"] < LARGEST)


def on_ladder(rules: Rules, _offer: Offer, new: int) -> bool:
    return new in ladder(rules)


def loss_floor(rules: Rules, offer: Offer, new: int) -> bool:
    return offer["cost"] is None or at_a_loss(rules, offer) or new >= offer["cost"]


def no_cost(rules: Rules, offer: Offer, new: int) -> bool:
    if offer["cost"] is not None:
        return True
    if rules.get("objective", "margin") == "margin":
        return False
    return at_a_loss(rules, offer) or new >= offer["price"]


def markdown_floor(rules: Rules, offer: Offer, new: int) -> bool:
    return all(new >= minor(rules, one.get("floor", 0)) for one in has_to_go(rules, offer))


def blocked(rules: Rules, offer: Offer, _new: int) -> bool:
    said = rules.get("blocked", {})
    return not (
        offer["item"] in said.get("items", ())
        or offer["store"] in said.get("stores", ())
        or offer["category"] in said.get("categories", ())
    )


def least_days(rules: Rules, offer: Offer, _new: int) -> bool:
    return offer["since"] is None or offer["since"] >= rules.get("least_days", 0)


def margin_floor(rules: Rules, offer: Offer, new: int) -> bool:
    if "margin_floor" not in rules or offer["cost"] is None or has_to_go(rules, offer):
        return True
    return Fraction(new - offer["cost"], new) >= exact(rules["margin_floor"])


def largest_change(rules: Rules, offer: Offer, new: int) -> bool:
    rise = Fraction(new - offer["price"], max(offer["price"], 1))
    if "largest_rise" in rules and rise > exact(rules["largest_rise"]):
        return False
    falls_too_far = "largest_fall" in rules and -rise > exact(rules["largest_fall"])
    return not falls_too_far or bool(has_to_go(rules, offer))


def competitor(rules: Rules, offer: Offer, new: int) -> bool:
    said = rules.get("competitor")
    if said is None or offer["competitor"] is None:
        return True
    if offer["age"] > said.get("newest_days", 3):
        return True
    off = Fraction(new - offer["competitor"], offer["competitor"])
    return ("below" not in said or -off <= exact(said["below"])) and (
        "above" not in said or off <= exact(said["above"])
    )


OF_ONE_PRICE: dict[str, Callable[[Rules, Offer, int], bool]] = {
    "no_price": no_price,
    "too_large": too_large,
    "ladder": on_ladder,
    "loss_floor": loss_floor,
    "no_cost": no_cost,
    "markdown_floor": markdown_floor,
    "blocked": blocked,
    "least_days": least_days,
    "margin_floor": margin_floor,
    "largest_change": largest_change,
    "competitor": competitor,
}


def allowed(rules: Rules, offer: Offer, *names: str) -> list[int]:
    """The points of the ladder that the rules of these names (all: none given) leave a price."""
    tests = [OF_ONE_PRICE[name] for name in names or OF_ONE_PRICE]
    return [p for p in ladder(rules) if all(test(rules, offer, p) for test in tests)]


def steps(points: Sequence[int], old: int, new: int) -> int:
    """How many points a price passes on its way."""
    up = sum(old < point <= new for point in points)
    return up - sum(new <= point < old for point in points)


def units(group: dict[str, Any], offers: Sequence[Offer]) -> list[list[int]]:
    """Which offers move as one."""
    everything = "items" not in group and "category" not in group
    found: dict[Any, list[int]] = {}
    for number, offer in enumerate(offers):
        is_member = offer["item"] in group.get("items", ()) or (
            "category" in group and offer["category"] == group["category"]
        )
        if everything or is_member:
            across = group.get("across", "items")
            name = {"items": offer["store"], "stores": offer["item"], "both": ""}[across]
            found.setdefault(name, []).append(number)
    return list(found.values())


def broken_groups(rules: Rules, offers: Sequence[Offer], final: Sequence[int]) -> list[str]:
    """Names of groups that these prices break."""
    found = []
    points = ladder(rules)
    moved = [new != offer["price"] for offer, new in zip(offers, final, strict=True)]
    for group in rules.get("together", []):
        for unit in units(group, offers):
            if not any(moved[row] for row in unit):
                continue
            if group["how"] == "same_price":
                fine = len({final[row] for row in unit}) == 1
            elif group["how"] == "same_step":
                fine = len({steps(points, offers[row]["price"], final[row]) for row in unit}) == 1
            else:
                order = sorted(unit, key=lambda row: group["items"].index(offers[row]["item"]))
                fine = all(
                    final[one] <= final[other] or not (moved[one] or moved[other])
                    for one, other in pairwise(order)
                )
            if not fine:
                found.append(group["name"])
    return found


def broken(rules: Rules, offers: Sequence[Offer], final: Sequence[int]) -> list[str]:
    """What these prices break, of all rules. A price that stays breaks nothing by itself."""
    found = []
    changed = [
        (offer, new) for offer, new in zip(offers, final, strict=True) if new != offer["price"]
    ]
    for offer, new in changed:
        found += [
            f"{offer['store']}/{offer['item']}: {name}"
            for name, test in OF_ONE_PRICE.items()
            if not test(rules, offer, new)
        ]
    if len(changed) > rules.get("changes_a_night", len(changed)):
        found.append("changes_a_night")
    return found + broken_groups(rules, offers, final)
