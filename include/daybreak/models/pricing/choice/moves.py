"""From prices to options: moves that are made together or not at all.

A move takes one price to one point. A group of one price, or of one step, ties moves of its members
to each other: all are made or none is, and where one of them is not admissible none is. What is
tied is one option; so a group costs no more than a single price to solve, and two groups that
share a member need nothing special.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from daybreak.models.pricing.choice.groups import Groups
from daybreak.models.pricing.choice.offers import Flags, Int64
from daybreak.models.pricing.choice.rails import Rails, Rule

THOUSANDTHS = 1000
MOST_VALUE = 1e10
"""Of one price: 30,000 of them, in thousandths, still add up within int64."""


@dataclass(frozen=True)
class Moves:
    """v moves, sorted by row and point: int64 (v,) each.

    ``gain``: of the objective over keeping, in thousandths, rounded half to even. ``step``: points
    of the ladder up or down; from a price off the ladder the next point is one step.
    """

    row: Int64
    point: Int64
    gain: Int64
    step: Int64

    def __len__(self) -> int:
        return len(self.row)


@dataclass(frozen=True)
class Options:
    """c options, in the order of their first moves.

    ``gain``, ``changes``, ``distance`` (steps, all added up): int64 (c,). ``of_move``: the option
    of each move, -1 of those that cannot be made. At most one option is taken of each set:
    ``in_set``, ``option``: int64 (s,), sorted; a set is a row, or n + a unit.
    """

    gain: Int64
    changes: Int64
    distance: Int64
    of_move: Int64
    in_set: Int64
    option: Int64

    def __len__(self) -> int:
        return len(self.gain)


@dataclass(frozen=True)
class Problem:
    """All that may be chosen, before the budget."""

    rails: Rails
    groups: Groups
    moves: Moves
    options: Options

    @classmethod
    def of(
        cls,
        rails: Rails,
        groups: Groups,
        values: NDArray[np.float64],
        keep: NDArray[np.float64],
        first: Int64 | None,
    ) -> Problem:
        """From what ``solve`` is given."""
        moves = moves_of(rails, values, keep, first)
        return cls(rails, groups, moves, options_of(moves, rails, groups))


def moves_of(
    rails: Rails, values: NDArray[np.float64], keep: NDArray[np.float64], first: Int64 | None
) -> Moves:
    """All admissible moves that have a value. ``first``: the point of column 0 of each row of
    ``values``; None: the first of the ladder."""
    offset = np.zeros(len(keep), np.int64) if first is None else first
    low = np.maximum(rails.low, offset)
    high = np.minimum(rails.high, offset + values.shape[1] - 1)
    counts = np.where(has_value(keep) & (rails.kept == Rule.NONE), high - low + 1, 0)
    counts = np.maximum(counts, 0)
    row = np.repeat(np.arange(len(keep)), counts)
    ends = np.cumsum(counts)
    point = np.arange(len(row)) - np.repeat(ends - counts, counts) + low[row]
    value = values[row, point - offset[row]]
    wanted = has_value(value) & (point != rails.at[row])
    row, point, value = row[wanted], point[wanted], value[wanted]
    gain = _thousandths(value) - _thousandths(keep[row])
    below = np.searchsorted(rails.points, rails.price, "right") - 1
    above = np.searchsorted(rails.points, rails.price)
    up = rails.points[point] > rails.price[row]
    return Moves(row, point, gain, point - np.where(up, below[row], above[row]))


def has_value(values: NDArray[np.float64]) -> Flags:
    """Which of them are values of the objective."""
    with np.errstate(invalid="ignore"):
        return np.abs(values) <= MOST_VALUE  # NaN is not


def _thousandths(values: NDArray[np.float64]) -> Int64:
    return np.rint(values * THOUSANDTHS).astype(np.int64)


def options_of(moves: Moves, rails: Rails, groups: Groups) -> Options:
    """Tie the moves of groups to each other."""
    n, count = len(rails.price), len(moves)
    move, unit, hub, hub_unit, complete = _ties(moves, rails, groups)
    edges = coo_array(
        (np.ones(len(move), np.int8), (move, count + hub)), (count + len(hub_unit),) * 2
    )
    label = connected_components(edges, directed=False)[1].astype(np.int64)
    dead = np.zeros(len(label), bool)  # by label
    dead[label[count:][~complete]] = True
    # Two moves of one group, or of one price in it, cannot be made together.
    dead[_twice(label[count:], hub_unit)] = True
    alive = np.flatnonzero(~dead[label[:count]])
    first, option = np.unique(label[alive], return_index=True, return_inverse=True)[1:]
    order = np.argsort(np.argsort(first))  # numbered by their first moves
    of_move = np.full(count, -1, np.int64)
    of_move[alive] = order[option] if len(alive) else 0
    made = of_move[alive]
    gain, distance = (np.zeros(len(first), np.int64) for _ in range(2))
    np.add.at(gain, made, moves.gain[alive])
    np.add.at(distance, made, np.abs(moves.step[alive]))
    changes = np.bincount(made, minlength=len(first)).astype(np.int64)
    tied = of_move[move] >= 0
    sets = np.concatenate([moves.row[alive], n + unit[tied]])
    in_set, option = _pairs(sets, np.concatenate([made, of_move[move[tied]]]))[0]
    return Options(gain, changes, distance, of_move, in_set, option)


def _ties(moves: Moves, rails: Rails, groups: Groups) -> tuple[Int64, Int64, Int64, Int64, Flags]:
    """What ties moves: a hub for each unit and each point (or step) of it.

    Returns for each (move, unit) the move, the unit and the hub, then for each hub its unit and
    whether every member that has to move there can.
    """
    span = 2 * len(rails.points) + 1
    by_row = np.argsort(groups.row, kind="stable")
    starts = np.searchsorted(groups.row[by_row], moves.row)
    counts = np.searchsorted(groups.row[by_row], moves.row, "right") - starts
    move = np.repeat(np.arange(len(moves)), counts)
    place = np.arange(len(move)) - np.repeat(np.cumsum(counts) - counts, counts) + starts[move]
    unit = groups.unit[by_row[place]]
    key = np.where(groups.same_price[unit], moves.point[move], moves.step[move] + len(rails.points))
    hubs, hub, members = np.unique(unit * span + key, return_inverse=True, return_counts=True)
    hub_unit = hubs // span
    # Of one price: those that stand there already need not move.
    at = rails.at[groups.row]
    there = groups.same_price[groups.unit] & (at >= 0)
    standing = np.sort(groups.unit[there] * span + at[there])
    members += np.searchsorted(standing, hubs, "right") - np.searchsorted(standing, hubs)
    complete = members == np.bincount(groups.unit, minlength=groups.units)[hub_unit]
    return move, unit, hub, hub_unit, complete


def _twice(label: Int64, within: Int64) -> Int64:
    """Labels that have two of the same ``within``."""
    (first, _), counts = _pairs(label, within)
    return first[counts > 1]


def _pairs(first: Int64, second: Int64) -> tuple[tuple[Int64, Int64], Int64]:
    """Each pair once, sorted, and how often it is there."""
    base = int(second.max(initial=0)) + 1
    both, counts = np.unique(first * base + second, return_counts=True)
    return (both // base, both % base), counts
