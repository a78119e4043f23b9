"""Everything that `daybreak advise` measures, put together: nights, replays, requests, readers."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from itertools import islice
from pathlib import Path
from typing import Any, NamedTuple

from daybreak.clock import due_at, scheduled_cutoff
from daybreak.errors import InvalidRequest
from daybreak.facts.days import newest_closed_day
from daybreak.jobs.advising.night import MeasuredNight, measure_night
from daybreak.jobs.advising.processors import Meter, in_a_process, peak_memory, times_of
from daybreak.jobs.advising.replay import AGES, Replay, closed_days_back, no_closed_day, replay
from daybreak.jobs.advising.requests import read_requests, requests_of
from daybreak.jobs.advising.usage import decisions_a_day, rows_read
from daybreak.ledger.champions import champion_at
from daybreak.models import get_learning, get_model, interval_of
from daybreak.models.base import AnyModel, Progress, logged
from daybreak.monitoring.advice.deciding import hours_of
from daybreak.monitoring.advice.measurements import (
    NOTHING,
    Freshness,
    Live,
    Measurements,
    Need,
    Times,
    Usage,
)
from daybreak.registry.artifact import Artifact
from daybreak.runtime import Runtime, get_runtime
from daybreak.serving.measuring import FIRST, MeasuredApp, with_app
from daybreak.serving.metrics.counted import LEAST_SECONDS, Counted, counted
from daybreak.settings import Settings
from daybreak.warehouse.engine import connect

REQUESTS = 300
NIGHTS_TRIED = 7
"""Business dates back to one with something to score: events of the newest may not be there yet."""


class MeasuredRequests(NamedTuple):
    """``own_inputs``: share of the answers that were not what is published."""

    answer: Times
    again: Times
    a_second: float
    memory_bytes: float
    own_inputs: float
    sees_server: bool


def measure(
    name: str,
    *,
    days: int,
    requests: Path | None = None,
    progress: Progress = logged,
    runtime: Runtime | None = None,
) -> Measurements:
    """All five factors of a model, of its version in force, on this machine and warehouse.

    ``days``: that are replayed; 0 leaves freshness out. ``requests``: a file of them, one JSON
    object a line, instead of those that follow from what is published. Raises ``NotFound`` for a
    model that there is not, ``NoData`` where no day is closed, no answer came true or nothing is
    published, ``NoChampion``, and ``InvalidRequest`` for requests that the endpoint refuses.
    """
    runtime = runtime or get_runtime()
    model, now, settings = get_model(name), runtime.clock(), runtime.settings
    given = read_requests(requests) if requests else None
    with connect(runtime.engine) as conn:
        newest = newest_closed_day(conn)
        if newest is None:
            raise no_closed_day()
        artifact = runtime.registry.load(name, champion_at(conn, name, now))
        bodies = given or requests_of(conn, model, artifact, now, REQUESTS + FIRST)
        decided, read = decisions_a_day(conn, model), rows_read(conn, model)
    if len(bodies) <= FIRST:
        raise InvalidRequest(
            f"{len(bodies)} requests are too few to measure by: the first {FIRST} do not count.",
            remedy="Give more of them by --requests FILE, or score a day with more entities.",
            field="requests",
        )
    of = _Measuring(runtime, model, artifact, now, progress)
    freshness = of.freshness(days)
    night = of.night()
    asked = of.requests(bodies)
    usage = of.usage(decided, read, asked.own_inputs if given else None)
    return Measurements(
        name,
        artifact.version,
        model.decides,
        _need(settings, model, newest),
        freshness,
        night.night if night else None,
        night.read if night else None,
        Live(
            asked.answer,
            asked.again,
            night.row if night else NOTHING,
            asked.a_second,
            asked.memory_bytes,
            asked.sees_server,
        ),
        usage,
        tuple(of.unknown),
    )


def measure_requests(
    settings: Settings, name: str, bodies: list[dict[str, Any]], now: datetime
) -> MeasuredRequests:
    """Ask all, in this process, whose peak of memory it is; then all again."""

    def work(app: MeasuredApp, runtime: Runtime) -> MeasuredRequests:
        app.ask(bodies[:FIRST])
        with connect(runtime.engine) as conn:
            meter = Meter(conn)
        before = meter.read()
        first = app.ask(bodies[FIRST:])
        between = meter.read()
        again = app.ask(_anew(bodies[FIRST:]))
        ended = meter.read()
        live = sum(source == "live" for source in first.sources)
        return MeasuredRequests(
            times_of(first.seconds, between.since(before)),
            times_of(again.seconds, ended.since(between)),
            len(first.seconds) / sum(first.seconds),
            peak_memory(),
            live / len(first.sources),
            meter.sees_server,
        )

    found: MeasuredRequests = with_app(settings, name, now, work)
    return found


def _anew(bodies: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The same questions; an event has an id of its own each time."""
    return [
        body | {"event_id": f"{body['event_id']}-again"} if "event_id" in body else body
        for body in bodies
    ]


