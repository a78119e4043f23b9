"""What a night decided of each price, how well, and what kept a price from its own best."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum

import numpy as np

from daybreak.models.pricing.choice.components import Components, firsts
from daybreak.models.pricing.choice.moves import Problem
from daybreak.models.pricing.choice.offers import Flags, Int64
from daybreak.models.pricing.choice.rails import Codes, Rule
from daybreak.models.pricing.choice.stop import Stop

KEEP = -1


class Status(Enum):
    """How well a component was solved."""

    OPTIMAL = "optimal"
    BEST_FOUND = "best_found"
    KEPT = "kept"


@dataclass(frozen=True)
class Part:
    """One programme: prices that share a rule. ``gain`` and ``bound`` in thousandths of the
    objective; no choice gains more than the bound. ``stop``: what ended its search early."""

    rows: Int64
    status: Status
    gain: int
    bound: float
    stop: Stop = Stop.NONE

    @property
    def gap(self) -> float:
        """(bound - gain) / bound; 0 where the gain is the best there is."""
        return 0.0 if self.bound <= self.gain else (self.bound - self.gain) / self.bound

    @property
    def stopped(self) -> Stop:
        """What ended the search while something better was possible."""
        return self.stop if self.gap > 0 else Stop.NONE


@dataclass(frozen=True)
class Solution:
    """``choice``: index into the ladder or ``KEEP``, int64 (n,). ``gain``: of all of them over
    keeping, in thousandths of the objective. ``changes``: prices that change. ``held``: int8 (n,),
    of ``Rule``: what kept a price from the best that its own rails leave, ``NONE`` where it has
    that. ``conflict``: int8 (n, 2), the two rules that leave a price, or its group, nothing.
    ``parts``: of the programmes; prices in none were decided exactly."""

    choice: Int64
    gain: int
    changes: int
    held: Codes
    conflict: Codes
    parts: tuple[Part, ...]

    @property
    def optimal(self) -> bool:
        """Whether nothing better exists."""
        return all(part.status is Status.OPTIMAL for part in self.parts)


def why_held(
    problem: Problem,
    components: Components,
    choice: Int64,
    *,
    wanted: Int64,
    budget: int | None,
    parts: Sequence[Part],
) -> Codes:
    """Of each price that did not get the best that its own rails leave, which rule between prices
    took it; int8 (n,), ``NONE`` of all others. ``wanted``: options that all menus would take
    without a budget."""
    moves, options, n = problem.moves, problem.options, len(choice)
    order = np.lexsort((np.abs(moves.step), -moves.gain, moves.row))
    best = order[firsts(moves.row[order])]
    best = best[moves.gain[best] > 0]
    row = moves.row[best]
    reached = np.zeros(n, np.int64)
    made = np.flatnonzero(moves.point == choice[moves.row])
    reached[moves.row[made]] = moves.gain[made]
    # What no other rule takes is left out for the budget; without one the search ended early.
    last = Rule.OUT_OF_TIME if budget is None else Rule.CHANGES_A_NIGHT
    reason = np.full(len(best), last, np.int8)
    reason[_against_order(problem, components.pairs, best, choice)] = Rule.ASCENDING
    in_unit = np.zeros(n, bool)
    in_unit[problem.groups.row] = True
    reason[in_unit[row] & ~np.isin(options.of_move[best], wanted)] = Rule.TOGETHER
    late = np.zeros(n, bool)
    for part in parts:
        late[part.rows] |= part.status is Status.KEPT
    reason[late[row]] = Rule.OUT_OF_TIME
    held = np.zeros(n, np.int8)
    held[row] = np.where(reached[row] < moves.gain[best], reason, Rule.NONE)
    return held


def _against_order(problem: Problem, pairs: Int64, best: Int64, choice: Int64) -> Flags:
    """Of the best move of each price, whether it goes against the order of a pair as the others
    were chosen."""
    points, moves = problem.rails.points, problem.moves
    now = np.where(choice >= 0, points[np.maximum(choice, 0)], problem.rails.price)
    wanted = now.copy()
    wanted[moves.row[best]] = points[moves.point[best]]
    against = np.zeros(len(now), bool)
    first, second = pairs.T
    against[first[wanted[first] > now[second]]] = True
    against[second[now[first] > wanted[second]]] = True
    found: Flags = against[moves.row[best]]
    return found
