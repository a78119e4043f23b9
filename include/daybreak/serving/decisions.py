"""Answers that are decisions about events: read, scored, and kept with what they were made from.

An event is scored by what is known of its keys at the watermark of its stream, and then appended to
it, where that is asked for, in one transaction with its decision. Asked about again, it has the
answer that it had. Other decisions go to a spool. While the warehouse is down, decisions are made
from what was read of the keys before, are marked ``stale``, and record nothing.

What waits at once is read, scored and recorded together.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import islice
from threading import Lock
from typing import Any

import numpy as np
import orjson
from cachetools import LRUCache
from sqlalchemy import Connection

from daybreak.errors import DaybreakError, WarehouseUnavailable
from daybreak.ledger.decisions import Entry, Recorded, record_decisions
from daybreak.models.base import AnyModel, Given, Questions
from daybreak.runtime import Runtime
from daybreak.serving.answers import Wanted, prediction_columns, records_of
from daybreak.serving.explanations import explanations
from daybreak.serving.heads import Heads
from daybreak.serving.http.encoding import encoded_answer
from daybreak.serving.publication import Publication
from daybreak.serving.seen import Seen, read_seen, remembered, rows_of
from daybreak.serving.spool import Spool
from daybreak.serving.streams import Streams, conflict
from daybreak.serving.together import Together
from daybreak.serving.turn import pass_on
from daybreak.signals.incoming import DecisionForm
from daybreak.signals.log import event_row, settle
from daybreak.signals.online import Signals
from daybreak.signals.reading import Moment
from daybreak.signals.stream import Stream
from daybreak.warehouse.asking import Asking
from daybreak.warehouse.engine import begin

logger = logging.getLogger(__name__)
Json = dict[str, Any]

MOST_VERSIONS = 8
"""Whose statements are kept: those in force, and those before and after a promotion."""
TOGETHER = 16
"""Events that are answered together; more of one request are answered beside the others."""


@dataclass(frozen=True)
class _Asked:
    """A request, or some of the events of one. ``started``: when it came, by
    ``time.perf_counter``."""

    model: AnyModel
    publication: Publication
    forms: Sequence[DecisionForm]
    wanted: Wanted
    started: float

    def goes_with(self, others: Sequence[_Asked]) -> bool:
        """Whether all can be answered together: alike, not too many, no event twice."""
        first, mine = others[0], {form.event_id for form in self.forms}
        return (
            first.publication is self.publication
            and first.wanted == self.wanted
            and sum(len(one.forms) for one in others) + len(self.forms) <= TOGETHER
            and not any(form.event_id in mine for one in others for form in one.forms)
        )


class Decisions:
    """Decides about events. Safe for many threads."""

    def __init__(self, runtime: Runtime, streams: Streams) -> None:
        self.spool = Spool(runtime)
        self._runtime = runtime
        self._streams = streams
        self._heads = Heads(runtime.settings.stale_seconds)
        self._asking = Asking(lambda: runtime.lone_statements)
        self._signals: LRUCache[tuple[str, str], Signals] = LRUCache(MOST_VERSIONS)
        self._together: Together[_Asked, list[bytes | DaybreakError]] = Together(
            self._answered, lambda chosen, one: one.goes_with(chosen)
        )
        self._commit_ms = 0.0
        self._lock = Lock()

    def of(
        self,
        model: AnyModel,
        publication: Publication,
        forms: Sequence[DecisionForm],
        wanted: Wanted,
        started: float,
    ) -> list[bytes | DaybreakError]:
        """Of each its answer, as JSON without ``latency_ms``, or the error that it gets.

        ``started``: when the request came, by ``time.perf_counter``. Events of one request do not
        see each other, unless one is there twice. Raises ``NotFound`` where the data set has no
        such stream, and ``WarehouseUnavailable``, after which some may have been recorded: asked
        again, those have the answer that they had.
        """
        signals = self._signals_of(publication)
        now = self._runtime.clock()
        found: list[bytes | DaybreakError | None] = [
            self._streams.fault_of(signals.stream, form, now) for form in forms
        ]
        places = [place for place, fault in enumerate(found) if fault is None]
        while places:
            some, places = _distinct(forms, places)
            asked = _Asked(model, publication, [forms[place] for place in some], wanted, started)
            # So many events take a while, and no other request is to wait for them.
            alone = len(some) > TOGETHER
            answers = self._answered([asked])[0] if alone else self._together.do(asked)
            for place, answer in zip(some, answers, strict=True):
                found[place] = answer
        away = [one for one in found if isinstance(one, WarehouseUnavailable)]
        if len(away) == len(found):
            raise away[0]
        return [one for one in found if one is not None]

    def _answered(self, asked: Sequence[_Asked]) -> list[list[bytes | DaybreakError]]:
        """The answers to requests that can be answered together."""
        first = asked[0]
        signals = self._signals_of(first.publication)
        forms = [form for one in asked for form in one.forms]
        started = [one.started for one in asked for _ in one.forms]
        seen, stale = self._seen(first.model, signals, first.publication.version, forms)
        now = self._runtime.clock()
        making = _Making(first.model, first.publication, signals, first.wanted, now, stale=stale)
        answers = iter(self._recorded(making, seen, started))
        return [list(islice(answers, len(one.forms))) for one in asked]

    def _signals_of(self, publication: Publication) -> Signals:
        looks_at = publication.decider.looks_at
        stream = self._streams.stream(looks_at.stream)
        version = publication.engine.artifact.model, publication.version
        with self._lock:
            held = self._signals.get(version)
            if held is None or held.stream != stream:
                self._signals[version] = held = Signals(stream, looks_at.signals)
        return held

    def _seen(
        self, model: AnyModel, signals: Signals, version: str, forms: Sequence[DecisionForm]
    ) -> tuple[list[Seen | DaybreakError], bool]:
        """What the log says of each event, and whether that is only what is remembered of it."""

        def read(conn: Connection) -> tuple[list[Seen], bool]:
            return read_seen(conn, model.name, signals, forms)

        pass_on()
        try:
            seen, settled = self._asking.repeatable(read)
            if not settled:
                with begin(self._runtime.engine) as conn:
                    settle(conn, signals.stream, self._runtime.clock())
                seen, _ = self._asking.repeatable(read)
        except WarehouseUnavailable as error:
            held = [self._heads.of(version, Moment(one.event_at, one.keys)) for one in forms]
            found = remembered(signals.stream, forms, held)
            # Of a request whose keys nobody asked about lately, nothing can be said.
            return [one if one.heads else error for one in found], True
        for one in seen:
            self._heads.keep(version, one.moment, one.heads)
        return list(seen), False

    def _recorded(
        self,
        making: _Making,
        seen: Sequence[Seen | DaybreakError],
        started: Sequence[float],
    ) -> list[bytes | DaybreakError]:
        """The answers, once nothing of them can be lost."""
        found: dict[int, bytes | DaybreakError] = {}
        asked: dict[int, Seen] = {}
        for place, one in enumerate(seen):
            if isinstance(one, DaybreakError):
                found[place] = one
            elif one.conflict is not None:
                found[place] = conflict(making.signals.stream, one.form, one.conflict)
            elif one.decided is not None:
                found[place] = making.as_wanted(one.decided)
            else:
                asked[place] = one
        places = list(asked)
        made = making.entries(list(asked.values()), [started[place] for place in places])
        recording = [n for n, one in enumerate(made) if one.event is not None]
        if recording:
            outcomes = self._record([made[n] for n in recording])
            for n, outcome in zip(recording, outcomes, strict=True):
                found[places[n]] = self._outcome(making, asked[places[n]], made[n], outcome)
        spooled = [n for n, one in enumerate(made) if one.event is None]
        if spooled:
            self._spool([made[n] for n in spooled])
            found |= {places[n]: made[n].answer.encode() for n in spooled}
        return [found[place] for place in range(len(seen))]

    def _outcome(
        self, making: _Making, one: Seen, entry: Entry, outcome: Recorded
    ) -> bytes | DaybreakError:
        """Another request about the same event may have come first."""
        if outcome.conflict:
            held = self._streams.held(making.signals.stream, one.event.event_id)
            return conflict(making.signals.stream, one.form, held)
        return making.as_wanted(outcome.answer or entry.answer)

    def _record(self, entries: Sequence[Entry]) -> list[Recorded]:
        begun = time.perf_counter()
        engine, now = self._runtime.lone_statements, self._runtime.clock()
        recorded = record_decisions(engine, entries, now, self._commit_ms)
        self._commit_ms = 1000 * (time.perf_counter() - begun)
        return recorded

    def _spool(self, entries: Sequence[Entry]) -> None:
        try:
            self.spool.append(entries)
        except OSError as error:
            logger.warning("decisions go to the warehouse at once, not to a file: %s", error)
            self._record(entries)


class _Making:
    """Makes answers of one publication."""

    def __init__(
        self,
        model: AnyModel,
        publication: Publication,
        signals: Signals,
        wanted: Wanted,
        now: datetime,
        *,
        stale: bool,
    ) -> None:
        self.signals = signals
        self._now = now
        self._model = model
        self._publication = publication
        self._wanted = wanted
        self._stale = stale

    def as_wanted(self, answer: str) -> bytes:
        """An answer as it was given, without an explanation where none is wanted: not everybody
        may see one."""
        if self._wanted.explain or '"explanation"' not in answer:
            return answer.encode()
        found = orjson.loads(answer)
        for prediction in found["predictions"]:
            prediction.pop("explanation", None)
        return encoded_answer(found)

    def entries(self, seen: Sequence[Seen], started: Sequence[float]) -> list[Entry]:
        """Decisions as they are kept."""
        if not seen:
            return []
        engine = self._publication.engine
        rows = self._publication.scorer.rows(
            Given(events=rows_of(self.signals, seen)), Questions(np.arange(len(seen)))
        )
        features = rows.features
        answers = rows.answers(engine.single(features))
        records = records_of(prediction_columns(self._model), answers.columns)
        added = engine.path_contributions(features)[:, 0]
        notes = self._publication.decider.notes(features, added)
        if self._wanted.explain:
            for record, why in zip(records, explanations(engine, features), strict=True):
                record["explanation"] = why
        stream = self.signals.stream
        packed = features.astype("<f4")
        return [
            self._entry(stream, one, row.tobytes(), {"predictions": [record], **beside}, when)
            for one, row, record, beside, when in zip(
                seen, packed, records, notes, started, strict=True
            )
        ]

    def _entry(
        self,
        stream: Stream,
        one: Seen,
        features: bytes,
        found: Json,
        started: float,
    ) -> Entry:
        records = one.form.record and not self._stale
        known = one.known
        watermarks = [moment for moment in known.values() if moment is not None]
        answer = {
            "model": self._model.name,
            "version": self._publication.version,
            "gate": self._publication.gate,
            "watermark": min(watermarks) if watermarks else None,
            "source": "live",
            **found,
            "recorded": records,
            "stale": self._stale,
        }
        return Entry(
            model=self._model.name,
            version=self._publication.version,
            stream=stream.name,
            business_date=stream.day_of(one.event.event_at),
            event_id=one.event.event_id,
            event_at=one.event.event_at,
            sequence=one.sequence,
            known=known,
            stale=self._stale,
            request=one.form.model_dump_json(),
            features=features,
            answer=encoded_answer(answer).decode(),
            latency_ms=round(1000 * (time.perf_counter() - started), 3),
            event=event_row(stream, one.event) if records else None,
            decided_at=None if records else self._now,
        )


def listed(
    model: AnyModel, publication: Publication, found: Sequence[bytes | DaybreakError]
) -> bytes:
    """The answers to many requests, each with what it would have had alone."""
    head = {"model": model.name, "version": publication.version, "gate": publication.gate}
    answers = []
    for one in found:
        answer = one.as_json() if isinstance(one, DaybreakError) else orjson.loads(one)
        answer.pop("model", None)
        answers.append(answer)
    return encoded_answer({**head, "answers": answers})


def _distinct(forms: Sequence[DecisionForm], places: Sequence[int]) -> tuple[list[int], list[int]]:
    """Places of different events, and those of events that are there already."""
    some: list[int] = []
    rest: list[int] = []
    seen: set[str] = set()
    for place in places:
        event_id = forms[place].event_id
        (rest if event_id in seen else some).append(place)
        seen.add(event_id)
    return some, rest
