"""The engine of a version that has no trees: what its scorer computes is the answer."""

from __future__ import annotations

import numpy as np

from daybreak.registry.artifact import Artifact
from daybreak.scoring.engines.engine import EngineName
from daybreak.types import Float32


class Formula:
    """Implements ``Engine``: no margins for any row."""

    def __init__(self, artifact: Artifact) -> None:
        self.artifact = artifact

    @property
    def name(self) -> EngineName:
        """``none``."""
        return "none"

    def batch(self, X: Float32) -> Float32:
        """Float32 (m, 0)."""
        return np.empty((len(X), 0), np.float32)

    single = batch

    def contributions(self, X: Float32) -> Float32:
        """Float32 (m, 0, F + 1)."""
        return np.empty((len(X), 0, X.shape[1] + 1), np.float32)

    path_contributions = contributions
