"""What answers requests of a model, and what is going to: read, and made ready in time."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace

from sqlalchemy import Connection

from daybreak.errors import DaybreakError
from daybreak.ledger.champions import no_champion, served_versions
from daybreak.ledger.generations import State, not_published
from daybreak.ledger.serving import Change, served_generations
from daybreak.models.base import AnyModel
from daybreak.runtime import Runtime
from daybreak.serving.held import SOURCE_DOWN
from daybreak.serving.loading import Loader, Wanted
from daybreak.serving.publication import Publication
from daybreak.serving.timeline import HOLDS, SharedClock, Step, Timeline
from daybreak.warehouse.engine import connect

Ledger = Sequence[Change[Wanted | None]]
"""Changes by moment; None: nothing is published from then on."""

AHEAD = 2
"""Times ``settings.refresh_seconds``: what changes later than this is not loaded yet."""


class Changes:
    """``read`` of a ``Held``: the timeline of a model, everything in it loaded.

    A version that cannot be used stays out, and what answered before it goes on, marked with the
    problem. That follows from the ledger and the files alone, so all workers do alike, whenever
    they began. An error of the warehouse or of the registry says nothing of a version: it is
    raised.
    """

    def __init__(self, runtime: Runtime, model: AnyModel, monotonic: Callable[[], float]) -> None:
        self._runtime = runtime
        self._model = model
        self._clock = SharedClock(monotonic)
        self._loader = Loader(runtime, model, monotonic)

    def __call__(self, previous: Timeline[Publication] | None) -> Timeline[Publication]:
        """Look, and load what ``previous`` has not."""
        outcomes = [step.outcome for step in previous.steps] if previous else []
        loaded = [one for one in outcomes if isinstance(one, Publication)]
        with connect(self._runtime.engine) as conn:
            ledger = self._ledger(conn)
            now = self._clock.look(conn)
            steps = tuple(self._steps(conn, ledger, now, loaded))
        return Timeline(steps)

    def _ledger(self, conn: Connection) -> Ledger:
        if self._model.nightly is None:
            return [
                Change(moment, Wanted(version))
                for moment, version in served_versions(conn, self._model.name)
            ]
        return [
            Change(moment, Wanted(generation.version, generation) if generation else None)
            for moment, generation in served_generations(conn, self._model.name)
        ]

    def _steps(
        self, conn: Connection, ledger: Ledger, now: float, loaded: list[Publication]
    ) -> Iterator[Step[Publication]]:
        moments = [change.moment.timestamp() for change in ledger]
        past = sum(moment <= now for moment in moments)
        yield Step(HOLDS, self._answering(conn, ledger[:past], loaded))
        ahead = now + AHEAD * self._runtime.settings.refresh_seconds
        for place in range(past, sum(moment <= ahead for moment in moments)):
            outcome = self._answering(conn, ledger[: place + 1], loaded)
            yield Step(self._clock.span(ledger[place].moment), outcome)

    def _answering(
        self, conn: Connection, ledger: Ledger, loaded: list[Publication]
    ) -> Publication | DaybreakError:
        """The last of these that can be used."""
        if not ledger or ledger[-1].value is None:
            return self._nothing()
        problem: DaybreakError | None = None
        for change in reversed(ledger):
            wanted = change.value
            if wanted is None or (problem and _withdrawn(wanted)):
                continue
            try:
                found = self._loader.publication(conn, wanted, loaded)
            except SOURCE_DOWN:
                raise
            except DaybreakError as error:
                problem = problem or error
            else:
                loaded.append(found)
                return replace(found, problem=problem)
        return problem or self._nothing()

    def _nothing(self) -> DaybreakError:
        if self._model.nightly is None:
            return no_champion(self._model.name, self._runtime.clock())
        return not_published(self._model.name)


def _withdrawn(wanted: Wanted) -> bool:
    return wanted.generation is not None and wanted.generation.state is State.ROLLED_BACK
