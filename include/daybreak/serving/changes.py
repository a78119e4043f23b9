"""What answers requests of a model, and what is going to: read, and made ready in time."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import TypeVar

from sqlalchemy import Connection

from daybreak.errors import DaybreakError, RegistryUnavailable, WarehouseUnavailable
from daybreak.ledger.champions import no_champion, served_versions
from daybreak.ledger.generations import Generation, State, not_published
from daybreak.ledger.serving import Change, served_generations
from daybreak.ledger.trials import Kind, Trial, served_trials
from daybreak.models.base import AnyModel
from daybreak.runtime import Runtime
from daybreak.serving.loading import Loader, Wanted
from daybreak.serving.publication import Canary, Key, Publication
from daybreak.serving.timeline import HOLDS, SharedClock, Step, Timeline
from daybreak.warehouse.engine import connect

logger = logging.getLogger(__name__)
T = TypeVar("T")
Ledger = Sequence[Change[Wanted | None]]
"""Changes by moment; None: nothing is published from then on."""
Trials = Mapping[Kind, Sequence[Change[Trial | None]]]

AHEAD = 2
"""Times ``settings.refresh_seconds``: what changes later than this is not loaded yet."""


class Changes:
    """``read`` of a ``Held``: the timeline of a model, everything in it loaded.

    A version that cannot be used stays out, and what answered before it goes on, marked with the
    problem. That follows from the ledger, the files and this release, so workers of one release
    do alike, whenever they began. An error of the warehouse says nothing of a version: it is
    raised. So is one of the registry where nothing is loaded that could go on.
    """

    def __init__(self, runtime: Runtime, model: AnyModel, monotonic: Callable[[], float]) -> None:
        self._runtime = runtime
        self._model = model
        self._clock = SharedClock(monotonic)
        self._loader = Loader(runtime, model, monotonic)

    def __call__(self, previous: Timeline[Publication] | None) -> Timeline[Publication]:
        """Look, and load what ``previous`` has not."""
        loaded = list(_loaded(previous.steps)) if previous else []
        known = {one.key for one in loaded}
        with connect(self._runtime.engine) as conn:
            ledger, trials = self._ledger(conn), served_trials(conn, self._model.name)
            now = self._clock.look(conn)
            ahead = now + timedelta(seconds=AHEAD * self._runtime.settings.refresh_seconds)
            moments = {change.moment for change in ledger}
            moments |= {change.moment for changes in trials.values() for change in changes}
            steps = [Step(HOLDS, self._outcome(conn, ledger, trials, now, loaded))]
            self._warn_where_late(steps[0].outcome, known)
            for moment in sorted(moment for moment in moments if now < moment <= ahead):
                outcome = self._outcome(conn, ledger, trials, moment, loaded)
                steps.append(Step(self._clock.span(moment), outcome))
        return Timeline(tuple(steps))

    def _warn_where_late(self, found: Publication | DaybreakError, known: set[Key]) -> None:
        """Other workers may have changed over while this one still loaded."""
        if known and isinstance(found, Publication) and found.key not in known:
            logger.warning(
                "%s %s answers from now on, and was not loaded when its moment came: a client may "
                "have seen it from another worker before",
                self._model.name,
                found.version,
            )

    def _ledger(self, conn: Connection) -> Ledger:
        if not self._model.answers_from_a_day:
            return [
                Change(moment, Wanted(version))
                for moment, version in served_versions(conn, self._model.name)
            ]
        return [
            Change(moment, Wanted(generation.version, generation, moment) if generation else None)
            for moment, generation in served_generations(conn, self._model.name)
        ]

    def _outcome(
        self,
        conn: Connection,
        ledger: Ledger,
        trials: Trials,
        moment: datetime,
        loaded: list[Publication],
    ) -> Publication | DaybreakError:
        """What answers at a moment, with what is tried beside it."""
        found = self._answering(conn, _until(ledger, moment), loaded)
        if isinstance(found, DaybreakError):
            return found
        for kind, changes in trials.items():
            trial = next((one.value for one in reversed(_until(changes, moment))), None)
            if trial is None or trial.version == found.version:
                continue
            # Nobody gets the answers of a shadow: it keeps nothing of this moment.
            since = found.since if kind == "canary" else None
            beside = self._usable(conn, Wanted(trial.version, found.generation, since), loaded)
            if isinstance(beside, DaybreakError):
                found = replace(found, problem=found.problem or beside)
            elif kind == "canary":
                found = replace(found, canary=Canary(beside, trial.share))
            else:
                found = replace(found, shadow=beside)
        return found

    def _answering(
        self, conn: Connection, ledger: Ledger, loaded: list[Publication]
    ) -> Publication | DaybreakError:
        """The last of these that can be used."""
        if not ledger or ledger[-1].value is None:
            return self._nothing()
        problem: DaybreakError | None = None
        for change in reversed(ledger):
            wanted = change.value
            if wanted is None or (problem and _withdrawn(wanted.generation)):
                continue
            found = self._usable(conn, wanted, loaded)
            if isinstance(found, Publication):
                return replace(found, problem=problem)
            problem = problem or found
        return problem or self._nothing()

    def _usable(
        self, conn: Connection, wanted: Wanted, loaded: list[Publication]
    ) -> Publication | DaybreakError:
        try:
            found = self._loader.publication(conn, wanted, loaded)
        except RegistryUnavailable as error:
            if not loaded:
                raise
            return error  # of this version alone: what is loaded goes on, the next look tries again
        except WarehouseUnavailable:
            raise
        except DaybreakError as error:
            return error
        loaded.append(found)
        return found

    def _nothing(self) -> DaybreakError:
        if not self._model.answers_from_a_day:
            return no_champion(self._model.name, self._runtime.clock())
        return not_published(self._model.name)


def _until(changes: Sequence[Change[T]], moment: datetime) -> Sequence[Change[T]]:
    return [change for change in changes if change.moment <= moment]


def _withdrawn(generation: Generation | None) -> bool:
    return generation is not None and generation.state is State.ROLLED_BACK


def _loaded(steps: Iterable[Step[Publication]]) -> Iterator[Publication]:
    for step in steps:
        if isinstance(step.outcome, Publication):
            yield step.outcome
            if step.outcome.canary is not None:
                yield step.outcome.canary.publication
            if step.outcome.shadow is not None:
                yield step.outcome.shadow
