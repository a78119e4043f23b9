"""Business dates of the fraud model: all events of a day, as they are known by the night."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import Connection, FromClause, Select, func, select

from daybreak.clock import AsOf
from daybreak.models.arrays import to_names
from daybreak.models.base import (
    NO_OPTIONS,
    Context,
    Day,
    Float32,
    Measured,
    Nightly,
    Options,
    Part,
    Shared,
    SnapshotRows,
    Span,
)
from daybreak.models.fraud.features import assemble
from daybreak.models.fraud.layout import Layout
from daybreak.models.fraud.options import delay_of_day
from daybreak.models.fraud.probability import DECISIONS
from daybreak.models.fraud.quality import quality
from daybreak.models.fraud.schedule import SCHEDULE
from daybreak.models.fraud.scorer import NAMES, VALUES
from daybreak.models.fraud.stream import stream_of_frauds
from daybreak.models.fraud.tables import KEYS, scores, snapshots
from daybreak.signals.batch import microseconds, signals_of
from daybreak.signals.transactions import EventRows, event_keys, read_transactions, text_values

EVENTS_AT_ONCE = 50_000
"""Whose signals are folded together: some 200 bytes of features and 1 kB of text each."""


class FraudNightly(Nightly):
    """Every event of the day, under the champion and what is known by the cutoff."""

    schedule = SCHEDULE
    keys = KEYS
    snapshot_table = snapshots
    score_table = scores

    def layout(self, options: Options = NO_OPTIONS) -> tuple[str, ...]:
        """None: what an event has follows from its stream, so each value is a record."""
        return ()

    def record_layout(self) -> tuple[str, ...]:
        """A value; the context names them."""
        return ("value",)

    def context_layout(self) -> tuple[str, ...]:
        """Names of what is always there."""
        return (NAMES,)

    def entities(self, warehouse: Connection, as_of: AsOf, options: Options = NO_OPTIONS) -> None:
        """One shard has all events. Raises ``NoData``, and ``InvalidRequest`` for options."""
        delay_of_day(options)
        stream_of_frauds(warehouse, as_of)

    def shared(
        self, warehouse: Connection, as_of: AsOf, options: Options, parts: Sequence[Part]
    ) -> Shared:
        """What the values of an event are, and the values of its text attributes."""
        stream = stream_of_frauds(warehouse, as_of)
        layout = Layout.of(stream, delay_of_day(options))
        context: dict[str, NDArray[Any]] = {NAMES: np.array(layout.features)}
        day = as_of.business_date
        for name in layout.texts:
            found = text_values(warehouse, stream, name, day, as_of.cutoff)
            context[VALUES.format(name)] = np.array(found, np.str_)
        return Shared(context)

    def rows(
        self, warehouse: Connection, span: Span, context: Context, part: Part
    ) -> Iterator[SnapshotRows]:
        """The events in the order of key and id, some at a time."""
        stream = stream_of_frauds(warehouse, span.as_of)
        layout = Layout.of(stream, delay_of_day(span.options))
        numbers = {
            name: {value: n for n, value in enumerate(context[VALUES.format(name)].tolist())}
            for name in layout.texts
        }
        day, cutoff = span.as_of.business_date, span.as_of.cutoff
        listed = event_keys(warehouse, stream, day, cutoff)
        for first in range(0, len(listed), EVENTS_AT_ONCE):
            some = listed[first : first + EVENTS_AT_ONCE]
            wanted = [event_id for _, event_id in some]
            found = read_transactions(warehouse, stream, day, day, cutoff, event_ids=wanted)
            place = {event_id: n for n, event_id in enumerate(found.event_id.tolist())}
            found = found.where(np.array([place[one] for one in wanted], np.int64))
            found = found.known_at(microseconds(cutoff))
            signals = signals_of(warehouse, stream, layout.signals, found.moments)
            features = assemble(layout, EventRows(found, signals), numbers)
            keys = tuple(_texts(column) for column in zip(*some, strict=True))
            offsets = np.arange(len(some) + 1, dtype=np.int64) * features.shape[1]
            empty = np.empty((len(some), 0), np.float32)
            yield SnapshotRows(keys, empty, features.reshape(-1, 1), offsets)

    def watched(self, rows: SnapshotRows, day: Day) -> Mapping[str, Float32]:
        """Each feature, as the context names them."""
        names = to_names(day.context[NAMES])
        return dict(zip(names, rows.records.reshape(-1, len(names)).T, strict=True))

    def quality(self, warehouse: Connection, as_of: AsOf) -> Mapping[str, Measured]:
        """What the probabilities of the business date say of themselves: its frauds are known
        weeks later."""
        return quality(warehouse, as_of)

    def audit(self, columns: Mapping[str, NDArray[Any]], day: Day) -> list[str]:
        """Probabilities are such."""
        probability = columns["probability"]
        if ((probability < 0) | (probability > 1)).any():
            return ["probability is not from 0 to 1"]
        return []

    def audit_queries(self, scored: FromClause) -> dict[str, Select[int]]:
        """Each event has a decision that there is."""
        unknown = select(func.count()).where(scored.c.decision.not_in(DECISIONS))
        return {"decision is none that there is": unknown}


def _texts(values: Sequence[str]) -> NDArray[np.object_]:
    found = np.empty(len(values), object)
    found[:] = values
    return found
