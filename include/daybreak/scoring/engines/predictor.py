"""One artifact for whole batches and single rows, with the same bits."""

from __future__ import annotations

import logging
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
from xgboost import DMatrix

from daybreak.registry.artifact import Artifact
from daybreak.registry.booster import open_booster
from daybreak.scoring.engines.engine import EngineName
from daybreak.scoring.engines.golden import rows_of
from daybreak.types import Float32

if TYPE_CHECKING:
    from daybreak.scoring.engines.paths import Paths
    from daybreak.scoring.engines.twin import Twin

log = logging.getLogger(__name__)


class Predictor:
    """Implements ``Engine`` for trees: float32 (m, F) features in manifest order to (m, K).

    ``threads``: of ``batch``; 0 takes all cores. The twin is compiled and proven when ``name``
    or ``single`` is first asked for, so that a batch job never pays for it.
    Raises ``InvalidBooster`` where the bytes are not a booster.
    """

    def __init__(self, artifact: Artifact, threads: int = 0) -> None:
        self.artifact = artifact
        self._booster = open_booster(artifact)
        self._booster.set_param({"nthread": threads or None})

    @property
    def name(self) -> EngineName:
        """What answers ``single``: the twin where it is proven equal, else the booster."""
        return "booster" if self._twin is None else "twin"

    def batch(self, X: Float32) -> Float32:
        """Margins of many rows."""
        margins: Float32 = self._booster.inplace_predict(
            X, predict_type="margin", strict_shape=True
        )
        # XGBoost forgets the second axis of no rows. -0 becomes 0, see twin.unsigned_zero.
        return margins.reshape(len(X), -1 if len(X) else 1) + np.float32(0)

    def single(self, X: Float32) -> Float32:
        """Margins of a few rows, in microseconds: bit for bit those of ``batch``."""
        return self.batch(X) if self._twin is None else self._twin.margins(X)

    def contributions(self, X: Float32) -> Float32:
        """By TreeSHAP (Lundberg et al., From local explanations to global understanding with
        explainable AI for trees, 2020), which XGBoost implements."""
        return self._contributions(X, by_path=False)

    def path_contributions(self, X: Float32) -> Float32:
        """By how much the mean of a node is that of its child (Saabas, Interpreting random forests,
        2014). What it says of features that a tree splits by early is weaker than what TreeSHAP
        says."""
        if self._paths is None:
            return self._contributions(X, by_path=True)
        return self._paths.contributions(X)

    def _contributions(self, X: Float32, *, by_path: bool) -> Float32:
        found: Float32 = self._booster.predict(
            DMatrix(X),
            pred_contribs=True,
            approx_contribs=by_path,
            strict_shape=True,
            validate_features=False,
        )
        return found

    @cached_property
    def _paths(self) -> Paths | None:
        from daybreak.scoring.engines.paths import Paths  # noqa: PLC0415
        from daybreak.scoring.engines.twin import read_forest  # noqa: PLC0415

        if self._twin is None:
            return None
        try:
            forest = read_forest(self._booster)
            return Paths(forest) if forest.outputs == 1 else None
        except Exception as error:  # the booster can say the same
            log.warning("%s has no paths: %s", self.artifact.version, error)
            return None

    @cached_property
    def _twin(self) -> Twin | None:
        # ONNX Runtime costs a batch job 0.3 s and 60 MB that it has no use for.
        from daybreak.scoring.engines.twin import Twin, prove, read_forest  # noqa: PLC0415

        try:
            forest = read_forest(self._booster)
            twin = Twin(forest)
            fault = prove(twin, forest, self._booster, rows_of(self.artifact))
        except Exception as error:
            # The twin is an optimisation: whatever is wrong with it, the booster can answer.
            fault = f"{type(error).__name__}: {error}"
        if not fault:
            return twin
        log.warning(
            "%s %s is served by the booster, not by its twin: %s.",
            self.artifact.model,
            self.artifact.version,
            fault,
        )
        return None
