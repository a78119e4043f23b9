"""How trees and a formula order one list together."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from daybreak.errors import ArtifactAltered
from daybreak.models.base import Float32
from daybreak.models.recommendations.features.assemble import FEATURES
from daybreak.models.recommendations.formulas import HISTORIES, margins_of, scores_of

VISITS = (0, 1, 2, 5, 6, 40)
SIZE = 7


@pytest.fixture
def lists() -> tuple[Float32, Float32, np.ndarray]:
    """Margins, features and offsets of a list of seven candidates for each of ``VISITS``."""
    rng = np.random.default_rng(0)
    count = SIZE * len(VISITS)
    features = np.full((count, len(FEATURES)), np.nan, np.float32)
    features[:, FEATURES.index("user_visits")] = np.repeat(VISITS, SIZE)
    for source in ("popular", "bm25"):
        rank = np.concatenate([1 + rng.permutation(SIZE) for _ in VISITS])
        features[:, FEATURES.index(f"rank_{source}")] = rank
    features[rng.random(count) < 0.3, FEATURES.index("rank_bm25")] = np.nan
    margins = np.round(rng.normal(size=(count, 1)), 1).astype(np.float32)
    return margins, features, np.arange(len(VISITS) + 1) * SIZE


def guard(**of: tuple[str, float]) -> dict[str, Any]:
    names = dict(zip(("none", "one", "few", "more"), HISTORIES, strict=True))
    return {
        "guard": {
            names[key]: {"baseline": name, "trees": share} for key, (name, share) in of.items()
        }
    }


def test_trees_alone_are_their_margins(lists: tuple[Float32, Float32, np.ndarray]) -> None:
    margins, features, offsets = lists
    for manifest in ({}, guard(none=("popularity", 1.0), more=("bm25", 1.0))):
        assert scores_of(margins, features, offsets, manifest).tobytes() == margins.tobytes()


def test_a_version_without_trees_is_its_formula(
    lists: tuple[Float32, Float32, np.ndarray],
) -> None:
    _, features, offsets = lists
    nothing = np.empty((len(features), 0), np.float32)
    found = scores_of(nothing, features, offsets, {"baseline": "bm25"})
    assert found.tobytes() == margins_of(features, {"baseline": "bm25"}).tobytes()
    with pytest.raises(ArtifactAltered, match="names no baseline"):
        scores_of(nothing, features, offsets, {})


@pytest.mark.parametrize("share", [0.75, 0.5, 0.25, 0.0])
def test_ranks_are_mixed_by_loops(lists: tuple[Float32, Float32, np.ndarray], share: float) -> None:
    margins, features, offsets = lists
    manifest = guard(none=("popularity", share), few=("bm25", share))
    found = scores_of(margins, features, offsets, manifest)
    for user, visits in enumerate(VISITS):
        rows = range(offsets[user], offsets[user + 1])
        if visits in {1, 6, 40}:
            assert found[rows].tobytes() == margins[rows].tobytes()
            continue
        formula = margins_of(features, {"baseline": "bm25" if visits else "popularity"})
        by_trees = sorted(rows, key=lambda row: (-margins[row, 0], row))
        by_formula = sorted(rows, key=lambda row: (-formula[row, 0], row))
        for row in rows:
            wanted = share / (61 + by_trees.index(row))
            wanted += (1 - share) / (61 + by_formula.index(row))
            assert found[row] == pytest.approx(wanted, rel=1e-6)


def test_a_list_has_the_same_bits_alone_and_among_others(
    lists: tuple[Float32, Float32, np.ndarray],
) -> None:
    margins, features, offsets = lists
    manifest = guard(none=("popularity", 0.25), one=("bm25", 0.5), more=("bm25", 0.0))
    together = scores_of(margins, features, offsets, manifest)
    assert together.dtype == np.float32
    for user in range(len(VISITS)):
        mine = slice(offsets[user], offsets[user + 1])
        alone = scores_of(margins[mine], features[mine], np.array([0, SIZE]), manifest)
        assert alone.tobytes() == together[mine].tobytes()


def test_a_list_for_a_session_is_that_of_the_trees(
    lists: tuple[Float32, Float32, np.ndarray],
) -> None:
    margins, features, offsets = lists
    features[:SIZE, FEATURES.index("session_items")] = 2
    manifest = guard(none=("popularity", 0.0), one=("popularity", 0.0))
    found = scores_of(margins, features, offsets, manifest)
    assert found[:SIZE].tobytes() == margins[:SIZE].tobytes()
    assert found[SIZE : 2 * SIZE].tobytes() != margins[SIZE : 2 * SIZE].tobytes()
