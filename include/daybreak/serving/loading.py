"""Makes a version ready to answer: read, checked, and asked once before anybody does."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from sqlalchemy import Connection

from daybreak.errors import DaybreakError, NotReady
from daybreak.ledger.generations import Generation, State
from daybreak.ledger.upstream import basis_of
from daybreak.ledger.verdicts import gate_of
from daybreak.models.base import AnyModel, Day, Scorer
from daybreak.registry.artifact import Artifact
from daybreak.runtime import Runtime
from daybreak.scoring.batch import rows_of_a_night
from daybreak.scoring.engines.engine import Engine, expect_features, expect_options
from daybreak.scoring.engines.golden import check_golden_rows
from daybreak.scoring.engines.opening import open_engine
from daybreak.scoring.snapshots import day_of, read_snapshot
from daybreak.serving.held import SOURCE_DOWN, raised
from daybreak.serving.publication import Key, Publication, key_of

logger = logging.getLogger(__name__)

TRIED_AGAIN = 10
"""Times ``settings.refresh_seconds`` after which a version that failed is tried again: its files
may have been restored."""


@dataclass(frozen=True)
class Wanted:
    """A version to answer by, and the generation to answer from where the model has one; ``since``:
    from when on it does."""

    version: str
    generation: Generation | None = None
    since: datetime | None = None

    @property
    def key(self) -> Key:
        """What its publication is made of: the version, and the snapshot."""
        return key_of(self.version, self.generation)


class Loader:
    """Publications of one model. Used by one thread at a time."""

    def __init__(self, runtime: Runtime, model: AnyModel, monotonic: Callable[[], float]) -> None:
        self._runtime = runtime
        self._model = model
        self._monotonic = monotonic
        self._failed: dict[Key, tuple[DaybreakError, float]] = {}

    def publication(
        self, conn: Connection, wanted: Wanted, loaded: Iterable[Publication]
    ) -> Publication:
        """What answers, of ``loaded`` where it is there. Raises what is wrong with the version
        (``ArtifactMissing``, ``ArtifactAltered``, ``InvalidBooster``, ``GoldenRowsDiffer``,
        ``NotReady``), and ``WarehouseUnavailable`` and ``RegistryUnavailable``.
        """
        gate, basis = gate_of(conn, self._model.name, wanted.version), self._basis(conn, wanted)
        for one in loaded:
            if one.key == wanted.key:
                alone: dict[str, Any] = dict.fromkeys(("problem", "canary", "shadow"))
                return replace(
                    one,
                    generation=wanted.generation,
                    gate=gate,
                    basis=basis,
                    since=wanted.since,
                    **alone,
                )
        error, again = self._failed.get(wanted.key, (None, 0.0))
        if error is not None and self._monotonic() < again:
            raise raised(error)
        try:
            engines = (one.engine for one in loaded if one.version == wanted.version)
            if (engine := next(engines, None)) is None:
                conn.rollback()  # no transaction stays open while files are read
                engine = self._load(wanted.version)
            scorer = self._scorer(conn, engine, wanted.generation)
        except SOURCE_DOWN:
            raise
        except DaybreakError as error:
            seconds = TRIED_AGAIN * self._runtime.settings.refresh_seconds
            self._failed[wanted.key] = error, self._monotonic() + seconds
            logger.error("%s %s stays out: %s", self._model.name, wanted.version, error)
            self._runtime.metrics.incr(f"{self._model.name}.version.stays_out")
            raise
        self._failed.pop(wanted.key, None)
        return Publication(
            wanted.version,
            wanted.generation,
            engine,
            scorer,
            gate,
            basis,
            since=wanted.since,
        )

    def _basis(self, conn: Connection, wanted: Wanted) -> State | None:
        if wanted.generation is None or not self._model.inputs:
            return None
        return basis_of(conn, wanted.generation.snapshot_id)

    def _load(self, version: str) -> Engine:
        artifact = self._runtime.registry.load(self._model.name, version)
        with _faults_of(artifact):
            expect_features(artifact, self._model.features_of(artifact.manifest))
            # One thread: a single row gains nothing from more, and workers share the cores.
            engine = open_engine(artifact, threads=1)
            check_golden_rows(engine)
            # Its name makes the twin, which else the first request would wait for.
            logger.info("serving %s %s by the %s", artifact.model, version, engine.name)
        return engine

    def _scorer(self, conn: Connection, engine: Engine, generation: Generation | None) -> Scorer:
        """The scorer for a day, asked once: the first request costs what others do."""
        if generation is None:
            with _faults_of(engine.artifact):
                return self._model.scorer(engine.artifact, Day())
        day = day_of(conn, self._model, generation)
        entity = read_snapshot(conn, self._model, generation.snapshot_id, 0, 1)
        with _faults_of(engine.artifact):
            if generation.version != engine.artifact.version:
                expect_options(engine.artifact, day)
            scorer = self._model.scorer(engine.artifact, day)
            if len(entity):
                rows = rows_of_a_night(self._model.night, scorer, day, entity)
                rows.answers(engine.single(rows.features))
        return scorer


@contextmanager
def _faults_of(artifact: Artifact) -> Iterator[None]:
    """Whatever goes wrong with a version, it stays out, and others are served."""
    try:
        yield
    except DaybreakError:
        raise
    except Exception as error:
        raise NotReady(
            f"{artifact.model} {artifact.version} cannot be used: {type(error).__name__}: {error}.",
            remedy="Promote another version, or go back to the code that trained it.",
            model=artifact.model,
            version=artifact.version,
        ) from error
