"""The version in force of each model, cached with the engine that scores it."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from typing import Any

from sqlalchemy import Connection

from daybreak.ledger.champions import champion_at
from daybreak.ledger.generations import Generation, published_generation
from daybreak.ledger.verdicts import Gate, gate_of
from daybreak.models.base import AnyModel, Day, Scorer
from daybreak.runtime import Runtime
from daybreak.scoring.engines.engine import Engine, expect_features
from daybreak.scoring.engines.opening import open_engine
from daybreak.scoring.snapshots import read_day
from daybreak.serving.held import Held
from daybreak.warehouse.engine import connect

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Publication:
    """The version that answers, and the published generation that it answers from.

    ``generation``: None for a model that is not scored nightly; its champion answers. ``gate``:
    what the gate said of the version last.

    A request takes one of these and uses nothing else, so that its answer comes wholly from one
    generation, also while a publish flips the pointer.
    """

    version: str
    generation: Generation | None
    engine: Engine
    scorer: Scorer
    gate: Gate

    @property
    def manifest(self) -> dict[str, Any]:
        """The manifest of the version."""
        return self.engine.artifact.manifest


class Publications:
    """The version in force of each model, at most ``settings.refresh_seconds`` old.

    While the warehouse is down the last one stays in force for ``settings.stale_seconds``.
    """

    def __init__(
        self,
        runtime: Runtime,
        models: Iterable[AnyModel],
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
        """Raises ``NotPublished``, ``NoChampion``, ``ArtifactMissing``, ``ArtifactAltered`` or
        ``NotReady``."""
        return self._held[model].get()

    def published(self, model: str) -> Generation:
        """The generation that a model which is scored nightly answers from. Raises as above."""
        generation = self.current(model).generation
        if generation is None:
            raise TypeError(f"{model} is not scored nightly")
        return generation

    def _reader(self, model: AnyModel) -> Callable[[Publication | None], Publication]:
        def read(previous: Publication | None) -> Publication:
            with connect(self._runtime.engine) as conn:
                generation = published_generation(conn, model.name) if model.nightly else None
                version = self._version(conn, model, generation)
                gate = gate_of(conn, model.name, version)
                if previous is not None and _same_inputs(previous, version, generation):
                    return replace(previous, generation=generation, gate=gate)
                day = Day()
                if generation is not None:
                    day = read_day(conn, model, generation.snapshot_id)
            if previous is not None and previous.version == version:
                engine = previous.engine
            else:
                engine = self._load(model, version)
            return Publication(
                version, generation, engine, model.scorer(engine.artifact, day), gate
            )

        return read

    def _version(self, conn: Connection, model: AnyModel, generation: Generation | None) -> str:
        if generation is not None:
            return generation.version
        return champion_at(conn, model.name, self._runtime.clock())

    def _load(self, model: AnyModel, version: str) -> Engine:
        # One thread: a single row gains nothing from more, and workers share the cores.
        artifact = self._runtime.registry.load(model.name, version)
        expect_features(artifact, model.features_of(artifact.manifest))
        engine = open_engine(artifact, threads=1)
        logger.info("serving %s %s by the %s", model.name, version, engine.name)
        return engine


def _same_inputs(previous: Publication, version: str, generation: Generation | None) -> bool:
    """Whether both are of one version, on one snapshot."""
    if previous.version != version:
        return False
    if previous.generation is None or generation is None:
        return previous.generation is generation
    return previous.generation.snapshot_id == generation.snapshot_id
