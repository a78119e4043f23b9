"""The prices of a night: what the rules leave of each, what it would bring, and the best of all."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from daybreak.models.arrays import from_names
from daybreak.models.base import Context, Float32
from daybreak.models.pricing.choice.groups import Groups, groups_of
from daybreak.models.pricing.choice.offers import Int64, Offers
from daybreak.models.pricing.choice.programme import Limits
from daybreak.models.pricing.choice.rails import Rails, Rule, rails_of
from daybreak.models.pricing.choice.solution import KEEP, Solution
from daybreak.models.pricing.choice.solve import solve
from daybreak.models.pricing.choice.trail import NOT_KNOWN, binding
from daybreak.models.pricing.demand import Demand, Floats, value_of
from daybreak.models.pricing.judged import pack
from daybreak.models.pricing.layout import (
    BELOW_ABOVE,
    CURRENCY,
    DECIMALS,
    OBJECTIVE,
    RULES,
    SOLVED,
    TIMEZONE,
    VALUES,
)
from daybreak.models.pricing.live.profile import Profile
from daybreak.models.pricing.live.usual import first_day
from daybreak.prices.form import millionths
from daybreak.prices.ladder import Points
from daybreak.prices.money import decimals
from daybreak.prices.rules import Rules

NO_BOUND = -1
VALUES_AT_ONCE = 2**20
"""Of the objective, some 50 bytes each while they are made."""


@dataclass(frozen=True)
class Interval:
    """Where the elasticity of each of n prices lies: a tenth is below ``low``, a tenth above
    ``high``; float64 (n,), NaN where it is not known."""

    low: Floats
    high: Floats


@dataclass(frozen=True)
class Night:
    """What the snapshot holds of n prices: ``values`` (n, S), ``records`` (t, R), ``offsets``
    int64 (n + 1,), and what all of them share."""

    values: Float32
    records: Float32
    offsets: Int64
    context: Context


def decide(
    offers: Offers,
    demand: Demand,
    interval: Interval,
    rules: Rules,
    *,
    spent: NDArray[np.bool_],
    limits: Limits | None = None,
    profile: Profile | None = None,
    timezone: str = "UTC",
) -> Night:
    """The night of ``rules``. ``spent`` (n,): prices whose stock has to go, whatever it cost.
    ``profile``: of the days of ``timezone``; None where nobody knows.

    ``demand``: elasticities of NaN are not known, and such a price stays.
    """
    rails = rails_of(offers, rules)
    window = _Window.of(rails, demand)
    cost = np.where(offers.cost < 0, np.nan, offers.cost.astype(np.float64))
    worth = np.where(spent, 0.0, cost)
    objective = rules.objective

    now = offers.price.astype(np.float64)[:, None]
    keep = value_of(objective, now, window.current[:, None, 0], worth)[:, 0]
    values = value_of(objective, window.price, window.units[:, :, 0], worth)
    groups = groups_of(offers, rules)
    solution = solve(
        rails,
        groups,
        values,
        keep,
        first=window.first,
        budget=rules.changes_a_night,
        limits=limits,
    )
    chosen = np.where(solution.choice == KEEP, 0, 1 + solution.choice - rails.low)
    wanted = _wanted(rails.points, demand, worth, objective, keep)
    best = np.take_along_axis(values, np.maximum(chosen - 1, 0)[:, None], axis=1)[:, 0]
    gain = np.where(chosen > 0, best - keep, 0.0)
    columns = {
        "cost": cost,
        "elasticity": np.nan_to_num(demand.elasticity),
        "elasticity_low": np.nan_to_num(interval.low),
        "elasticity_high": np.nan_to_num(interval.high),
        "lowest": _point(rails, rails.low),
        "highest": _point(rails, rails.high),
        "low_rule": rails.low_rule,
        "high_rule": rails.high_rule,
        "rule": binding(rails, solution, wanted),
        "conflict_1": solution.conflict[:, 0],
        "conflict_2": solution.conflict[:, 1],
        "chosen": chosen,
        "place": _places(chosen > 0, gain, groups),
        "grouped": _grouped(groups, len(offers)),
        **first_day(offers, demand, window.current[:, 0], spent),
        **_search(solution, len(offers)),
        **pack(demand.free),
    }
    records, offsets = window.records(offers)
    return Night(
        np.column_stack([columns[name] for name in VALUES]).astype(np.float32),
        records,
        offsets,
        {
            **_context(rules, solution),
            TIMEZONE: _text(timezone),
            **(profile or Profile.none()).as_context(),
        },
    )


@dataclass(frozen=True)
class _Window:
    """The points that the rails leave, from ``first`` on: ``price`` (n, W) and ``units``
    (n, W, 3), NaN beyond them; ``current`` (n, 3): units at the current price."""

    first: Int64
    size: Int64
    price: Floats
    units: Floats
    current: Floats

    @classmethod
    def of(cls, rails: Rails, demand: Demand) -> _Window:
        size = np.maximum(rails.high - rails.low + 1, 0)
        each = np.arange(max(int(size.max(initial=1)), 1))
        place = np.minimum(rails.low[:, None] + each, len(rails.points) - 1)
        inside = each < size[:, None]
        price = np.where(inside, rails.points[place].astype(np.float64), np.nan)
        current = demand.at(np.maximum(rails.price, 1).astype(np.float64)[:, None])[:, 0]
        return cls(rails.low, size, price, demand.at(price), current)

    def records(self, offers: Offers) -> tuple[Float32, Int64]:
        """The current price and then the points of each."""
        now = np.column_stack([offers.price, np.nan_to_num(self.current)])[:, None]
        points = np.concatenate([self.price[:, :, None], self.units], axis=2)
        both = np.concatenate([now, np.nan_to_num(points)], axis=1)
        there = np.arange(both.shape[1]) <= self.size[:, None]
        offsets = np.concatenate([[0], np.cumsum(self.size + 1)]).astype(np.int64)
        return both[there].astype(np.float32), offsets


def _point(rails: Rails, index: Int64) -> Int64:
    """The price there; the current one where it has to stay."""
    inside = np.minimum(np.maximum(index, 0), len(rails.points) - 1)
    return np.where(rails.kept == Rule.NONE, rails.points[inside], rails.price)


def _wanted(points: Points, demand: Demand, worth: Floats, objective: str, keep: Floats) -> Int64:
    """The point that each price would have if there were no rule but the ladder, int64 (n,);
    ``KEEP`` where none brings more than ``keep``, ``NOT_KNOWN`` where that is no value."""
    found = np.full(len(keep), KEEP, np.int64)
    price = points.astype(np.float64)[None]
    at_once = max(1, VALUES_AT_ONCE // len(points))
    for first in range(0, len(keep), at_once):
        rows = slice(first, first + at_once)
        some = demand.of(rows)
        prices = np.broadcast_to(price, (len(keep[rows]), len(points)))
        value = value_of(objective, prices, some.at(prices)[:, :, 0], worth[rows])
        value = np.where(np.isnan(value), -np.inf, value)
        best = value.argmax(axis=1)
        more = np.take_along_axis(value, best[:, None], axis=1)[:, 0] > keep[rows]
        found[rows] = np.where(more, best, KEEP)
    found[np.isnan(keep)] = NOT_KNOWN
    return found


def _grouped(groups: Groups, n: int) -> NDArray[np.bool_]:
    """Which of n prices have a rule with others."""
    found = np.zeros(n, bool)
    found[groups.row] = True
    found[groups.pairs] = True
    return found


def _search(solution: Solution, n: int) -> dict[str, Floats]:
    """How well the programme of each of n prices was solved, and what ended it early."""
    gap, stop = np.zeros(n), np.zeros(n)
    for part in solution.parts:
        gap[part.rows] = part.gap
        stop[part.rows] = part.stopped
    return {"gap": gap, "stop": stop}


def _places(changed: NDArray[np.bool_], gain: Floats, groups: Groups) -> Int64:
    """How many changes there are up to each, the largest gain first; 0 where none is.

    Prices that moved together, or that have an order and moved both, are one: a night that is cut
    short keeps its rules.
    """
    n = len(changed)
    place = np.zeros(n, np.int64)
    if not changed.any():
        return place
    begins = np.diff(groups.unit, prepend=-1) > 0
    heads = groups.row[np.flatnonzero(begins)] if len(groups.row) else groups.row
    edges = np.concatenate(
        [np.column_stack([heads[groups.unit], groups.row]), groups.pairs]
        if len(groups.row)
        else [groups.pairs]
    )
    edges = edges[changed[edges].all(axis=1)]
    graph = coo_array((np.ones(len(edges), np.int8), edges.T), (n, n))
    _, of = connected_components(graph, directed=False)
    rows = np.flatnonzero(changed)
    total = np.bincount(of[rows], gain[rows], int(of.max()) + 1)
    count = np.bincount(of[rows], minlength=len(total))
    first = np.full(len(total), n)
    np.minimum.at(first, of[rows], rows)
    there = np.flatnonzero(count)
    order = there[np.lexsort((first[there], -total[there]))]
    upto = np.zeros(len(total), np.int64)
    upto[order] = np.cumsum(count[order])
    place[rows] = upto[of[rows]]
    return place


def _context(rules: Rules, solution: Solution) -> Context:
    """What all prices of a night share."""
    corridor = rules.competitor
    bounds = (None, None) if corridor is None else (corridor.below, corridor.above)
    statuses = Counter(part.status.value for part in solution.parts)
    stops = Counter(part.stopped.label for part in solution.parts if part.stopped)
    gap = max((part.gap for part in solution.parts), default=0.0)
    solved = {
        "programmes": dict(sorted(statuses.items())),
        "stopped": dict(sorted(stops.items())),
        "gap": gap,
        "changes": solution.changes,
        "gain": solution.gain,
    }
    return {
        CURRENCY: _text(rules.currency),
        DECIMALS: np.array([decimals(rules.currency)]),
        OBJECTIVE: _text(rules.objective),
        BELOW_ABOVE: np.array([NO_BOUND if b is None else millionths(b) for b in bounds]),
        RULES: _text(rules.to_json()),
        SOLVED: _text(json.dumps(solved, sort_keys=True)),
    }


def _text(value: str) -> NDArray[np.str_]:
    return from_names(np.array([value], object))
