"""One artifact, two ways to ask it: whole batches and single rows, with the same bits."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Literal

import numpy as np
from numpy.typing import NDArray

from daybreak.errors import NotReady
from daybreak.registry.artifact import Artifact
from daybreak.registry.booster import open_booster

if TYPE_CHECKING:
    from daybreak.scoring.engines.twin import Twin

Float32 = NDArray[np.float32]

log = logging.getLogger(__name__)


class Predictor:
    """Margins of an artifact: float32 (m, F) features in manifest order to float32 (m, K).

    ``threads``: of ``batch``; 0 takes all cores. The twin is compiled and proven when ``engine``
    or ``single`` is first asked for, so that a batch job never pays for it.
    Raises ``InvalidBooster`` where the bytes are none.
    """

    def __init__(self, artifact: Artifact, threads: int = 0) -> None:
        self.artifact = artifact
        self._booster = open_booster(artifact)
        self._booster.set_param({"nthread": threads or None})

    def expect_features(self, names: Sequence[str]) -> None:
        """Check that the version was trained on the features that this code makes, in this order.

        Raises ``NotReady``: numbers in the wrong columns would give scores that look right.
        """
        listed = self.artifact.manifest.get("features", [])  # with their dtype, or names only
        trained = [each["name"] if isinstance(each, Mapping) else each for each in listed]
        if trained == list(names):
            return
        differing = sorted(set(trained) ^ set(names)) or ["their order"]
        raise NotReady(
            f"{self.artifact.model} {self.artifact.version} was trained on other features than "
            f"this code makes: {', '.join(differing)}.",
            remedy="Train a version with this code, or go back to the code that trained it.",
            model=self.artifact.model,
            version=self.artifact.version,
            features=differing,
        )

    @property
    def engine(self) -> Literal["twin", "booster"]:
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

    @cached_property
    def _twin(self) -> Twin | None:
        # ONNX Runtime costs a batch job 0.3 s and 60 MB that it has no use for.
        from daybreak.scoring.engines.twin import Twin, prove, read_forest  # noqa: PLC0415

        try:
            forest = read_forest(self._booster)
            twin = Twin(forest)
            fault = prove(twin, forest, self._booster)
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
