"""Past days answered from what was known earlier, beside what came true.

A snapshot is made for each state of knowledge, as a run then would have made it, scored in memory,
and rolled back. What a model says of its answers is in its ``Hindsight``; what they are compared by
is here.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from itertools import islice, product

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from sqlalchemy import Connection, select

from daybreak.clock import AsOf
from daybreak.errors import NoData
from daybreak.facts.days import newest_closed_day
from daybreak.interval import Interval
from daybreak.jobs.advising.knowledge import read_knowledge
from daybreak.jobs.advising.undone import undone
from daybreak.jobs.inputs import as_of
from daybreak.jobs.options import model_options
from daybreak.models import interval_of
from daybreak.models.base import AnyModel, Columns, Day, DecidingScorer, Given, Progress, Questions
from daybreak.models.hindsight import Hindsight, Realised
from daybreak.monitoring.advice.measurements import Freshness, Stale
from daybreak.registry.artifact import Artifact
from daybreak.runtime import Runtime
from daybreak.scoring.batch import ENTITIES_PER_CHUNK, rows_of_a_night
from daybreak.scoring.engines.engine import Engine
from daybreak.scoring.engines.opening import open_engine
from daybreak.scoring.snapshot_shards import write_snapshot
from daybreak.scoring.snapshots import read_day, read_snapshot
from daybreak.signals.batch import signals_of
from daybreak.signals.stream import read_stream
from daybreak.signals.transactions import EventRows, read_transactions
from daybreak.warehouse.engine import connect
from daybreak.warehouse.tables import day_closed
from daybreak.warehouse.tables import snapshot as snapshots

AGES = (0.0, 1.0, 6.0, 24.0, 48.0, 168.0)
"""Hours."""
AFTER = (3.0, 9.0, 15.0, 21.0)
"""Hours after the start of a night at which its answers are used: the middles of a day's quarters.
"""
CHUNK = 8 * ENTITIES_PER_CHUNK
MOST_DAYS_BACK = 400
MICROSECONDS_AN_HOUR = 3_600_000_000


@dataclass(frozen=True)
class Replay:
    """What a replay stands on. ``now``: when it is made; what became known later is not there."""

    runtime: Runtime
    model: AnyModel
    artifact: Artifact
    hindsight: Hindsight
    now: datetime

    def days(self, conn: Connection, count: int) -> list[date]:
        """The last business dates of the model whose truth is known, the oldest first.

        Raises ``NoData`` where there is none.
        """
        newest = newest_closed_day(conn)
        if newest is None:
            raise no_closed_day()
        interval = interval_of(self.model.name, self.runtime.settings)
        hindsight, manifest = self.hindsight, self.artifact.manifest
        known = (
            day
            for day in closed_days_back(conn, interval)
            if hindsight.known_from(conn, day, manifest) <= newest
        )
        found = [*islice(known, count)]
        if not found:
            raise NoData(
                f"No answer of {self.model.name} has come true yet: the newest closed day is "
                f"{newest}.",
                remedy="Wait until the days after it are closed, or leave the replay out with "
                "--days 0.",
                model=self.model.name,
                newest_closed_day=newest.isoformat(),
            )
        return found[::-1]

    def truth(self, conn: Connection) -> AsOf:
        """All that is known by now."""
        newest = newest_closed_day(conn)
        if newest is None:
            raise no_closed_day()
        return AsOf(newest, self.now)


def closed_days_back(conn: Connection, interval: Interval) -> Iterator[date]:
    """Closed business dates that a model of this interval is scored on, the newest first."""
    c = day_closed.c.business_date
    days = conn.scalars(select(c).order_by(c.desc()).limit(MOST_DAYS_BACK))
    return filter(interval.includes, days.all())


def no_closed_day() -> NoData:
    """The error of a warehouse without facts."""
    return NoData(
        "No business day is closed, so nothing can be measured.",
        remedy="`daybreak ingest` loads files and closes days; `daybreak data check` shows why "
        "none is.",
    )


def replay(over: Replay, count: int, progress: Progress) -> Freshness:
    """The last ``count`` days whose truth is known. Raises ``NoData``."""
    engine = open_engine(over.artifact, over.runtime.settings.threads)
    with connect(over.runtime.engine) as conn:
        days = over.days(conn, count)
    if over.model.decides:
        return _replay_decisions(over, engine, days, progress)
    return _replay_nights(over, engine, days, progress)


@dataclass(frozen=True)
class _Answered:
    """The answers of a day from one state of knowledge. ``values``: what a caller acts on, a row an
    answer's part, with its entity and its place there."""

    columns: Columns
    realised: Realised
    values: pd.DataFrame


