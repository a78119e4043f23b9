"""Why a price is what it is: the rule that stops it, and the two that leave it nothing."""

from __future__ import annotations

import numpy as np

from daybreak.models.pricing.choice.components import firsts
from daybreak.models.pricing.choice.groups import Groups
from daybreak.models.pricing.choice.moves import Problem
from daybreak.models.pricing.choice.offers import Flags, Int64
from daybreak.models.pricing.choice.rails import Codes, Rails, Rule
from daybreak.models.pricing.choice.solution import KEEP, Solution

NOT_KNOWN = -2
"""Instead of a point or ``KEEP``: no value of the objective is known."""


def binding(rails: Rails, solution: Solution, wanted: Int64) -> Codes:
    """The rule that stops each price on its way to ``wanted``, int8 (n,), of ``Rule``; ``NONE``
    where it is there, or no rule is in the way.

    ``wanted``: int64 (n,), the point that the objective would choose if there were no rule but the
    ladder, ``KEEP`` where that is to stay, ``NOT_KNOWN`` where nothing says what a price would do:
    then whatever keeps the price is the rule.
    """
    points = rails.points
    goal = np.where(wanted == KEEP, rails.price, points[np.maximum(wanted, 0)])
    chosen = solution.choice
    reached = np.where(chosen == KEEP, rails.price, points[np.maximum(chosen, 0)])
    found = np.where(rails.kept != Rule.NONE, rails.kept, solution.held)
    known = wanted != NOT_KNOWN
    free = known & (found == Rule.NONE) & (rails.kept == Rule.NONE)
    below, above = (points[np.clip(end, 0, len(points) - 1)] for end in (rails.low, rails.high))
    found = np.where(free & (goal < below), rails.low_rule, found)
    found = np.where(free & (goal > above), rails.high_rule, found)
    result: Codes = np.where(known & (goal == reached), np.int8(Rule.NONE), found).astype(np.int8)
    return result


def group_conflicts(problem: Problem) -> Codes:
    """The two rules that leave a unit of a group no common move, for each of its prices that could
    move alone; int8 (n, 2), of ``Rule``, ``NONE`` of all others.

    Either a member has to stay: what keeps it, and ``TOGETHER``; or what one member may do at most
    is less than what another has to do at least: the rules that say so.
    """
    rails, groups = problem.rails, problem.groups
    found = np.zeros((len(rails.price), 2), np.int8)
    stuck = _stuck(problem)[groups.unit]
    row, unit = groups.row[stuck], groups.unit[stuck]
    if not len(row):
        return found
    pairs = np.zeros((groups.units, 2), np.int8)
    low, high = _ends(rails, groups, row, unit)
    free = rails.kept[row] == Rule.NONE
    floor, floor_row = _first_of(-low[free], unit[free], row[free])
    ceiling, ceiling_row = _first_of(high[free], unit[free], row[free])
    units = np.unique(unit[free])
    no_step = ~groups.same_price[units] & (floor == 0) & (ceiling == 0)
    apart = (-floor > ceiling) | no_step
    pairs[units[apart], 0] = rails.high_rule[ceiling_row[apart]]
    pairs[units[apart], 1] = rails.low_rule[floor_row[apart]]
    kept_unit, first = np.unique(unit[~free], return_index=True)
    keeper = row[~free][first]
    by_itself = rails.kept[keeper] != Rule.CONFLICT
    pairs[kept_unit, 0] = np.where(by_itself, rails.kept[keeper], rails.conflict[keeper, 0])
    pairs[kept_unit, 1] = np.where(by_itself, np.int8(Rule.TOGETHER), rails.conflict[keeper, 1])
    moves_alone = np.isin(row, problem.moves.row)
    found[row[moves_alone]] = pairs[unit[moves_alone]]
    return found


def _stuck(problem: Problem) -> Flags:
    """Of each unit, whether none of its moves can be made."""
    stuck = np.ones(problem.groups.units, bool)
    of_units = problem.options.in_set - len(problem.rails.price)
    stuck[of_units[of_units >= 0]] = False
    return stuck


def _ends(rails: Rails, groups: Groups, row: Int64, unit: Int64) -> tuple[Int64, Int64]:
    """The first and last point of each, or the furthest steps down and up."""
    low, high, price = rails.low[row], rails.high[row], rails.price[row]
    below = np.searchsorted(rails.points, price, "right") - 1
    above = np.searchsorted(rails.points, price)

    def as_step(point: Int64) -> Int64:
        up = rails.points[np.clip(point, 0, len(rails.points) - 1)] > price
        step: Int64 = point - np.where(up, below, above)
        return step

    of_price = groups.same_price[unit]
    return np.where(of_price, low, as_step(low)), np.where(of_price, high, as_step(high))


def _first_of(value: Int64, unit: Int64, row: Int64) -> tuple[Int64, Int64]:
    """The least value of each unit, in the order of the units, and its row."""
    order = np.lexsort((row, value, unit))
    first = order[firsts(unit[order])]
    return value[first], row[first]