@dataclass
class _Measuring:
    """``unknown``: sentences on what could not be measured."""

    runtime: Runtime
    model: AnyModel
    artifact: Artifact
    now: datetime
    progress: Progress
    unknown: list[str] = field(default_factory=list)

    def freshness(self, days: int) -> Freshness | None:
        """By a replay; None where there is nothing to replay."""
        name, model = self.model.name, self.model
        if days == 0:
            self.unknown.append("Freshness: no days were replayed (--days 0).")
            return None
        hindsight = get_learning(name).hindsight if model.learning else None
        if hindsight is None:
            self.unknown.append(
                f"Freshness: nothing comes true that answers of {name} could be compared with."
            )
            return None
        if model.inputs:
            names = ", ".join(one.model for one in model.inputs)
            self.unknown.append(
                f"Freshness: {name} stands on published scores of {names}, whose older states "
                "are not made again."
            )
            return None
        over = Replay(self.runtime, model, self.artifact, hindsight, self.now)
        found = replay(over, days, self.progress)
        trained = date.fromisoformat(str(self.artifact.manifest["trained_through"]))
        seen = sum(day < trained for day in found.days)
        if seen:
            self.unknown.append(
                f"Of the {len(found.days)} days replayed, the version learned from {seen}: their "
                "errors are too low, at every age."
            )
        missing = [f"{age:g}" for age in AGES if age not in {one.hours for one in found.ages}]
        if missing:
            self.unknown.append(
                f"Freshness: {', '.join(missing)} hours before some of the days, nothing was known."
            )
        return found

    def night(self) -> MeasuredNight | None:
        """Of the newest business date with something to score; None where there are no nights."""
        if self.model.nightly is None:
            self.unknown.append(f"Night: {self.model.name} has none.")
            return None
        settings, name = self.runtime.settings, self.model.name
        with connect(self.runtime.engine) as conn:
            back = closed_days_back(conn, interval_of(name, settings))
            days = [*islice(back, NIGHTS_TRIED)]
        self.progress(f"Making and scoring a night of {days[0]}, which is not kept")
        return in_a_process(measure_night, settings, name, self.artifact.version, days, self.now)

    def requests(self, bodies: list[dict[str, Any]]) -> MeasuredRequests:
        """Of the endpoint."""
        self.progress(f"Asking {len(bodies) - FIRST} requests, twice")
        settings, name = self.runtime.settings, self.model.name
        found = in_a_process(measure_requests, settings, name, bodies, self.now)
        if not found.sees_server:
            self.unknown.append(
                "PostgreSQL is not on this machine, or hidden: its processor seconds are not "
                "counted."
            )
        return found

    def usage(self, decided: float | None, read: int | None, own: float | None) -> Usage:
        """``own``: share of requests with inputs of their own, where a person gave the requests."""
        model = self.model
        found = counted(self.runtime.settings.home, model.name, self.now)
        a_day, source = _counted_by(found, decided)
        if a_day is None:
            self.unknown.append(f"Requests a day: {source}")
        by_source = found.by_source if found else {}
        total = sum(by_source.values())
        share = by_source.get("published", 0.0) / total if total else None
        if model.decides:
            own = 1.0
        elif model.answers_from_a_day and total:
            own = by_source.get("live", 0.0) / total
        elif model.answers_from_a_day and own is None:
            self.unknown.append(
                "Requests with inputs of their own: none were counted; taken as none. "
                "--own-inputs says another share."
            )
        return Usage(a_day, source, share, own or 0.0, read)


def _need(settings: Settings, model: AnyModel, day: date) -> Need:
    due, run_at, zone = settings.due_for(model.name), settings.run_at, settings.timezone
    window = due_at(day, run_at, due, zone) - scheduled_cutoff(day, run_at, zone)
    days = interval_of(model.name, settings).days if model.nightly else 1
    return Need(hours_of(days), window / timedelta(seconds=1), f"{due:%H:%M} {zone}")


def _counted_by(found: Counted | None, decided: float | None) -> tuple[float | None, str]:
    if decided is not None:
        return decided, "decisions that were kept of the last closed days"
    if found is None:
        return None, "no prediction service runs on this machine; give --requests-per-day."
    if found.a_day is None:
        return None, (
            f"the prediction service has run for {found.seconds / 60:.0f} minutes, and from less "
            f"than {LEAST_SECONDS / 60:.0f} nothing follows; give --requests-per-day."
        )
    return found.a_day, f"the prediction service, in {found.seconds / 3600:.1f} hours"
