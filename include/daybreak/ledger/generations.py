"""What happens to a generation: one complete set of scores for a model and a business date.

Its rows are invisible until ``publish`` points at it, in one transaction; ``rollback`` points
back. Every function runs in the caller's transaction; but for ``rollback``, running one again
changes nothing. The states and their transitions are in ``states.py``.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import date, datetime, timedelta
from types import MappingProxyType
from typing import Any

from sqlalchemy import Connection, Select, Table, delete, func, insert, update
from sqlalchemy.dialects.postgresql import insert as upsert

from daybreak.errors import IllegalTransition, NotPublished
from daybreak.ledger.serving import AT_ONCE, change_over
from daybreak.ledger.states import (
    TRANSITIONS,
    UNPUBLISHED,
    Generation,
    State,
    get_generation,
    has_id,
    illegal,
    move,
    of_day,
    read_all,
    read_one,
    select_generations,
    take_turn,
)
from daybreak.warehouse.tables import generation as generations
from daybreak.warehouse.tables import published

__all__ = [
    "TRANSITIONS",
    "Generation",
    "State",
    "abandoned",
    "get_generation",
    "hold_staging",
    "mark_audited",
    "mark_proven",
    "mark_staged",
    "not_published",
    "open_generation",
    "publish",
    "published_generation",
    "reject",
    "rollback",
    "sweep",
]

# The marks on the way to publication; a generation that starts again loses them.
_MOMENTS = ("staged_at", "audited_at", "proven_at")
NO_TERMS: Mapping[str, float] = MappingProxyType({})


def open_generation(
    conn: Connection,
    *,
    model: str,
    business_date: date,
    run_key: str,
    run_type: str,
    cutoff: datetime,
    version: str,
    snapshot_id: int,
    now: datetime,
    terms: Mapping[str, float] = NO_TERMS,
) -> Generation:
    """A generation in STAGING for this run: the one it has already, or a new one.

    A run that is tried again gets its unpublished generation back, in STAGING, and writes its
    shards over. Where the snapshot, the version or the terms differ the old one is rejected.
    Once published, a cleared run opens a new one, so what people see never changes under them.
    """
    take_turn(conn, "open", model, business_date, run_key)
    own = select_generations(
        of_day(model, business_date),
        generations.c.run_key == run_key,
        generations.c.state.in_(UNPUBLISHED),
    )
    for earlier in read_all(conn, own.with_for_update()):
        inputs = earlier.version, earlier.snapshot_id, earlier.cutoff, earlier.terms
        if inputs == (version, snapshot_id, cutoff, terms):
            return _restage(conn, earlier, run_type, now)
        reject(conn, earlier.generation_id, "the run began again with other inputs", now)
    generation_id = conn.execute(
        insert(generations)
        .values(
            model=model,
            business_date=business_date,
            run_key=run_key,
            run_type=run_type,
            cutoff=cutoff,
            version=version,
            snapshot_id=snapshot_id,
            terms=dict(terms),
            state=State.STAGING,
            opened_at=now,
        )
        .returning(generations.c.generation_id)
    ).scalar_one()
    return get_generation(conn, generation_id)


def hold_staging(conn: Connection, generation_id: int) -> Generation:
    """Keep a generation in STAGING until this transaction ends, so that a shard may be written.

    Shards share the lock; a transition waits for them. Raises ``IllegalTransition`` where it left
    STAGING: rows that readers may see never change.
    """
    held = get_generation(conn, generation_id, lock="hold")
    if held.state is not State.STAGING:
        raise IllegalTransition(
            f"Generation {generation_id} is {held.state}; shards are written in staging only.",
            remedy="Clear the run from the task that opens the generation on.",
            generation_id=generation_id,
            state=held.state,
        )
    return held


def mark_staged(conn: Connection, generation_id: int, rows: int, now: datetime) -> None:
    """All shards are written, ``rows`` rows in sum."""
    _advance(conn, generation_id, State.STAGED, staged_at=now, rows=rows)


def mark_audited(conn: Connection, generation_id: int, now: datetime) -> None:
    """Every rule holds."""
    _advance(conn, generation_id, State.AUDITED, audited_at=now)


def mark_proven(conn: Connection, generation_id: int, now: datetime) -> None:
    """Batch and endpoint agree bit for bit."""
    _advance(conn, generation_id, State.PROVEN, proven_at=now)


def reject(conn: Connection, generation_id: int, reason: str, now: datetime) -> None:
    """It will never be published, and why. Again changes nothing; the first reason stays."""
    current = get_generation(conn, generation_id, lock="move")
    if current.state is not State.REJECTED:
        move(conn, current, State.REJECTED, reason=reason, ended_at=now)


def publish(conn: Connection, generation_id: int, now: datetime, lead: timedelta = AT_ONCE) -> None:
    """Point at this generation; the one before becomes SUPERSEDED. Idempotent.

    Runs in the caller's transaction, which is the moment in which all of it becomes visible. The
    endpoint follows ``lead`` later, everywhere at once.
    Raises ``IllegalTransition`` where it was not audited, was rejected or is past its time.
    """
    coming = get_generation(conn, generation_id)
    # Locks the day before its generations, as rollback does: no deadlock.
    take_turn(conn, "day", coming.model, coming.business_date)
    coming = get_generation(conn, generation_id, lock="move")
    if coming.state is State.PUBLISHED:
        # Another release may have published it, which did not tell the endpoint.
        change_over(conn, coming.model, lead, now)
        return
    if coming.state is State.SUPERSEDED:
        raise illegal(coming, State.PUBLISHED, "Roll the later generation back instead.")
    going = _pointed_at(conn, coming.model, coming.business_date)
    if going is not None:
        move(conn, going, State.SUPERSEDED, ended_at=now)
    move(conn, coming, State.PUBLISHED, published_at=now)
    _point(conn, coming, now)
    change_over(conn, coming.model, lead, now)


def rollback(
    conn: Connection,
    model: str,
    business_date: date,
    now: datetime,
    lead: timedelta = AT_ONCE,
    *,
    reason: str = "",
) -> Generation | None:
    """Withdraw what is published of a day, and point at what was published before it.

    ``lead``: as for ``publish``. ``reason``: kept with what is withdrawn.

    Returns the generation now published, or None where there was none before: then the day has
    no scores. Raises ``NotPublished`` where there is nothing to withdraw.
    """
    take_turn(conn, "day", model, business_date)
    going = _pointed_at(conn, model, business_date)
    if going is None:
        raise not_published(model, business_date)
    move(conn, going, State.ROLLED_BACK, ended_at=now, reason=reason)
    earlier = select_generations(
        of_day(model, business_date),
        generations.c.state == State.SUPERSEDED,
        generations.c.swept_at.is_(None),  # its rows are there
    ).order_by(generations.c.published_at.desc(), generations.c.generation_id.desc())
    returning = read_one(conn, earlier.limit(1))
    if returning is None:
        conn.execute(
            delete(published).where(
                published.c.model == model, published.c.business_date == business_date
            )
        )
        change_over(conn, model, lead, now)
        return None
    move(conn, returning, State.PUBLISHED, ended_at=None)
    _point(conn, returning, now)
    change_over(conn, model, lead, now)
    return get_generation(conn, returning.generation_id)


def published_generation(
    conn: Connection, model: str, business_date: date | None = None
) -> Generation:
    """What is published of a day, or of the newest day. Raises ``NotPublished``."""
    query = (
        select_generations()
        .join(published, published.c.generation_id == generations.c.generation_id)
        .where(published.c.model == model)
        .order_by(published.c.business_date.desc())
        .limit(1)
    )
    if business_date is not None:
        query = query.where(published.c.business_date == business_date)
    generation = read_one(conn, query)
    if generation is None:
        raise not_published(model, business_date)
    return generation


def sweep(
    conn: Connection, table_by_model: Mapping[str, Table], now: datetime, older_than: timedelta
) -> int:
    """Delete the rows of generations that will never be published; returns how many rows.

    Taken are the rejected, and unpublished ones on which nothing moved for ``older_than``,
    which are rejected first. Whatever a running transaction holds is left for the next time.
    """
    stale = _stale(table_by_model, now, older_than)
    deleted = 0
    for generation in read_all(conn, stale.with_for_update(skip_locked=True)):
        if generation.state is not State.REJECTED:
            move(conn, generation, State.REJECTED, reason="abandoned", ended_at=now)
        scores = table_by_model[generation.model]
        deleted += conn.execute(
            delete(scores).where(
                scores.c.business_date == generation.business_date,
                scores.c.generation_id == generation.generation_id,
            )
        ).rowcount
        conn.execute(
            update(generations).where(has_id(generation.generation_id)).values(swept_at=now)
        )
    return deleted


def abandoned(
    conn: Connection, models: Iterable[str], now: datetime, older_than: timedelta
) -> list[Generation]:
    """The generations whose rows ``sweep`` would delete."""
    return read_all(conn, _stale(models, now, older_than))


def _stale(models: Iterable[str], now: datetime, older_than: timedelta) -> Select[Any]:
    last_move = func.greatest(  # which passes over NULL
        *(generations.c[name] for name in ("opened_at", *_MOMENTS, "ended_at"))
    )
    return select_generations(
        generations.c.model.in_(models),
        generations.c.state.in_([*UNPUBLISHED, State.REJECTED]),
        generations.c.swept_at.is_(None),
        last_move < now - older_than,
    )


def _advance(conn: Connection, generation_id: int, target: State, **values: Any) -> None:
    """Move on towards publication; nothing where an earlier try did so."""
    current = get_generation(conn, generation_id, lock="move")
    onward = (*UNPUBLISHED, State.PUBLISHED, State.SUPERSEDED)
    if current.state in onward[onward.index(target) :]:
        return
    move(conn, current, target, **values)


def _restage(conn: Connection, earlier: Generation, run_type: str, now: datetime) -> Generation:
    if earlier.state is not State.STAGING:
        move(conn, earlier, State.STAGING)
    conn.execute(
        update(generations)
        .where(has_id(earlier.generation_id))
        .values(run_type=run_type, rows=None, opened_at=now, **dict.fromkeys(_MOMENTS))
    )
    return get_generation(conn, earlier.generation_id)


def _point(conn: Connection, generation: Generation, now: datetime) -> None:
    statement = upsert(published).values(
        model=generation.model,
        business_date=generation.business_date,
        generation_id=generation.generation_id,
        published_at=now,
    )
    conn.execute(
        statement.on_conflict_do_update(
            index_elements=[published.c.model, published.c.business_date],
            set_={
                "generation_id": statement.excluded.generation_id,
                "published_at": statement.excluded.published_at,
            },
        )
    )


def _pointed_at(conn: Connection, model: str, business_date: date) -> Generation | None:
    query = select_generations(of_day(model, business_date), generations.c.state == State.PUBLISHED)
    return read_one(conn, query.with_for_update())


def not_published(model: str, business_date: date | None = None) -> NotPublished:
    """The error where nothing is, of a day or at all."""
    day = "" if business_date is None else f" for {business_date}"
    return NotPublished(
        f"Nothing of {model} is published{day}.",
        remedy=f"`daybreak score {model}` scores and publishes a business date.",
        model=model,
        business_date=None if business_date is None else business_date.isoformat(),
    )
