"""The states of a generation, their transitions, and the row that holds them.

``generations.py`` is what happens to a generation; here is what it is. docs/generations.md draws
the same states, and a test compares the two.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import ColumnElement, Connection, RowMapping, Select, and_, select, update

from daybreak.errors import IllegalTransition, NotFound
from daybreak.warehouse.locks import hold
from daybreak.warehouse.tables import generation as generations


class State(StrEnum):
    """Where a generation stands."""

    STAGING = "staging"
    """Shards are being written."""
    STAGED = "staged"
    """All rows are there."""
    AUDITED = "audited"
    """They keep every rule."""
    PROVEN = "proven"
    """Batch and endpoint gave the same bits."""
    PUBLISHED = "published"
    """Visible: the scores of its day."""
    SUPERSEDED = "superseded"
    """A later one of its day was published; kept, so that a rollback can return to it."""
    REJECTED = "rejected"
    """Never published; its rows are swept."""
    ROLLED_BACK = "rolled_back"
    """Published once, and withdrawn."""


UNPUBLISHED = (State.STAGING, State.STAGED, State.AUDITED, State.PROVEN)
"""The states up to publication, in order. A cleared run starts again at the first."""

TRANSITIONS: Mapping[State, frozenset[State]] = {
    State.STAGING: frozenset({State.STAGED, State.REJECTED}),
    State.STAGED: frozenset({State.STAGING, State.AUDITED, State.REJECTED}),
    State.AUDITED: frozenset({State.STAGING, State.PROVEN, State.PUBLISHED, State.REJECTED}),
    State.PROVEN: frozenset({State.STAGING, State.PUBLISHED, State.REJECTED}),
    State.PUBLISHED: frozenset({State.SUPERSEDED, State.ROLLED_BACK}),
    State.SUPERSEDED: frozenset({State.PUBLISHED}),
    State.REJECTED: frozenset(),
    State.ROLLED_BACK: frozenset(),
}


@dataclass(frozen=True)
class Generation:
    """A row of ``ops.generation``. ``rows`` is None until it is staged.

    ``terms``: numbers that a person set for it before it was scored, by name.
    """

    generation_id: int
    model: str
    business_date: date
    run_key: str
    run_type: str
    cutoff: datetime
    version: str
    snapshot_id: int
    state: State
    rows: int | None
    terms: Mapping[str, float] = field(default_factory=dict, hash=False)


_COLUMNS = [generations.c[name] for name in Generation.__dataclass_fields__]


# --- reading ---------------------------------------------------------------------------------


def select_generations(*conditions: ColumnElement[bool]) -> Select[Any]:
    """The query that ``read_all`` and ``read_one`` take."""
    return select(*_COLUMNS).where(*conditions)


def has_id(generation_id: int) -> ColumnElement[bool]:
    """The generation with this id."""
    return generations.c.generation_id == generation_id


def of_day(model: str, business_date: date) -> ColumnElement[bool]:
    """All generations of a model's business date."""
    return and_(generations.c.model == model, generations.c.business_date == business_date)


def read_all(conn: Connection, query: Select[Any]) -> list[Generation]:
    """The generations that the query finds."""
    return [generation_of(row) for row in conn.execute(query).mappings()]


def generation_of(row: RowMapping) -> Generation:
    """The generation in a row that has its columns, among others."""
    named = {name: row[name] for name in Generation.__dataclass_fields__}
    return Generation(**named | {"state": State(row["state"])})


def read_one(conn: Connection, query: Select[Any]) -> Generation | None:
    """The first generation that the query finds, if any."""
    return next(iter(read_all(conn, query)), None)


def get_generation(conn: Connection, generation_id: int, *, lock: str = "") -> Generation:
    """One generation as it is now. Raises ``NotFound``.

    ``lock`` keeps it so until the transaction ends: "move" to change its state (exclusive), "hold"
    to keep it in its state (shared).
    """
    query = select_generations(has_id(generation_id))
    if lock:
        query = query.with_for_update(read=lock == "hold")
    generation = read_one(conn, query)
    if generation is None:
        raise NotFound(f"There is no generation {generation_id}.", generation_id=generation_id)
    return generation


# --- moving ----------------------------------------------------------------------------------


def take_turn(conn: Connection, *names: object) -> None:
    """One transaction at a time for these names, until it ends. Locks what has no row yet."""
    hold(conn, "/".join(map(str, names)))


def move(conn: Connection, current: Generation, target: State, **values: Any) -> None:
    """The only place that changes a state. The caller has locked the row to move it.

    Raises ``IllegalTransition`` where the states have no such transition.
    """
    if target not in TRANSITIONS[current.state]:
        raise illegal(current, target, "docs/generations.md draws the transitions.")
    conn.execute(
        update(generations).where(has_id(current.generation_id)).values(state=target, **values)
    )


def illegal(current: Generation, target: State, remedy: str) -> IllegalTransition:
    """The error for a transition that is not there."""
    return IllegalTransition(
        f"Generation {current.generation_id} is {current.state} and cannot become {target}.",
        remedy=remedy,
        generation_id=current.generation_id,
        state=current.state,
        target=target,
    )
