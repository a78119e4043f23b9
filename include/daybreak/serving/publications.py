"""What is published, held in memory with the artifact that made it."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from typing import Any

from daybreak.ledger.generations import Generation, published_generation
from daybreak.ledger.verdicts import Gate, gate_of
from daybreak.models.base import Model, Scorer
from daybreak.runtime import Runtime
from daybreak.scoring.engines.predictor import Predictor
from daybreak.scoring.snapshots import read_context
from daybreak.serving.held import Held
from daybreak.warehouse.engine import connect

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Publication:
    """A published generation and the very version that scored it.

    ``gate``: what the gate said of that version last.

    A request takes one of these and uses nothing else, so that its answer comes wholly from one
    generation, also while a publish flips the pointer.
    """

    generation: Generation
    predictor: Predictor
    scorer: Scorer
    gate: Gate

    @property
    def manifest(self) -> dict[str, Any]:
        """What the version says of itself."""
        return self.predictor.artifact.manifest


class Publications:
    """The newest publication of each model, at most ``settings.refresh_seconds`` old.

    While the warehouse is down the last one stays in force for ``settings.stale_seconds``.
    """

    def __init__(
        self,
        runtime: Runtime,
        models: Iterable[Model],
        *,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._runtime = runtime
        self._held = {
            model.name: Held(
                self._reader(model),
                refresh=runtime.settings.refresh_seconds,
                stale=runtime.settings.stale_seconds,
                monotonic=monotonic,
            )
            for model in models
        }

    def current(self, model: str) -> Publication:
        """Raises ``NotPublished``, ``ArtifactMissing``, ``ArtifactAltered``, ``NotReady``."""
        return self._held[model].get()

    def _reader(self, model: Model) -> Callable[[Publication | None], Publication]:
        def read(previous: Publication | None) -> Publication:
            with connect(self._runtime.engine) as conn:
                generation = published_generation(conn, model.name)
                gate = gate_of(conn, model.name, generation.version)
                if previous is not None and _same_inputs(previous.generation, generation):
                    return replace(previous, generation=generation, gate=gate)
                context = read_context(conn, model, generation.snapshot_id)
            if previous is not None and previous.generation.version == generation.version:
                predictor = previous.predictor
            else:
                predictor = self._load(model, generation.version)
            scorer = model.scorer(predictor.artifact, context, generation.business_date)
            return Publication(generation, predictor, scorer, gate)

        return read

    def _load(self, model: Model, version: str) -> Predictor:
        # One thread: a single row gains nothing from more, and workers share the cores.
        predictor = Predictor(self._runtime.registry.load(model.name, version), threads=1)
        predictor.expect_features(model.features())
        logger.info("serving %s %s by the %s", model.name, version, predictor.engine)
        return predictor


def _same_inputs(one: Generation, other: Generation) -> bool:
    """Whether both were scored by one version from one snapshot."""
    return one.version == other.version and one.snapshot_id == other.snapshot_id
