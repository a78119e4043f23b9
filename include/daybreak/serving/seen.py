"""What a decision is made from: an event, its place in the log, and what is known of its keys."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

import numpy as np
from sqlalchemy import Connection

from daybreak.ledger.decisions import recorded_answer
from daybreak.signals.incoming import DecisionForm, event_of
from daybreak.signals.log import Event, held_event
from daybreak.signals.online import Signals
from daybreak.signals.reading import Head, Moment
from daybreak.signals.slots import NOT_IN_LOG
from daybreak.signals.stream import Stream
from daybreak.signals.transactions import EventRows, as_transactions
from daybreak.warehouse.engine import driver_of


@dataclass(frozen=True)
class Seen:
    """An event that is asked about. ``heads``: by key, what was read of it.

    ``decided``: the answer of the decision that was recorded about it before, as JSON.
    ``conflict``: the other event that has its id.
    """

    form: DecisionForm
    event: Event
    moment: Moment
    heads: Mapping[str, Head]
    decided: str | None = None
    conflict: Event | None = None

    @property
    def sequence(self) -> int | None:
        """Its place in the log, where it is there."""
        return None if self.moment.sequence == NOT_IN_LOG else self.moment.sequence

    @property
    def known(self) -> dict[str, datetime | None]:
        """By key, the watermark that it was read at; None: nothing was."""
        heads = {key: self.heads.get(key) for key in self.moment.keys}
        return {key: head and head.progress.watermark for key, head in heads.items()}


def read_seen(
    conn: Connection, model: str, signals: Signals, forms: Sequence[DecisionForm]
) -> tuple[list[Seen], bool]:
    """What the log of a stream says of events and their keys; and whether the stream is live, so
    that this can be relied on.

    Each at the watermark that it found: an event that comes meanwhile is known to the later ones.
    """
    events = [event_of(signals.stream, form) for form in forms]
    ids = [event.event_id for event in events]
    moments = [Moment(event.event_at, event.keys) for event in events]
    found = signals.read(driver_of(conn), moments, ids)
    seen = []
    for form, event, moment, one in zip(forms, events, moments, found, strict=True):
        if one.sequence is None:
            seen.append(Seen(form, event, moment, one.heads))
        else:
            there = moment._replace(sequence=one.sequence)
            seen.append(_known(conn, model, signals.stream, Seen(form, event, there, one.heads)))
    return seen, all(one.progress.live for one in found)


def remembered(
    stream: Stream, forms: Sequence[DecisionForm], heads: Sequence[Mapping[str, Head]]
) -> list[Seen]:
    """The same by heads that were read before, of what the log says now nothing is known."""
    found = []
    for form, of_keys in zip(forms, heads, strict=True):
        event = event_of(stream, form)
        found.append(Seen(form, event, Moment(event.event_at, event.keys), of_keys))
    return found


def rows_of(signals: Signals, seen: Sequence[Seen]) -> EventRows:
    """Events, one at least, and their signals as a scorer is given them."""
    values = [signals.fold(one.moment, one.heads) for one in seen]
    sequences = [one.moment.sequence for one in seen]
    transactions = as_transactions(signals.stream, [one.event for one in seen], sequences)
    return EventRows(transactions, np.stack(values))


def _known(conn: Connection, model: str, stream: Stream, one: Seen) -> Seen:
    """An event that is in the log: whether it is the same one, and what was decided."""
    held = held_event(conn, stream, one.event.event_id)
    if held != one.event:
        return Seen(one.form, one.event, one.moment, one.heads, conflict=held)
    if not one.form.record:
        return one
    decided = recorded_answer(conn, model, stream.name, one.event.event_id)
    return Seen(one.form, one.event, one.moment, one.heads, decided=decided)