@dataclass(frozen=True)
class _Used:
    """Answers that are used at a moment, of ``known``, beside those of all known then."""

    day: date
    known: AsOf
    fresh: AsOf


def _replay_nights(
    over: Replay, engine: Engine, days: Sequence[date], progress: Progress
) -> Freshness:
    with connect(over.runtime.engine) as conn:
        by_age, night = _states(over, conn, days)
        wanted: dict[AsOf, set[date]] = defaultdict(set)
        for one in [*(used for listed in by_age.values() for used in listed), *night]:
            wanted[one.known].add(one.day)
            wanted[one.fresh].add(one.day)
    said: dict[tuple[date, AsOf], Columns] = {}
    for number, (known, of_days) in enumerate(sorted(wanted.items(), key=_in_order)):
        progress(
            f"Replaying what was known at {known.cutoff:%Y-%m-%d %H:%M}: {number + 1} of "
            f"{len(wanted)}"
        )
        for day, columns in _answers_of(over, engine, known, sorted(of_days)).items():
            said[day, known] = columns
    by_day: dict[date, dict[AsOf, Columns]] = defaultdict(dict)
    for (day, known), columns in said.items():
        by_day[day][known] = columns
    answered: dict[tuple[date, AsOf], _Answered] = {}
    with connect(over.runtime.engine) as conn:
        truth = over.truth(conn)
        for day, states in by_day.items():
            for known, columns in _of_common_entities(over.model, states).items():
                answered[day, known] = _judged(over, conn, truth, day, columns)
    ages = tuple(
        _stale(over, hours, used, answered)
        for hours, used in by_age.items()
        if all((one.day, one.known) in answered for one in used)
    )
    last = _stale(over, sum(AFTER) / len(AFTER), night, answered)
    count = sum(_entities(answered[day, known].values) for day, known in _fresh_of(night))
    return _freshness(over.hindsight, days, count, ages, last)


def _in_order(one: tuple[AsOf, set[date]]) -> tuple[date, datetime]:
    return one[0].business_date, one[0].cutoff


def _fresh_of(night: Iterable[_Used]) -> set[tuple[date, AsOf]]:
    """A state a day, that of its night."""
    return {(one.day, one.known) for one in night}


def _states(
    over: Replay, conn: Connection, days: Sequence[date]
) -> tuple[dict[float, list[_Used]], list[_Used]]:
    """What was known at each moment of each day, by age, and what its night knew.

    An age at which nothing was known of some day is left out for all, so that each is of the same
    days.
    """
    settings, name = over.runtime.settings, over.model.name
    starts = {day: as_of(conn, name, day, settings=settings, now=over.now).cutoff for day in days}
    first = min(starts.values()) - timedelta(hours=max(AGES) + 24)
    knowledge = read_knowledge(conn, first, max(starts.values()) + timedelta(hours=max(AFTER)))
    by_age: dict[float, list[_Used]] = {hours: [] for hours in AGES}
    night = []
    for day, after in product(days, AFTER):
        moment = starts[day] + timedelta(hours=after)
        fresh, last = knowledge.at(moment, day), knowledge.at(starts[day], day)
        if fresh is None or last is None:
            raise no_closed_day()  # the day itself is closed by its own cutoff
        night.append(_Used(day, last, fresh))
        for hours in AGES:
            known = knowledge.at(moment - timedelta(hours=hours), day)
            if known is not None:
                by_age[hours].append(_Used(day, known, fresh))
    whole = len(days) * len(AFTER)
    return {hours: used for hours, used in by_age.items() if len(used) == whole}, night


