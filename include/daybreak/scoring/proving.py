"""Decisions made again, from the log of their stream by the batch fold, and compared bit for bit.

A decision says what it was made from: its event, that event's place in the log, and the watermark
that each key was read at. What was known at a watermark never changes, so whenever it is made again
it has the same features and the same answer; if not, one of the two paths was wrong.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from datetime import date, datetime
from functools import lru_cache
from itertools import groupby
from typing import Any, NamedTuple

import numpy as np
import orjson
from sqlalchemy import Connection, Row

from daybreak.ledger.decisions import decisions_of
from daybreak.models.base import AnyModel, Columns, Day, DecidingScorer, Given, Questions
from daybreak.scoring.engines.engine import Engine, feature_names
from daybreak.signals.batch import microseconds, signals_of
from daybreak.signals.incoming import DecisionForm, event_of
from daybreak.signals.slots import NOT_IN_LOG
from daybreak.signals.stream import Stream, read_stream
from daybreak.signals.transactions import EventRows, as_transactions
from daybreak.types import Float32, Progress
from daybreak.warehouse.engine import connect

KEYS_AT_ONCE = 2
"""Each has the log of its events in memory, some 100 bytes an event."""
NOTHING_KNOWN = 0
"""Microseconds since 1970, of a key of which nothing was read."""


class Difference(NamedTuple):
    """A decision that is not what its inputs make of it, and in which of its values.

    ``key``: of its event, the first one by name and value.
    """

    decision_id: int
    event_id: str
    key: str
    what: str
    answered: Any
    proven: Any

    @property
    def text(self) -> str:
        """In a sentence."""
        return (
            f"decision {self.decision_id} about event {self.event_id!r} ({self.key}) had "
            f"{self.what} {self.answered}, and has {self.proven}"
        )


@dataclass(frozen=True)
class Proven:
    """How many decisions of a day were made again, how many differ, and the first that does."""

    business_date: date
    decisions: int
    differing: int
    first: Difference | None


def prove(
    conn: Connection,
    model: AnyModel,
    engine_of: Callable[[str], Engine],
    business_date: date,
    progress: Progress,
) -> Proven:
    """Make every decision of a day again. ``engine_of``: of a version."""
    decisions, differing = 0, 0
    first: Difference | None = None
    for rows in decisions_of(conn, model.name, business_date):
        rows.sort(key=lambda row: row.version)
        for version, of_version in groupby(rows, lambda row: row.version):
            listed = list(of_version)
            found = _differences(conn, model, engine_of(version), listed)
            decisions += len(listed)
            differing += len(found)
            first = min([*found, *([first] if first else [])], default=None)
        progress(f"Made {decisions:,} decisions of {business_date} again; {differing:,} differ")
    return Proven(business_date, decisions, differing, first)


def _differences(
    conn: Connection, model: AnyModel, engine: Engine, rows: Sequence[Row[Any]]
) -> list[Difference]:
    scorer = model.scorer(engine.artifact, Day())
    if not isinstance(scorer, DecidingScorer):
        raise TypeError(f"the scorer of {model.name} does not decide")
    stream = read_stream(conn, scorer.looks_at.stream)
    events = _events(conn, stream, scorer, rows)
    asked = scorer.rows(Given(events=events), Questions(np.arange(len(rows))))
    features = asked.features
    width = features.shape[1]
    answers = asked.answers(engine.batch(features)).columns
    names = feature_names(engine.artifact.manifest)
    found = []
    for place, row in enumerate(rows):
        kept = np.frombuffer(row.features, "<f4")
        if len(kept) != width or kept.tobytes() != features[place].astype("<f4").tobytes():
            found.append(_difference(row, *_first_feature(names, kept, features[place])))
        elif (wrong := _first_column(row.answer, answers, place)) is not None:
            found.append(_difference(row, *wrong))
    return found


def _events(
    conn: Connection, stream: Stream, scorer: DecidingScorer, rows: Sequence[Row[Any]]
) -> EventRows:
    known_at = lru_cache(maxsize=100_000)(_known)  # the keys of a decision are mostly read at once
    events = [event_of(stream, DecisionForm.model_validate_json(row.request)) for row in rows]
    sequences = [NOT_IN_LOG if row.sequence is None else row.sequence for row in rows]
    transactions = as_transactions(stream, events, sequences)
    signals = scorer.looks_at.signals
    values = np.full((len(rows), len(signals)), np.nan, np.float32)

    def fold(key: str) -> None:
        columns = [place for place, signal in enumerate(signals) if signal.key == key]
        known = np.array([known_at(row.known.get(key)) for row in rows], np.int64)
        moments = replace(transactions.moments, known=known)
        of_key = [signals[place] for place in columns]
        # Of a settled log every connection reads the same.
        with connect(conn.engine) as own:
            values[:, columns] = signals_of(own, stream, of_key, moments)

    # Half of the time the server reads, and numpy sorts without Python's lock.
    with ThreadPoolExecutor(KEYS_AT_ONCE) as pool:
        list(pool.map(fold, dict.fromkeys(signal.key for signal in signals)))
    return EventRows(transactions, values)


def _known(watermark: str | None) -> int:
    if watermark is None:
        return NOTHING_KNOWN
    return microseconds(datetime.fromisoformat(watermark))


def _first_feature(names: Sequence[str], kept: Float32, made: Float32) -> tuple[str, Any, Any]:
    if len(kept) != len(made):
        return "so many features:", len(kept), len(made)
    place = int(np.flatnonzero(kept.view(np.uint32) != made.view(np.uint32))[0])
    return names[place], kept[place], made[place]


def _first_column(answer: str, columns: Columns, row: int) -> tuple[str, Any, Any] | None:
    (prediction,) = orjson.loads(answer)["predictions"]
    for name, values in columns.items():
        made, kept = values[row], prediction.get(name)
        if values.dtype.kind == "f":
            kept = None if kept is None else np.float32(kept)
        if kept != made:
            return name, kept, made
    return None


def _difference(row: Row[Any], what: str, answered: Any, made: Any) -> Difference:
    keys = orjson.loads(row.request)["keys"]
    key = next((f"{name} {value!r}" for name, value in keys.items()), "no key")
    return Difference(row.decision_id, row.event_id, key, what, answered, made)
