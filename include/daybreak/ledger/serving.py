"""When the endpoint changes over: every worker of every replica at one moment.

A publication is visible in the tables when its transaction commits. The endpoint follows a moment
later, which the entry carries: by then every worker has read the entry and loaded what it names.
Moments are of the warehouse's clock, which all workers share, and never before that of an entry
that was written earlier.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Generic, NamedTuple, TypeVar

from sqlalchemy import ColumnElement, Connection, func, insert, literal, select

from daybreak.ledger.states import Generation, generation_of, select_generations, take_turn
from daybreak.warehouse.tables import generation, published, serving

T = TypeVar("T")

AT_ONCE = timedelta(0)
KEPT = 3
"""Entries read of the past: what is in force, and what could answer in its place."""


class Change(NamedTuple, Generic[T]):
    """What answers from ``moment`` on (aware)."""

    moment: datetime
    value: T


def moment_after(lead: timedelta) -> ColumnElement[datetime]:
    """``lead`` from now, by the warehouse's clock."""
    return func.clock_timestamp() + literal(lead)


def change_over(conn: Connection, model: str, lead: timedelta, now: datetime) -> None:
    """Let the newest published generation answer from ``lead`` on, if another one does so far.

    Where nothing answered before there is nobody to agree with: then it does at once. To be called
    last in a transaction, which should end well within ``lead``.
    """
    take_turn(conn, "serving", model)
    newest = conn.scalar(
        select(published.c.generation_id)
        .where(published.c.model == model)
        .order_by(published.c.business_date.desc())
        .limit(1)
    )
    last = conn.execute(
        select(serving.c.generation_id, serving.c.serve_from)
        .where(serving.c.model == model)
        .order_by(serving.c.entry_id.desc())
        .limit(1)
    ).one_or_none()
    before = last.generation_id if last else None
    if before == newest:
        return
    moment = moment_after(lead if before is not None else AT_ONCE)
    conn.execute(
        insert(serving).values(
            model=model,
            generation_id=newest,
            serve_from=func.greatest(moment, last.serve_from if last else None),
            recorded_at=now,
        )
    )


def served_generations(conn: Connection, model: str) -> list[Change[Generation | None]]:
    """The generation that answers, after those before it and before those to come, by moment.

    None: nothing of the model is published then. No entry: nothing ever was.
    """
    of_model = serving.c.model == model
    past = serving.c.serve_from <= func.statement_timestamp()
    order = serving.c.entry_id.desc()
    kept = select(serving.c.entry_id).where(of_model, past).order_by(order).limit(KEPT).subquery()
    first = select(func.coalesce(func.min(kept.c.entry_id), 0)).scalar_subquery()
    both = serving.outerjoin(generation, generation.c.generation_id == serving.c.generation_id)
    query = (
        select_generations(of_model, serving.c.entry_id >= first)
        .add_columns(serving.c.serve_from)
        .select_from(both)
        .order_by(serving.c.entry_id)
    )
    return [
        Change(row["serve_from"], generation_of(row) if row["generation_id"] else None)
        for row in conn.execute(query).mappings()
    ]
