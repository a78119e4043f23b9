"""Between which points of the ladder the rules leave a price, and which rule says so.

Every rule about one price cuts an interval, so two indices into the ladder are all that is kept of
it; no (n, K) matrix is made. Shares are compared in whole millionths, amounts in minor units:
exact, for all that fits into int64.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum

import numpy as np
from numpy.typing import NDArray

from daybreak.models.pricing.choice.offers import Flags, Int64, Offers, is_one_of
from daybreak.prices.form import MILLION, millionths
from daybreak.prices.ladder import Points
from daybreak.prices.money import MOST_PRICE, MOST_UNITS
from daybreak.prices.rules import Rules

Codes = NDArray[np.int8]
"""Of ``Rule``."""


class Rule(IntEnum):
    """What bounds a price or keeps it. Numbers are stored: add new ones at the end."""

    NONE = 0
    LADDER = 1
    LOSS_FLOOR = 2
    NO_COST = 3
    MARKDOWN_FLOOR = 4
    BLOCKED = 5
    LEAST_DAYS = 6
    MARGIN_FLOOR = 7
    LARGEST_CHANGE = 8
    COMPETITOR = 9
    TOGETHER = 10
    ASCENDING = 11
    CHANGES_A_NIGHT = 12
    CONFLICT = 13
    NO_PRICE = 14
    TOO_LARGE = 15
    NO_VALUE = 16
    OUT_OF_TIME = 17

    @property
    def label(self) -> str:
        """As answers have it: ``largest_change``; "" of none."""
        return self.name.lower() if self else ""


@dataclass(frozen=True)
class Rails:
    """What each of n prices may become: arrays (n,).

    ``low``, ``high``: first and last admissible index into ``points``, int64; ``low`` is above
    ``high`` where the price has to stay. ``low_rule``, ``high_rule``: which rule set them, the
    strongest of those that agree. ``kept``: why the price has to stay, or ``NONE``. ``conflict``,
    (n, 2): the two rules that leave no point between them where ``kept`` is ``CONFLICT``, the
    stronger one first. ``outside``: the strongest rule that the price breaks as it is, which a
    price that stays may. ``at``: its index, -1 where it is off the ladder.
    """

    points: Points
    price: Int64
    low: Int64
    high: Int64
    low_rule: Codes
    high_rule: Codes
    kept: Codes
    conflict: Codes
    outside: Codes
    at: Int64

    @property
    def admissible(self) -> Flags:
        """Every point of every price, bool (n, K), for those who want to look at it."""
        index = np.arange(len(self.points))
        return (index >= self.low[:, None]) & (index <= self.high[:, None])


def rails_of(offers: Offers, rules: Rules) -> Rails:
    """What ``rules`` leave of the ladder for each offer, whatever the others become."""
    cutting = _Cutting(offers, rules)
    cutting.keep(offers.price <= 0, Rule.NO_PRICE)
    cutting.keep(offers.price >= MOST_PRICE, Rule.TOO_LARGE)
    _forbid_losses(cutting)
    for name in rules.priority:
        _RANKED[name](cutting)
    return cutting.rails()


class _Cutting:
    """The intervals while they are cut, the strongest rule first."""

    def __init__(self, offers: Offers, rules: Rules) -> None:
        self.offers, self.rules, self.points = offers, rules, rules.points
        n = len(offers)
        self.low, self.high = np.zeros(n, np.int64), np.full(n, len(self.points) - 1)
        self.low_rule, self.high_rule = (np.full(n, Rule.LADDER, np.int8) for _ in range(2))
        self.kept, self.outside = (np.zeros(n, np.int8) for _ in range(2))
        self.conflict = np.zeros((n, 2), np.int8)
        self.at = np.searchsorted(self.points, offers.price)
        on_ladder = self.points[np.minimum(self.at, len(self.points) - 1)] == offers.price
        self.at[~on_ladder] = -1
        self.note_outside(~on_ladder, Rule.LADDER)
        self.markdown, self.below_cost, self.floor = markdowns(offers, rules)
        self.known_cost = offers.cost >= 0
        # Beyond every point: products with it stay within int64.
        self.cost = np.minimum(offers.cost, MOST_PRICE)

    def keep(self, these: Flags, rule: Rule) -> None:
        """These prices stay, because of ``rule``, unless a stronger one has said so."""
        self.kept[these & (self.kept == Rule.NONE)] = rule

    def note_outside(self, these: Flags, rule: Rule) -> None:
        """These prices break ``rule`` as they are."""
        priced = self.offers.price > 0
        self.outside[these & priced & (self.outside == Rule.NONE)] = rule

    def cut(
        self, rule: Rule, these: Flags, lowest: Int64 | None, highest: Int64 | None = None
    ) -> None:
        """These prices are at least ``lowest`` and at most ``highest``, in minor units (n,)."""
        low, high = np.zeros_like(self.low), np.full_like(self.high, len(self.points) - 1)
        if lowest is not None:
            low = np.where(these, np.searchsorted(self.points, lowest), low)
        if highest is not None:
            high = np.where(these, np.searchsorted(self.points, highest, "right") - 1, high)
        clash = (np.maximum(low, self.low) > np.minimum(high, self.high)) & (self.kept == Rule.NONE)
        # The rule that set the end which this one goes beyond; where it goes beyond neither, or
        # beyond an end of its own, it lies between two points.
        other = np.where(
            low > self.high,
            self.high_rule,
            np.where(high < self.low, self.low_rule, np.int8(Rule.LADDER)),
        )
        other[other == rule] = Rule.LADDER
        self.conflict[clash, 0], self.conflict[clash, 1] = other[clash], rule
        self.kept[clash] = Rule.CONFLICT
        self.low_rule[low > self.low] = rule
        self.high_rule[high < self.high] = rule
        self.low, self.high = np.maximum(low, self.low), np.minimum(high, self.high)

    def rails(self) -> Rails:
        """What is left. A price that stays has no point."""
        stays = self.kept != Rule.NONE
        self.low[stays], self.high[stays] = 0, -1
        self.low_rule[stays], self.high_rule[stays] = Rule.NONE, Rule.NONE
        return Rails(
            self.points,
            self.offers.price,
            self.low,
            self.high,
            self.low_rule,
            self.high_rule,
            self.kept,
            self.conflict,
            self.outside,
            self.at,
        )


def markdowns(offers: Offers, rules: Rules) -> tuple[Flags, Flags, Int64]:
    """Which offers have to go, which of them at a loss if need be, and their floors (0: none)."""
    has_to_go, below_cost = (np.zeros(len(offers), bool) for _ in range(2))
    floor = np.zeros(len(offers), np.int64)
    for one in rules.markdowns:
        if offers.day > one.ends:
            continue
        these = offers.of(one.items, one.category) & (offers.stock != 0)
        has_to_go |= these
        below_cost |= these & one.below_cost
        if one.floor is not None:
            floor[these] = np.maximum(floor[these], rules.minor(one.floor))
    return has_to_go, below_cost, floor


def _forbid_losses(cutting: _Cutting) -> None:
    """The floors that stand above all that has a priority."""
    offers, holds = cutting.offers, ~cutting.below_cost
    if cutting.rules.objective == "margin":  # which is not known without a cost
        cutting.keep(~cutting.known_cost, Rule.NO_COST)
    loses = holds & cutting.known_cost
    cutting.note_outside(loses & (offers.price < offers.cost), Rule.LOSS_FLOOR)
    cutting.cut(Rule.LOSS_FLOOR, loses, cutting.cost)
    cutting.cut(Rule.NO_COST, holds & ~cutting.known_cost, offers.price)
    floored = cutting.floor > 0
    cutting.note_outside(floored & (offers.price < cutting.floor), Rule.MARKDOWN_FLOOR)
    cutting.cut(Rule.MARKDOWN_FLOOR, floored, cutting.floor)


def _block(cutting: _Cutting) -> None:
    offers, blocked = cutting.offers, cutting.rules.blocked
    these = is_one_of(offers.item, blocked.items) | is_one_of(offers.store, blocked.stores)
    cutting.keep(these | is_one_of(offers.category, blocked.categories), Rule.BLOCKED)


def _wait(cutting: _Cutting) -> None:
    since = cutting.offers.since
    cutting.keep((since >= 0) & (since < cutting.rules.least_days), Rule.LEAST_DAYS)


def _keep_margin(cutting: _Cutting) -> None:
    if cutting.rules.margin_floor is None:
        return
    left = MILLION - millionths(cutting.rules.margin_floor)
    these = cutting.known_cost & ~cutting.markdown
    # price - cost >= floor x price, for whole numbers.
    lowest = -(-cutting.cost * MILLION // left)
    cutting.note_outside(these & (cutting.offers.price < lowest), Rule.MARGIN_FLOOR)
    cutting.cut(Rule.MARGIN_FLOOR, these, lowest)


def _change_little(cutting: _Cutting) -> None:
    rules, price = cutting.rules, np.clip(cutting.offers.price, 0, MOST_PRICE)
    everyone = np.ones(len(price), bool)
    if rules.largest_fall is not None:
        lowest = _share(price, MILLION - millionths(rules.largest_fall), up=True)
        cutting.cut(Rule.LARGEST_CHANGE, everyone & ~cutting.markdown, lowest)
    if rules.largest_rise is not None:
        highest = _share(price, MILLION + millionths(rules.largest_rise))
        cutting.cut(Rule.LARGEST_CHANGE, everyone, None, highest)


def _stay_near(cutting: _Cutting) -> None:
    rule, offers = cutting.rules.competitor, cutting.offers
    if rule is None:
        return
    known = (offers.competitor > 0) & (offers.competitor_age <= rule.newest_days)
    asked = np.clip(offers.competitor, 0, MOST_UNITS)
    if rule.below is not None:
        lowest = _share(asked, MILLION - millionths(rule.below), up=True)
        cutting.note_outside(known & (offers.price < lowest), Rule.COMPETITOR)
        cutting.cut(Rule.COMPETITOR, known, lowest)
    if rule.above is not None:
        highest = _share(asked, MILLION + millionths(rule.above))
        cutting.note_outside(known & (offers.price > highest), Rule.COMPETITOR)
        cutting.cut(Rule.COMPETITOR, known, None, highest)


def _share(amounts: Int64, share: int, *, up: bool = False) -> Int64:
    """``share`` millionths of amounts up to 2^53, rounded down, or ``up``; without overflow."""
    whole, rest = np.divmod(amounts, MILLION)
    part = -(-rest * share // MILLION) if up else rest * share // MILLION
    result: Int64 = whole * share + part
    return result


_RANKED = {
    "blocked": _block,
    "least_days": _wait,
    "margin_floor": _keep_margin,
    "largest_change": _change_little,
    "competitor": _stay_near,
}
