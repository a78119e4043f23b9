"""The menu of a component whose prices are in order: exact, without a programme.

Options fall into atoms, of each of which at most one is taken: a price, or a group. Where the
orders between atoms form a tree, as a family of sizes does, the best choice for each number of
changes follows from the leaves to the root: for each state of an atom, and each number of changes
below it, the best state of each child that its order allows (dynamic programming on a tree).
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from daybreak.models.pricing.choice.components import Components, firsts
from daybreak.models.pricing.choice.knapsack import NOTHING, scale_of
from daybreak.models.pricing.choice.menus import Menu, more_than_before
from daybreak.models.pricing.choice.moves import Problem
from daybreak.models.pricing.choice.offers import Flags, Int64


@dataclass
class _Atom:
    """State 0 is that all of it stays, state i that option i - 1 is taken. ``worth``, ``changes``:
    int64 (s,). ``allowed``: bool (s,), by the order within it and with prices that cannot move.
    ``best``: int64 (s, b + 1), with all below it; ``children``: with what was chosen there."""

    options: Int64
    worth: Int64
    changes: Int64
    allowed: Flags
    best: Int64 = field(init=False)
    children: list[tuple[int, Int64, Int64]] = field(default_factory=list)

    def begin(self) -> None:
        """Alone, before its children are joined."""
        self.best = np.full((len(self.worth), int(self.changes.max()) + 1), NOTHING)
        states = np.flatnonzero(self.allowed)
        self.best[states, self.changes[states]] = self.worth[states]

    def join(self, number: int, child: _Atom, fits: Flags) -> None:
        """``fits``: bool (s, t), which of the child's states go with which of its own."""
        under = np.where(fits[:, :, None], child.best[None], NOTHING)
        state, under = under.argmax(axis=1), under.max(axis=1)
        own, more = self.best.shape[1], under.shape[1]
        whole = np.full((len(self.best), own + more - 1), NOTHING)
        spent = np.zeros(whole.shape, np.int64)
        for changes in range(min(own, more)):
            if own < more:  # the shorter one is gone through
                here = slice(changes, changes + more)
                tried, of_child = self.best[:, changes, None] + under, np.arange(more)
            else:
                here = slice(changes, changes + own)
                tried, of_child = self.best + under[:, changes, None], np.full(own, changes)
            better = tried > whole[:, here]
            whole[:, here] = np.where(better, tried, whole[:, here])
            spent[:, here] = np.where(better, of_child, spent[:, here])
        self.best = np.maximum(whole, NOTHING)
        self.children.append((number, state, spent))


def menu_of_tree(
    problem: Problem, components: Components, asked: Int64, pairs: Int64, most: int
) -> Menu | None:
    """Of one component: ``asked`` are its options, ``pairs`` its pairs (p, 2). None where it is no
    tree, or its tables would have more than ``most`` cells."""
    atoms = _atoms_of(problem, components, asked)
    if atoms is None:
        return None
    orders = _Orders(problem, components, asked, atoms)
    for first, second in pairs.tolist():
        orders.add(first, second)
    parent = _parents(len(atoms), orders.between)
    if parent is None or _cells(atoms) > most:
        return None
    stays = np.zeros(1, np.int64)
    root = _Atom(asked[:0], stays, stays, np.ones(1, bool))
    nodes = [*atoms, root]
    for node in nodes:
        node.begin()
    for number, above in reversed(parent):
        node = nodes[number]
        fits = np.ones((1, len(node.worth)), bool) if above == len(atoms) else None
        nodes[above].join(number, node, orders.of(above, number) if fits is None else fits)
    return _menu(problem, nodes, int(components.of[asked[0]]))


def _atoms_of(problem: Problem, components: Components, asked: Int64) -> list[_Atom] | None:
    """None where two sets have something in common and neither holds the other."""
    in_set, option = components.sets(asked)
    sets = sorted(np.split(option, firsts(in_set)[1:]), key=len, reverse=True)
    owner = np.full(len(asked), -1)
    found: list[Int64] = []
    for one in sets:
        place = np.searchsorted(asked, one)
        owners = np.unique(owner[place])
        if len(owners) > 1:
            return None
        if owners[0] < 0:
            owner[place] = len(found)
            found.append(one)
    options = problem.options
    scale = scale_of(options.gain[asked], options.distance[asked])
    return [
        _Atom(
            one,
            np.append(0, options.gain[one] * scale - (options.distance[one] if scale > 1 else 0)),
            np.append(0, options.changes[one]),
            np.ones(len(one) + 1, bool),
        )
        for one in found
    ]


