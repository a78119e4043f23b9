"""A mixed-integer programme for options that rules hold together, solved by HiGHS.

Binary variables: which options are taken. Rows: at most one of each set; the order of two prices,
by one row for each price t that the second may have, [first > t] <= [second > t], by which the
linear relaxation of a chain of prices has whole corners; the budget. Two prices that are out of
order now may both stay: a variable of their own allows it while neither moves.

HiGHS runs in one thread and is the same each time, as long as it is stopped by nodes and not by
seconds.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import Bounds, LinearConstraint, milp
from scipy.sparse import coo_array, csr_array

from daybreak.models.pricing.choice.moves import Options, Problem
from daybreak.models.pricing.choice.offers import Flags, Int64
from daybreak.models.pricing.choice.stop import Stop

_OPTIMAL, _OUT_OF_TIME = 0, 1
_STOPS = {_OPTIMAL: Stop.NONE, _OUT_OF_TIME: Stop.SECONDS}
"""By status of SciPy, which has no number of its own for a limit of nodes."""
_RESOLVED = 1e-6
"""What HiGHS can tell apart in an objective."""


@dataclass(frozen=True)
class Limits:
    """When to stop: ``nodes`` of each programme, ``seconds`` of all of them together.

    Seconds depend on the machine: they are for the night that would not end, nodes for all others.
    ``cells``: a component whose tables have no more than these is solved without a programme.
    """

    nodes: int = 1_000
    cells: int = 20_000_000
    seconds: float = 60.0
    began: float = field(default_factory=time.monotonic)

    @property
    def left(self) -> float:
        """Seconds."""
        return max(0.0, self.began + self.seconds - time.monotonic())


@dataclass(frozen=True)
class Solved:
    """``taken``: of the options asked about, bool; None where nothing was found in time.
    ``spent``: changes left to the rest. ``bound``: no choice gains more, the rest included, in
    thousandths. ``stop``: what ended the search before that was reached, if anything."""

    taken: Flags | None
    spent: int
    bound: float
    stop: Stop


@dataclass
class _Rows:
    """The rows of a matrix while they are collected: each at most its ``most``."""

    row: list[Int64] = field(default_factory=list)
    column: list[Int64] = field(default_factory=list)
    value: list[Int64] = field(default_factory=list)
    most: list[int] = field(default_factory=list)

    def add(self, columns: Int64, values: Int64 | int, most: int) -> None:
        """``values`` times what is in ``columns`` is at most ``most``."""
        self.row.append(np.full(len(columns), len(self.most)))
        self.column.append(columns)
        self.value.append(np.broadcast_to(values, len(columns)))
        self.most.append(most)

    def hold(self, x: Int64) -> bool:
        """Whether ``x`` keeps all of them."""
        return bool((self.matrix(len(x)) @ x <= np.array(self.most)).all())

    def matrix(self, columns: int) -> csr_array:
        """All of them; what stands twice in a row is added up."""
        nothing = np.empty(0, np.int64)
        parts = (self.value, self.row, self.column)
        value, row, column = (np.concatenate([nothing, *part]) for part in parts)
        return csr_array(coo_array((value, (row, column)), (len(self.most), columns)))


def solve_programme(
    problem: Problem,
    asked: Int64,
    sets: tuple[Int64, Int64],
    pairs: Int64,
    *,
    gain_of_rest: Int64 | None = None,
    limits: Limits,
) -> Solved:
    """Which of the ``asked`` options, sorted, to take for the greatest gain.

    ``sets``: those of ``Options.in_set`` and ``option`` that are about them. ``pairs``: the rows
    of ``Groups.pairs`` among their prices. ``gain_of_rest``: where there is a budget, what all
    other prices gain by exactly 0, 1 … of its changes, int64 (budget + 1,).

    Between choices of equal gain the one with fewer changes, then with the shorter distance is
    taken, as far as HiGHS can tell.
    """
    rails, options = problem.rails, problem.options
    rows = _Rows()
    _at_most_one(rows, sets[0], np.searchsorted(asked, sets[1]))
    violated = rails.price[pairs[:, 0]] > rails.price[pairs[:, 1]]
    stay = np.where(violated, len(asked) + np.cumsum(violated) - 1, -1)
    _in_order(rows, _Tied(problem, asked), pairs, stay)
    rest = _worth_considering(gain_of_rest)
    columns = len(asked) + int(violated.sum())
    if gain_of_rest is not None:
        of_rest = columns + np.arange(len(rest))
        rows.add(of_rest, 1, 1)
        used = np.concatenate([options.changes[asked], rest])
        rows.add(np.append(np.arange(len(asked)), of_rest), used, len(gain_of_rest) - 1)
        gains = np.concatenate([options.gain[asked], gain_of_rest[rest]])
    else:
        gains = options.gain[asked]
    whole = np.zeros(columns + len(rest), np.int64)
    whole[: len(asked)], whole[columns:] = 1, 1
    costs = np.zeros(len(whole))
    costs[whole == 1] = _penalty(options, asked, rest) - gains
    if limits.left == 0:
        return Solved(None, 0, _upper(gains, None), Stop.SECONDS)
    found = _milp(costs, whole, rows, limits)
    stop = _STOPS.get(found.status, Stop.NODES)
    bound = _upper(gains, found.mip_dual_bound)
    x = None if found.x is None else np.rint(found.x).astype(np.int64)
    # In whole numbers again, as HiGHS is content with a millionth; and what was found early may
    # be worse than to stay.
    if x is None or not rows.hold(x) or (gain := float(gains @ x[whole == 1])) < 0:
        return Solved(None, 0, bound, stop)
    taken, spent = x[: len(asked)] == 1, int(rest @ x[columns:])
    return Solved(taken, spent, max(bound, gain), stop)


def _milp(costs: NDArray[np.float64], whole: Int64, rows: _Rows, limits: Limits) -> Any:
    matrix, most = rows.matrix(len(costs)), np.array(rows.most, float)
    return milp(
        costs,
        integrality=whole,
        bounds=Bounds(0, 1),
        constraints=LinearConstraint(matrix.astype(float), -np.inf, most),
        options={
            "node_limit": limits.nodes,
            "time_limit": limits.left,
            "mip_rel_gap": 0.0,
        },
    )


def _worth_considering(gain: Int64 | None) -> Int64:
    """Numbers of changes, from 1 on, that gain more than any smaller one."""
    if gain is None:
        return np.empty(0, np.int64)
    return 1 + np.flatnonzero(gain[1:] > np.maximum.accumulate(gain)[:-1])


def _penalty(options: Options, asked: Int64, rest: Int64) -> NDArray[np.float64]:
    """Less than one thousandth in all: for each change, and far less for each step of it."""
    changes = np.concatenate([options.changes[asked], rest])
    distance = np.concatenate([options.distance[asked], np.zeros(len(rest), np.int64)])
    most_changes = int(options.changes[asked].sum()) + int(rest.max(initial=0)) + 1
    most_distance = int(distance.sum()) + 1
    finest = 0.5 / (most_changes * most_distance)
    if finest >= 10 * _RESOLVED:
        return np.asarray(finest * (changes * most_distance + distance), np.float64)
    return np.asarray(0.5 / most_changes * changes, np.float64)


def _upper(gains: Int64, dual: float | None) -> float:
    """An upper bound of the gain in thousandths, from the dual bound of what was minimised."""
    all_of_them = float(gains.clip(0).sum())
    if dual is None or not np.isfinite(dual):
        return all_of_them
    return min(all_of_them, float(np.floor(-dual + 0.5 + _RESOLVED)))


def _at_most_one(rows: _Rows, in_set: Int64, columns: Int64) -> None:
    """Of each set with two or more."""
    starts = np.flatnonzero(np.diff(in_set, prepend=-1))
    seen: set[bytes] = set()
    for one in np.split(columns, starts[1:]):
        if len(one) > 1 and (key := one.tobytes()) not in seen:
            seen.add(key)
            rows.add(one, 1, 1)


@dataclass(frozen=True)
class _Tied:
    """Which columns move a price, and where to."""

    problem: Problem
    asked: Int64

    def of(self, row: int) -> tuple[Int64, Int64]:
        """Columns of a price, and the points in minor units that they take it to."""
        moves, points = self.problem.moves, self.problem.rails.points
        here = slice(*np.searchsorted(moves.row, [row, row + 1]))
        option = self.problem.options.of_move[here]
        columns = np.minimum(np.searchsorted(self.asked, option), len(self.asked) - 1)
        made = self.asked[columns] == option
        return columns[made], points[moves.point[here][made]]


def _in_order(rows: _Rows, tied: _Tied, pairs: Int64, stay: Int64) -> None:
    """``stay``: of each pair, where it is out of order now, the column that says that both stay,
    else -1."""
    prices = tied.problem.rails.price
    for (first, second), both in zip(pairs.tolist(), stay.tolist(), strict=True):
        (columns_1, to_1), (columns_2, to_2) = tied.of(first), tied.of(second)
        price_1, price_2 = (int(prices[row]) for row in (first, second))
        columns = np.concatenate([columns_1, columns_2])
        for limit in np.unique([price_2, *to_2.tolist()]):
            now_1, now_2 = int(price_1 > limit), int(price_2 > limit)
            # What each move changes of being above the limit.
            values = np.concatenate([(to_1 > limit) - now_1, now_2 - (to_2 > limit)])
            most = now_2 - now_1
            used = values != 0
            if most < 0:
                rows.add(np.append(columns[used], both), np.append(values[used], -1), most)
            elif values.clip(0).sum() > most:
                rows.add(columns[used], values[used], most)
        if both >= 0:
            rows.add(np.append(columns_1, both), 1, 1)
            rows.add(np.append(columns_2, both), 1, 1)
