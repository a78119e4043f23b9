"""What orders a list: the margins of trees, a formula, or both, by how long a user's history is.

A data set whose first versions are refused, or that has too little history to learn from, has a
version in force that lists by one source (`learn/untrained.py`). Of a version with trees, users of
little history can get lists in which a source has a say (`learn/guard.py`).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from daybreak.models.base import Float32
from daybreak.models.baselines import of_manifest
from daybreak.models.recommendations.features.assemble import FEATURES
from daybreak.models.recommendations.features.cells import row_numbers
from daybreak.models.recommendations.features.topn import MOST_COLUMNS

POPULAR = "popularity"
FORMULAS = {POPULAR: "popular", "repeat": "repeat", "bm25": "bm25"}
"""By the name of the baseline, the source that it lists by."""

GUARD = "guard"
"""In a manifest: ``{a name of HISTORIES: {"baseline": a formula, "trees": a share}}``."""
HISTORIES = {"none": 0, "1 day": 1, "2-5 days": 2, "more": 6}
"""The least days with a purchase, by the name of a class of users."""
_BEGIN = np.array([*HISTORIES.values()][1:])
FIRST_RANKS = np.float32(60)
"""How slowly the say of a rank falls, as in Cormack et al., Reciprocal rank fusion (2009)."""


def scores_of(
    margins: Float32, features: Float32, offsets: NDArray[np.int64], manifest: Mapping[str, Any]
) -> Float32:
    """What lists are ordered by, float32 (m,), a higher one first.

    ``margins`` (m, 1), or (m, 0) of a version without trees, which is its formula. ``features``
    (m, len(FEATURES)), list by list; those of list i are rows ``offsets[i]`` to ``offsets[i + 1]``.
    A list for a session is that of the trees: formulas do not know sessions. Raises
    ``ArtifactAltered`` where the manifest names no baseline.
    """
    if not margins.shape[1]:
        return margins_of(features, manifest)[:, 0]
    trees = margins[:, 0]
    guard = {name: of for name, of in manifest.get(GUARD, {}).items() if of["trees"] < 1}
    if not guard:
        return trees
    scores = trees.copy()
    held = histories_of(features)
    held[~np.isnan(features[:, FEATURES.index("session_items")])] = -1
    listed = row_numbers(offsets)
    for number, name in enumerate(HISTORIES):
        rows = np.flatnonzero(held == number)
        if name in guard and len(rows):
            share = np.float32(guard[name]["trees"])
            formula = margins_of(features[rows], guard[name])[:, 0]
            of_trees = _by_rank(trees[rows], listed[rows])
            of_formula = _by_rank(formula, listed[rows])
            scores[rows] = share * of_trees + (np.float32(1) - share) * of_formula
    return scores


def histories_of(features: Float32) -> NDArray[np.int64]:
    """Of each candidate, the place of its user in ``HISTORIES``, (m,)."""
    visits = features[:, FEATURES.index("user_visits")]
    return np.searchsorted(_BEGIN, visits, side="right").astype(np.int64)


def margins_of(features: Float32, manifest: Mapping[str, Any]) -> Float32:
    """Minus the rank by the source, float32 (m, 1), for features (m, len(FEATURES)).

    What the source does not name follows by popularity. Raises ``ArtifactAltered`` where the
    manifest names no baseline.
    """
    name = of_manifest(manifest, FORMULAS)
    rank, popular = (
        features[:, FEATURES.index(f"rank_{source}")] for source in (FORMULAS[name], "popular")
    )
    return -np.where(np.isnan(rank), MOST_COLUMNS + popular, rank)[:, None]


def _by_rank(scores: Float32, listed: NDArray[np.int64]) -> Float32:
    """1 / (60 + the rank of each score in its list), from 1; ``listed`` ascends."""
    order = np.lexsort((-scores, listed))  # stable: equals in order of item
    rank = np.empty(len(scores), np.float32)
    rank[order] = np.arange(1, len(scores) + 1) - np.searchsorted(listed, listed)
    return np.float32(1) / (FIRST_RANKS + rank)