class _Orders:
    """Which states of atoms go together."""

    def __init__(
        self, problem: Problem, components: Components, asked: Int64, atoms: list[_Atom]
    ) -> None:
        self._problem, self._atoms = problem, atoms
        self.between: dict[tuple[int, int], Flags] = {}
        self._prices: dict[int, tuple[int, Int64, Flags]] = {}
        of_option = {
            int(option): (number, state + 1)
            for number, atom in enumerate(atoms)
            for state, option in enumerate(atom.options.tolist())
        }
        moves, points = problem.moves, problem.rails.points
        for move in components.moves(asked).tolist():
            number, state = of_option[int(problem.options.of_move[move])]
            row = int(moves.row[move])
            if row not in self._prices:
                states = len(atoms[number].worth)
                price = np.full(states, problem.rails.price[row])
                self._prices[row] = number, price, np.zeros(states, bool)
            self._prices[row][1][state] = points[moves.point[move]]
            self._prices[row][2][state] = True

    def add(self, first: int, second: int) -> None:
        """The second price is not lower than the first, or both stay."""
        atom_1, price_1, moved_1 = self._of(first)
        atom_2, price_2, moved_2 = self._of(second)
        fits = (price_1[:, None] <= price_2) | ~(moved_1[:, None] | moved_2)
        if atom_1 == atom_2:
            self._atoms[atom_1].allowed &= fits.diagonal()
        elif atom_1 < 0:
            self._atoms[atom_2].allowed &= fits[0]
        elif atom_2 < 0:
            self._atoms[atom_1].allowed &= fits[:, 0]
        else:
            key, fits = ((atom_1, atom_2), fits) if atom_1 < atom_2 else ((atom_2, atom_1), fits.T)
            self.between[key] = self.between.get(key, True) & fits

    def of(self, one: int, other: int) -> Flags:
        """Which states go together: bool (states of one, of the other)."""
        return self.between[one, other] if one < other else self.between[other, one].T

    def _of(self, row: int) -> tuple[int, Int64, Flags]:
        fixed = -1, self._problem.rails.price[row : row + 1], np.zeros(1, bool)
        return self._prices.get(row, fixed)


def _parents(count: int, edges: dict[tuple[int, int], Flags]) -> list[tuple[int, int]] | None:
    """Each atom after its parent, with it; ``count`` stands for the root of all. None where there
    is a cycle."""
    beside: list[list[int]] = [[] for _ in range(count)]
    for one, other in edges:
        beside[one].append(other)
        beside[other].append(one)
    found: list[tuple[int, int]] = []
    seen: set[int] = set()
    roots = 0
    for start in range(count):
        if start in seen:
            continue
        roots += 1
        seen.add(start)
        waiting = [(start, count)]
        while waiting:
            number, above = waiting.pop()
            found.append((number, above))
            new = [other for other in beside[number] if other not in seen]
            seen.update(new)
            waiting += [(other, number) for other in new]
    return found if len(edges) == count - roots else None


def _cells(atoms: list[_Atom]) -> int:
    """An upper bound of all tables together."""
    changes = sum(int(atom.changes.max()) for atom in atoms) + 1
    states = [len(atom.worth) for atom in atoms]
    return changes * sum(states) * (1 + max(states))


def _menu(problem: Problem, nodes: list[_Atom], of: int) -> Menu:
    """From the table of the root, the last of the nodes."""
    options = problem.options
    chosen = [
        _chosen(nodes, changes)
        for changes, worth in enumerate(nodes[-1].best[0].tolist())
        if worth > 0
    ]

    def sums(values: Int64) -> Int64:
        return np.array([values[one].sum() for one in chosen], np.int64)

    start = np.append(0, np.cumsum([len(one) for one in chosen])).astype(np.int64)
    taken = np.concatenate([options.gain[:0], *chosen])
    menu = Menu(
        np.full(len(chosen), of),
        sums(options.changes),
        sums(options.gain),
        sums(options.distance),
        start,
        taken,
    )
    return menu.some(np.flatnonzero(more_than_before(menu.of, menu.gain)))


def _chosen(nodes: list[_Atom], changes: int) -> Int64:
    """The options of the best choice of so many changes, sorted."""
    taken = []
    waiting = [(len(nodes) - 1, 0, changes)]
    while waiting:
        number, state, left = waiting.pop()
        if state:
            taken.append(nodes[number].options[state - 1])
        for child, states, spent in reversed(nodes[number].children):
            below = int(spent[state, left])
            waiting.append((child, int(states[state, below]), below))
            left -= below
    return np.sort(np.array(taken, np.int64))