def _answers_of(
    over: Replay, engine: Engine, known: AsOf, days: Sequence[date]
) -> dict[date, Columns]:
    """The answers of one state of knowledge that are used on the day after each of ``days``; none
    where there was nothing to score."""
    model, runtime = over.model, over.runtime
    found: dict[date, list[Columns]] = {day: [] for day in days}
    with undone(runtime.engine, known.business_date, model.night.snapshot_table) as conn:
        try:
            snapshot_id = write_snapshot(
                conn,
                model,
                known,
                over.now,
                model_options(runtime, model.name),
                trained=over.artifact.manifest.get("options", {}),
                per_shard=runtime.settings.entities_per_shard,
            )
        except NoData:
            return {}  # so long before nothing was known
        of_day = read_day(conn, model, snapshot_id)
        scorer = model.scorer(over.artifact, of_day)
        entities = conn.scalar(
            select(snapshots.c.rows).where(snapshots.c.snapshot_id == snapshot_id)
        )
        for first in range(0, int(entities or 0), CHUNK):
            some = read_snapshot(conn, model, snapshot_id, first, first + CHUNK)
            rows = rows_of_a_night(model.night, scorer, of_day, some)
            columns = rows.answers(engine.batch(rows.features)).columns
            for day in days:
                found[day].append(dict(over.hindsight.used(conn, day, columns)))
    return {
        day: {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}
        for day, parts in found.items()
        if parts
    }


def _of_common_entities(model: AnyModel, states: Mapping[AsOf, Columns]) -> dict[AsOf, Columns]:
    """The rows of entities that every state has: what is compared is about the same."""
    keys = {known: _names(model, columns) for known, columns in states.items()}
    common = set.intersection(*(set(names) for names in keys.values()))
    found = {}
    for known, columns in states.items():
        rows = np.fromiter((name in common for name in keys[known]), bool, len(keys[known]))
        found[known] = {name: values[rows] for name, values in columns.items()}
    return found


def _names(model: AnyModel, columns: Columns) -> list[tuple[str, ...]]:
    return list(zip(*(columns[name].tolist() for name in model.keys), strict=True))


def _judged(over: Replay, conn: Connection, truth: AsOf, day: date, columns: Columns) -> _Answered:
    values = pd.DataFrame({name: columns[name] for name in over.hindsight.acted_on})
    values["entity"] = _ordered(over.model, columns)
    values["place"] = values.groupby("entity").cumcount()
    return _Answered(columns, over.hindsight.realised(conn, truth, day, columns), values)


def _ordered(model: AnyModel, columns: Columns) -> NDArray[np.int64]:
    """Numbers of the entities, in the order of their names: those of equal sets are equal."""
    _, numbers = np.unique(
        np.array(["\0".join(name) for name in _names(model, columns)], object).astype(str),
        return_inverse=True,
    )
    return numbers.astype(np.int64)


def _entities(values: pd.DataFrame) -> int:
    return int(values["entity"].nunique())


def _differing(one: pd.DataFrame, other: pd.DataFrame, acted_on: Sequence[str]) -> float:
    """Share of entities whose answers differ in a row, or in how many there are."""
    both = one.merge(
        other, on=["entity", "place"], how="outer", suffixes=("", " before"), indicator="side"
    )
    differs = (both["side"] != "both").to_numpy()
    for name in acted_on:
        differs = differs | (both[name] != both[f"{name} before"]).to_numpy()
    return float(pd.Series(differs).groupby(both["entity"].to_numpy()).any().mean())


