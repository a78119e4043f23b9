"""What a snapshot stands on: generations of other models, and what became of them.

A generation may be published while one that it stands on is so no more: it was superseded, as by
corrected facts, or rolled back, as it was wrong. ``report.basis`` says the same.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

from sqlalchemy import Connection, delete, insert, select

from daybreak.ledger.states import State
from daybreak.warehouse.tables import generation as generations
from daybreak.warehouse.tables import snapshot_upstream as upstream

_WORST_FIRST = (State.ROLLED_BACK, State.SUPERSEDED, State.PUBLISHED)


@dataclass(frozen=True)
class Upstream:
    """A generation that others stand on."""

    model: str
    generation_id: int
    state: State


def record_upstream(conn: Connection, snapshot_id: int, stands_on: Collection[int]) -> None:
    """Note the generations that a snapshot is made from, in place of what was noted before.

    And what these were made from themselves, so that all of it is one look away.
    """
    conn.execute(delete(upstream).where(upstream.c.snapshot_id == snapshot_id))
    beneath = (
        select(upstream.c.generation_id)
        .join(generations, generations.c.snapshot_id == upstream.c.snapshot_id)
        .where(generations.c.generation_id.in_(stands_on))
    )
    rows = [
        {"snapshot_id": snapshot_id, "generation_id": one}
        for one in sorted({*stands_on, *conn.scalars(beneath)})
    ]
    if rows:
        conn.execute(insert(upstream), rows)


def read_upstream(conn: Connection, snapshot_id: int) -> list[Upstream]:
    """What a snapshot stands on, directly or by what that stands on, by model."""
    c = generations.c
    found = conn.execute(
        select(c.model, c.generation_id, c.state)
        .join(upstream, upstream.c.generation_id == c.generation_id)
        .where(upstream.c.snapshot_id == snapshot_id)
        .order_by(c.model, c.generation_id)
    )
    return [Upstream(row.model, row.generation_id, State(row.state)) for row in found]


def basis_of(conn: Connection, snapshot_id: int) -> State | None:
    """The worst state of what a snapshot stands on: ``rolled_back`` before ``superseded`` before
    ``published``; None where it stands on nothing."""
    states = {one.state for one in read_upstream(conn, snapshot_id)}
    return next((state for state in _WORST_FIRST if state in states), None)
