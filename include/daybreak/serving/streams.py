"""The streams of the data set, and what comes in for them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import timedelta

from sqlalchemy import Connection, select

from daybreak.runtime import Runtime
from daybreak.serving.held import Held
from daybreak.serving.turn import pass_on
from daybreak.signals.incoming import EventForm, LabelForm, as_form, events_of, labels_of
from daybreak.signals.log import (
    Receipt,
    append_events,
    append_labels,
    conflict,
    held_event,
)
from daybreak.signals.stream import Stream, read_stream
from daybreak.warehouse.engine import connect
from daybreak.warehouse.tables import stream as streams


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
        events = events_of(stream, forms, now, self._keep)
        with self._asking() as conn, conn.begin() as transaction:
            receipts = append_events(conn, stream, events, now)
            for place, receipt in enumerate(receipts):
                if receipt.outcome == "conflict":
                    held = held_event(conn, stream, events[place].event_id)
                    transaction.rollback()
                    raise conflict(
                        forms[place].model_dump(mode="json"),
                        held and as_form(stream, held).model_dump(mode="json"),
                        place,
                    )
        return receipts

    def take_labels(self, name: str, forms: Sequence[LabelForm]) -> list[Receipt]:
        """All of them. Raises ``NotFound`` and ``WarehouseUnavailable``."""
        stream = self.stream(name)
        with self._asking() as conn, conn.begin():
            return append_labels(conn, stream, labels_of(forms), self._runtime.clock())

    @contextmanager
    def _asking(self) -> Iterator[Connection]:
        pass_on()
        with self._runtime.asking.connect() as conn:
            yield conn

    def _read(self, _previous: dict[str, Stream] | None) -> dict[str, Stream]:
        with connect(self._runtime.engine) as conn:
            names = conn.scalars(select(streams.c.stream)).all()
            return {name: read_stream(conn, name) for name in names}
