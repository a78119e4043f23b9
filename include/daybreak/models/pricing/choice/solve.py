"""Which price each offer gets: the greatest gain of all that the rules leave.

Prices fall into components: those that share a rule. A price by itself, a group, and prices whose
orders form a tree have a menu of their best choices, and a budget that binds is shared out among
menus; both exactly. What is more tangled is a mixed-integer programme: one a component, or, where
the budget binds and ties all of them, one for all.

Gains are whole thousandths, so ties are real ones: staying goes before moving, fewer changes before
more, a shorter way before a longer one, a lower price before a higher, and an earlier row before a
later.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from daybreak.models.pricing.choice.components import Components, firsts
from daybreak.models.pricing.choice.groups import Groups
from daybreak.models.pricing.choice.knapsack import Table, table_of
from daybreak.models.pricing.choice.menus import Menu, joined, menu_of_ones
from daybreak.models.pricing.choice.moves import Problem, has_value
from daybreak.models.pricing.choice.offers import Int64
from daybreak.models.pricing.choice.programme import Limits, Solved, solve_programme
from daybreak.models.pricing.choice.rails import Rails, Rule
from daybreak.models.pricing.choice.solution import KEEP, Part, Solution, Status, why_held
from daybreak.models.pricing.choice.stop import Stop
from daybreak.models.pricing.choice.trail import group_conflicts
from daybreak.models.pricing.choice.trees import menu_of_tree


def solve(
    rails: Rails,
    groups: Groups,
    values: NDArray[np.float64],
    keep: NDArray[np.float64],
    *,
    first: Int64 | None = None,
    budget: int | None = None,
    limits: Limits | None = None,
) -> Solution:
    """The choice of greatest objective.

    ``values``: of the objective at each point, float64 (n, K), or (n, W) for the W points from
    ``first`` (n,) on; NaN is no choice. ``keep``: where the price stays, float64 (n,); NaN keeps
    it. Values beyond 10^10 are none. ``budget``: how many prices may change. It never fails:
    keeping every price is always a choice.
    """
    problem = Problem.of(rails, groups, values, keep, first)
    moves, components = problem.moves, Components(problem)
    night = _Night.of(problem, components, limits or Limits())
    taken, parts = night.solved(budget)
    choice = np.full(len(keep), KEEP, np.int64)
    made = components.moves(taken)
    choice[moves.row[made]] = moves.point[made]
    wanted = night.menu.taken(night.menu.best)
    held = why_held(problem, components, choice, wanted=wanted, budget=budget, parts=parts)
    held[(rails.kept == Rule.NONE) & ~has_value(keep)] = Rule.NO_VALUE
    gain = int(problem.options.gain[taken].sum())
    conflict = np.where(rails.conflict != Rule.NONE, rails.conflict, group_conflicts(problem))
    return Solution(choice, gain, len(made), held, conflict, tuple(parts))


@dataclass(frozen=True)
class _Night:
    """What one call is about. ``tangled``: components that have no menu, with their pairs."""

    problem: Problem
    components: Components
    menu: Menu
    tangled: list[tuple[Int64, Int64]]
    limits: Limits

    @classmethod
    def of(cls, problem: Problem, components: Components, limits: Limits) -> _Night:
        """All menus are made here."""
        menus, tangled = [menu_of_ones(problem, components)], []
        for asked, pairs in components.of_several:
            menu = menu_of_tree(problem, components, asked, pairs, limits.cells)
            if menu is None:
                tangled.append((asked, pairs))
            else:
                menus.append(menu)
        return cls(problem, components, joined(menus), tangled, limits)

    def solved(self, budget: int | None) -> tuple[Int64, list[Part]]:
        """The options to take, sorted."""
        wanted, parts = self.menu.taken(self.menu.best), []
        # Where the menus want more than the budget, it binds whatever the others want.
        if budget is None or self._changes(wanted) <= budget:
            for asked, pairs in self.tangled:
                part, chosen = self._part(asked, self._programme(asked, pairs))
                parts.append(part)
                wanted = np.concatenate([wanted, chosen])
        if budget is None or self._changes(wanted) <= budget:
            return np.sort(wanted), parts
        return self._within(budget, wanted)

    def _changes(self, options: Int64) -> int:
        return int(self.problem.options.changes[options].sum())

    def _gain(self, options: Int64) -> int:
        return int(self.problem.options.gain[options].sum())

    def _within(self, budget: int, wanted: Int64) -> tuple[Int64, list[Part]]:
        """Options to take within a budget that binds. ``wanted``: without one."""
        table = table_of(self.menu, budget)
        asked, pairs = self._all_tangled
        asked = asked[self.problem.options.changes[asked] <= budget]
        if table is not None and not len(asked):
            return self.menu.taken(table.entries(table.changes)), []
        filled = self._filled(wanted, budget)
        if table is None:  # no machine holds it: the best by the gain of a change
            rows = self.components.rows(np.concatenate([self.menu.options, asked]))
            bound = float(self._gain(self.menu.taken(self.menu.best)))
            bound += float(self.problem.options.gain[asked].clip(0).sum())
            gain = self._gain(filled)
            return filled, [Part(rows, Status.BEST_FOUND, gain, bound, Stop.CELLS)]
        part, chosen = self._part(asked, self._programme(asked, pairs, table))
        if self._gain(filled) > part.gain:
            part = replace(part, status=Status.BEST_FOUND, gain=self._gain(filled))
            chosen = filled
        return chosen, [part]

    @property
    def _all_tangled(self) -> tuple[Int64, Int64]:
        nothing = np.empty(0, np.int64), np.empty((0, 2), np.int64)
        asked, pairs = zip(nothing, *self.tangled, strict=True)
        return np.sort(np.concatenate(asked)), np.concatenate(pairs)

    def _filled(self, wanted: Int64, budget: int) -> Int64:
        """Whole components of ``wanted``, those that gain most for a change first."""
        of = self.components.of[wanted]
        wanted = wanted[np.argsort(of, kind="stable")]
        starts = firsts(np.sort(of))
        if not len(starts):
            return wanted
        gain = np.add.reduceat(self.problem.options.gain[wanted], starts)
        changes = np.add.reduceat(self.problem.options.changes[wanted], starts)
        parts, left, taken = np.split(wanted, starts[1:]), budget, [wanted[:0]]
        for one in np.argsort(-gain / changes, kind="stable").tolist():
            if changes[one] <= left and gain[one] > 0:
                left -= int(changes[one])
                taken.append(parts[one])
        return np.sort(np.concatenate(taken))

    def _programme(
        self, asked: Int64, pairs: Int64, table: Table | None = None
    ) -> tuple[Solved, Table | None]:
        rest = None if table is None else table.gain
        sets = self.components.sets(asked)
        solved = solve_programme(
            self.problem, asked, sets, pairs, gain_of_rest=rest, limits=self.limits
        )
        return solved, table

    def _part(self, asked: Int64, found: tuple[Solved, Table | None]) -> tuple[Part, Int64]:
        (solved, table), concerned = found, asked
        if table is not None:
            concerned = np.concatenate([asked, self.menu.options])
        rows = self.components.rows(concerned)
        if solved.taken is None:
            return Part(rows, Status.KEPT, 0, solved.bound, solved.stop), asked[:0]
        chosen = asked[solved.taken]
        if table is not None:
            rest = self.menu.taken(table.entries(solved.spent))
            chosen = np.sort(np.concatenate([chosen, rest]))
        status = Status.BEST_FOUND if solved.stop else Status.OPTIMAL
        return Part(rows, status, self._gain(chosen), solved.bound, solved.stop), chosen
