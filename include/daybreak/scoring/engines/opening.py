"""Which engine a version is scored by."""

from __future__ import annotations

from daybreak.registry.artifact import Artifact
from daybreak.scoring.engines.engine import Engine
from daybreak.scoring.engines.formula import Formula


def open_engine(artifact: Artifact, threads: int = 0) -> Engine:
    """The engine that the manifest names. ``threads``: of a batch; 0 takes all cores.

    Raises ``InvalidBooster``.
    """
    if artifact.engine == "none":
        return Formula(artifact)
    from daybreak.scoring.engines.predictor import Predictor  # noqa: PLC0415 - only trees need it

    return Predictor(artifact, threads)
