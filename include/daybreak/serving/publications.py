"""The version in force of each model, cached with the engine that scores it."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterable
from threading import Thread

from daybreak.ledger.generations import Generation
from daybreak.models.base import AnyModel
from daybreak.runtime import Runtime
from daybreak.serving.changes import Changes
from daybreak.serving.held import Held
from daybreak.serving.publication import Publication
from daybreak.serving.timeline import Timeline

__all__ = ["Publication", "Publications"]

logger = logging.getLogger(__name__)

LOOK = 0.3
"""Of ``settings.refresh_seconds``: how often ``follow`` looks for changes."""
DUE = 0.45
"""Where it does not, a request looks when the last look is so long ago."""
TRUSTED = 0.6
"""A change that was committed since then may be in force: so much less than the lead of one, 0.8,
that its transaction may have taken a fifth."""


class Publications:
    """What answers for each model, changing over at the moment that each change carries.

    While the warehouse is down the last one stays in force for ``settings.stale_seconds``.
    """

    def __init__(
        self,
        runtime: Runtime,
        models: Iterable[AnyModel],
        *,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._monotonic = monotonic
        self._seconds = runtime.settings.refresh_seconds
        self._held: dict[str, Held[Timeline[Publication]]] = {
            model.name: Held(
                Changes(runtime, model, monotonic),
                refresh=DUE * self._seconds,
                trusted=TRUSTED * self._seconds,
                stale=runtime.settings.stale_seconds,
                monotonic=monotonic,
            )
            for model in models
        }

    def current(self, model: str) -> Publication:
        """Raises ``NotPublished``, ``NoChampion``, ``ArtifactMissing``, ``ArtifactAltered`` or
        ``NotReady``."""
        return self._held[model].get().now(self._monotonic)

    def age(self, model: str) -> float:
        """Seconds since the warehouse confirmed what is in force; infinite where it never has."""
        return self._held[model].age

    def published(self, model: str) -> Generation:
        """The generation that a model which is scored nightly answers from. Raises as above."""
        generation = self.current(model).generation
        if generation is None:
            raise TypeError(f"{model} is not scored nightly")
        return generation

    def follow(self) -> None:
        """Look for changes from a thread, so that no request waits for what they bring."""
        Thread(target=self._follow, name="publications", daemon=True).start()

    def _follow(self) -> None:
        while True:
            time.sleep(LOOK * self._seconds)
            for name, held in self._held.items():
                try:
                    held.refresh()
                except Exception:
                    logger.exception("looking for changes of %s failed", name)
