"""What each feature adds along the paths of a row, by the runtime of the twin.

A leaf is reached by one path, and by how much the mean changes at each of its splits is known
before: so a leaf adds to each feature of its path what that feature changed (Saabas, Interpreting
random forests, 2014). XGBoost has the same as ``approx_contribs``, ten times as slow for one row.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from daybreak.scoring.engines.twin import Forest, Targets, Tree, session_of, tree_graph
from daybreak.types import Float32

Floats = NDArray[np.float64]


class Paths:
    """Of the trees of a booster with one margin."""

    def __init__(self, forest: Forest) -> None:
        means = [_means(tree) for tree in forest.trees]
        targets = [
            _targets(number, tree, of_tree)
            for number, (tree, of_tree) in enumerate(zip(forest.trees, means, strict=True))
        ]
        columns = (np.concatenate(column) for column in zip(*targets, strict=True))
        tree, leaf, output, weight = columns
        graph = tree_graph(
            forest,
            Targets(tree, leaf, output, weight.astype(np.float32)),
            forest.features,
        )
        self._session = session_of(graph)
        self._base = np.float32(sum(of_tree[0] for of_tree in means))

    def contributions(self, X: Float32) -> Float32:
        """Float32 (m, 1, F + 1); the last one is the mean of all trees."""
        added: Float32 = self._session.run(None, {"X": X})[0]
        base = np.full((len(X), 1), self._base, np.float32)
        return np.concatenate([added, base], axis=1)[:, None]


def _means(tree: Tree) -> Floats:
    """Of each node, the mean of its leaves by their cover."""
    place = {node: n for n, node in enumerate(tree.node.tolist())}
    found = np.where(tree.is_leaf, tree.value, 0).astype(np.float64)
    cover = tree.cover.astype(np.float64)
    for n in reversed(range(len(found))):  # children stand behind their parent
        if not tree.is_leaf[n]:
            left, right = place[int(tree.left[n])], place[int(tree.right[n])]
            both = cover[left] + cover[right]
            part = cover[left] / both if both else 0.5
            found[n] = found[left] * part + found[right] * (1 - part)
    return found


def _targets(
    number: int, tree: Tree, means: Floats
) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64], Floats]:
    place = {node: n for n, node in enumerate(tree.node.tolist())}
    added: list[dict[int, float]] = [{} for _ in tree.node]
    rows: list[tuple[int, int, float]] = []
    for n, node in enumerate(tree.node.tolist()):
        if tree.is_leaf[n]:
            rows += [(node, feature, weight) for feature, weight in added[n].items()]
            continue
        feature = int(tree.feature[n])
        for child in (place[int(tree.left[n])], place[int(tree.right[n])]):
            change = float(means[child] - means[n])
            added[child] = {**added[n], feature: added[n].get(feature, 0.0) + change}
    leaf, output, weight = zip(*rows, strict=True) if rows else ((), (), ())
    return (
        np.full(len(rows), number),
        np.array(leaf, np.int64),
        np.array(output, np.int64),
        np.array(weight, np.float64),
    )
