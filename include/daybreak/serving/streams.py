"""The streams of the data set, and what comes in for them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime, timedelta

from sqlalchemy import Connection

from daybreak.errors import Conflict, DaybreakError, InvalidEvent
from daybreak.runtime import Runtime
from daybreak.serving.held import Held
from daybreak.serving.http.body import wrong_fields
from daybreak.serving.turn import pass_on
from daybreak.signals.incoming import (
    EventForm,
    LabelForm,
    as_form,
    event_of,
    faults_of,
    label_of,
)
from daybreak.signals.log import Event, Receipt, append_events, append_labels, held_event
from daybreak.signals.stream import Stream, read_stream, read_streams
from daybreak.warehouse.engine import connect


class Streams:
    """Takes events and labels. Safe for many threads.

    What is taken was committed: it survives the end of this process and of the warehouse's.
    """

    def __init__(self, runtime: Runtime) -> None:
        self._runtime = runtime
        settings = runtime.settings
        self._keep = timedelta(days=settings.keep_events_days)
        self._held = Held(
            self._read, refresh=settings.refresh_seconds, stale=settings.stale_seconds
        )

    def stream(self, name: str) -> Stream:
        """Raises ``NotFound``, naming those that there are, and ``WarehouseUnavailable``."""
        found = self._held.get().get(name)
        if found is None:  # perhaps it was declared just now
            found = self._held.get(within=1.0).get(name)
        if found is not None:
            return found
        with self._asking() as conn:
            return read_stream(conn, name)

    def take_events(self, name: str, forms: Sequence[EventForm]) -> list[Receipt]:
        """All of them or none.

        Raises ``NotFound``, ``InvalidEvent``, ``Conflict`` and ``WarehouseUnavailable``.
        """
        stream, now = self.stream(name), self._runtime.clock()
        events = self._events(stream, forms, now)
        with self._asking() as conn, conn.begin() as transaction:
            receipts = append_events(conn, stream, events, now)
            for place, receipt in enumerate(receipts):
                if receipt.outcome == "conflict":
                    held = held_event(conn, stream, events[place].event_id)
                    transaction.rollback()
                    raise conflict(stream, forms[place], held, f"events.{place}.")
        return receipts

    def take_labels(self, name: str, forms: Sequence[LabelForm]) -> list[Receipt]:
        """All of them. Raises ``NotFound`` and ``WarehouseUnavailable``."""
        stream = self.stream(name)
        with self._asking() as conn, conn.begin():
            return append_labels(conn, stream, list(map(label_of, forms)), self._runtime.clock())

    def fault_of(self, stream: Stream, form: EventForm, now: datetime) -> DaybreakError | None:
        """Why an event does not fit its stream; None where it does."""
        wrong = dict(faults_of(stream, form, now, self._keep))
        return _misfit(stream, wrong) if wrong else None

    def held(self, stream: Stream, event_id: str) -> Event | None:
        """The event of that id. Raises ``WarehouseUnavailable``."""
        with self._asking() as conn:
            return held_event(conn, stream, event_id)

    def _events(self, stream: Stream, forms: Sequence[EventForm], now: datetime) -> list[Event]:
        wrong = {
            f"events.{place}.{field}": fault
            for place, form in enumerate(forms)
            for field, fault in faults_of(stream, form, now, self._keep)
        }
        if wrong:
            raise _misfit(stream, wrong)
        return [event_of(stream, form) for form in forms]

    @contextmanager
    def _asking(self) -> Iterator[Connection]:
        pass_on()
        with self._runtime.asking.connect() as conn:
            yield conn

    def _read(self, _previous: dict[str, Stream] | None) -> dict[str, Stream]:
        with connect(self._runtime.engine) as conn:
            return {stream.name: stream for stream in read_streams(conn)}


def conflict(stream: Stream, form: EventForm, held: Event | None, prefix: str = "") -> Conflict:
    """The error of an event whose id is that of another one, ``held``."""
    return Conflict(
        "An event of this id is known with other content.",
        remedy="Give the event an id of its own. A correction of an event is an event, too.",
        field=f"{prefix}event_id",
        given=form.model_dump(mode="json", include=set(EventForm.model_fields)),
        held=held and as_form(stream, held).model_dump(mode="json"),
    )


def _misfit(stream: Stream, wrong: Mapping[str, str]) -> DaybreakError:
    declared = (("keys", stream.keys), ("amounts", stream.amounts))
    known = [*declared, ("attributes", stream.attributes)]
    named = "; ".join(f"{what}: {', '.join(names) or 'none'}" for what, names in known)
    return wrong_fields(
        f"{len(wrong)} field(s) do not fit the stream {stream.name!r}",
        wrong,
        remedy=f"Nothing was taken. The stream has {named}.",
        error=InvalidEvent,
        stream=stream.name,
    )
