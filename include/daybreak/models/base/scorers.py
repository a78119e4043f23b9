"""A version ready for one day, by what it can do beyond answering questions."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any, NamedTuple, Protocol, runtime_checkable

from sqlalchemy import Connection

from daybreak.clock import Slot
from daybreak.ledger.states import Generation
from daybreak.models.base.rows import Answers, Given, Questions, Remarks, SnapshotRows, Source
from daybreak.signals.declared import Signal
from daybreak.types import Float32


class ScoringRows(Protocol):
    """Features for the engine, and how its margins become answers."""

    @property
    def features(self) -> Float32:
        """Float32 (m, F) in manifest order; F is 0 where there is no engine."""
        ...

    def answers(self, margins: Float32) -> Answers:
        """Margins (m, K) to answers.

        Uses IEEE-exact operations only (+ - * min max floor compare sort), so that the bits do not
        depend on the batch size, the processor or the number of threads.
        """
        ...

    def remarks(self, question: int) -> Remarks:
        """Remarks on the answer to one question."""
        ...


class Scorer(Protocol):
    """A version ready for one day. Nightly runs, callers and other models ask the same one."""

    def rows(self, given: Given, questions: Questions) -> ScoringRows:
        """The rows that answer the questions.

        A row depends on its own question and entity only, not on others in the batch. Raises
        ``OutsideHorizon`` and ``InvalidRequest`` for a question without an answer.
        """
        ...


class Row(Protocol):
    """One row that answers one request, without notes."""

    @property
    def features(self) -> Float32:
        """Float32 (1, F) in manifest order."""
        ...

    @property
    def source(self) -> Source:
        """As in ``Remarks``."""
        ...

    def prediction(self, margins: Float32) -> dict[str, Any] | None:
        """Margins (1, K) to the row, its numbers single float32 values, all of them finite.

        None where ``Scorer.rows`` has to say what it is.
        """
        ...


@runtime_checkable
class RowScorer(Scorer, Protocol):
    """A scorer that has a shorter way to the answer of one request, with the same bits."""

    def row(self, entity: SnapshotRows, request: Any) -> Row | None:
        """The row that answers a request about an entity (n=1); None for one that ``rows`` has to
        answer, or refuse."""
        ...


class LooksAt(NamedTuple):
    """What a version asks of a stream, by name."""

    stream: str
    signals: tuple[Signal, ...]


@runtime_checkable
class DecidingScorer(Scorer, Protocol):
    """A scorer whose answers are decisions about events of a stream.

    It is given events with their signals, as ``Given.events``, one margin a row, and has one row
    of the answer a question. It is made without a day.
    """

    @property
    def looks_at(self) -> LooksAt:
        """The stream and the signals of its version."""
        ...

    def notes(self, features: Float32, added: Float32) -> list[dict[str, Any]]:
        """What answers say beside their decisions, in the form of ``Endpoint.notes``, such as the
        strongest reasons; no part of what is proven.

        ``features``: (m, F). ``added``: (m, F + 1), what each of them added to the margin, and the
        base.
        """
        ...


class Moves(Protocol):
    """What moves the answers of a version during the day. Safe for many threads.

    Time is cut into slots. An answer changes only where one begins, and follows from what was known
    by then: so all workers give the same.
    """

    def slot(self, now: datetime) -> Slot:
        """The slot that a moment is in."""
        ...

    def is_about_now(self, asked: Any) -> bool:
        """Whether a request asks for what holds now, and not for something of its own."""
        ...

    def read(
        self,
        conn: Connection,
        entities: SnapshotRows,
        slot: Slot,
        *,
        generation: Generation,
        since: datetime,
        now: datetime,
    ) -> Sequence[Any]:
        """Of each entity what moves its answers in ``slot`` (``Moment.found``), and keep what has
        to be kept of it; asked once a slot and process, or a few times.

        ``since``: from when on the generation answers. ``conn``: each of its statements is a
        transaction, with the rights of the service. Raises what the warehouse does.
        """
        ...


@runtime_checkable
class MovingScorer(Scorer, Protocol):
    """A scorer whose answers may move during the day, by what streams say."""

    @property
    def moves(self) -> Moves | None:
        """What moves them; None: nothing does, and no answer costs more than without."""
        ...