def _stale(
    over: Replay,
    hours: float,
    used: Sequence[_Used],
    answered: Mapping[tuple[date, AsOf], _Answered],
) -> Stale:
    """The means over all moments. Each is a day's answers; the days weigh as their model says."""
    seen: dict[tuple[date, AsOf, AsOf], float] = {}
    for one in used:
        place = (one.day, one.known, one.fresh)
        if place not in seen:
            seen[place] = _differing(
                answered[one.day, one.known].values,
                answered[one.day, one.fresh].values,
                over.hindsight.acted_on,
            )
    realised = [answered[one.day, one.known] for one in used]
    return _mean(
        hours,
        [one.realised for one in realised],
        [_entities(one.values) for one in realised],
        [seen[one.day, one.known, one.fresh] for one in used],
        [float(one.known == one.fresh) for one in used],
    )


def _mean(
    hours: float,
    realised: Sequence[Realised],
    answers: Sequence[int],
    changed: Sequence[float],
    same: Sequence[float],
) -> Stale:
    weight = sum(one.weight for one in realised)
    value = sum(one.value * one.weight for one in realised) / weight if weight else 0.0
    lost = sum(one.lost for one in realised) / max(sum(answers), 1)
    return Stale(hours, value, lost, float(np.mean(changed)), float(np.mean(same)))


def _freshness(
    hindsight: Hindsight,
    days: Sequence[date],
    answers: int,
    ages: tuple[Stale, ...],
    night: Stale | None,
) -> Freshness:
    return Freshness(
        hindsight.measure,
        hindsight.higher_is_better,
        hindsight.unit,
        tuple(days),
        answers,
        ages,
        night,
    )


def _replay_decisions(
    over: Replay, engine: Engine, days: Sequence[date], progress: Progress
) -> Freshness:
    """Events of the days, each with the signals of its keys as they were known so long before."""
    scorer = over.model.scorer(over.artifact, Day())
    if not isinstance(scorer, DecidingScorer):
        raise TypeError(f"the scorer of {over.model.name} does not decide")
    looks_at, hindsight = scorer.looks_at, over.hindsight
    of_age: dict[float, list[tuple[Realised, int, float, float]]] = {one: [] for one in AGES}
    answers = 0
    with connect(over.runtime.engine) as conn:
        truth = over.truth(conn)
        stream = read_stream(conn, looks_at.stream)
        for day in days:
            found = read_transactions(conn, stream, day, day, truth.cutoff)
            if not len(found):
                continue
            answers += len(found)
            first: tuple[Columns, NDArray[np.float32]] | None = None
            for hours in AGES:
                progress(f"Deciding {len(found):,} events of {day} by signals {hours:g} hours old")
                known = found.moments.known - int(hours * MICROSECONDS_AN_HOUR)
                moments = replace(found.moments, known=known)
                signals = signals_of(conn, stream, looks_at.signals, moments)
                events = EventRows(replace(found, moments=moments), signals)
                rows = scorer.rows(Given(events=events), Questions(np.arange(len(found))))
                columns = rows.answers(engine.batch(rows.features)).columns
                first = first or (columns, signals)
                realised = hindsight.realised(conn, truth, day, columns)
                changed = np.zeros(len(found), bool)
                for name in hindsight.acted_on:
                    changed |= columns[name] != first[0][name]
                same = (signals.view(np.uint32) == first[1].view(np.uint32)).all(axis=1)
                of_age[hours].append(
                    (realised, len(found), float(changed.mean()), float(same.mean()))
                )
    if not answers:
        raise NoData(
            f"{looks_at.stream} has no events on {days[0]} to {days[-1]}.",
            remedy="Load some, or leave the replay out with --days 0.",
        )
    ages = tuple(
        _mean(hours, *(list(column) for column in zip(*listed, strict=True)))
        for hours, listed in of_age.items()
    )
    return _freshness(hindsight, days, answers, ages, None)
