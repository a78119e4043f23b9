"""Baselines as versions: lists by one source, for a version without trees.

A data set whose first versions are refused, or that has too little history to learn from, has one
of these in force (`learn/untrained.py`).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from daybreak.models.base import Float32
from daybreak.models.baselines import of_manifest
from daybreak.models.recommendations.features.assemble import FEATURES
from daybreak.models.recommendations.features.topn import MOST_COLUMNS

POPULAR = "popularity"
FORMULAS = {POPULAR: "popular", "repeat": "repeat", "bm25": "bm25"}
"""By the name of the baseline, the source that it lists by."""


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
