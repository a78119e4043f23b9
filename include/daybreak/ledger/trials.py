"""Versions that are tried beside the one in force: as a canary, or as a shadow.

A canary answers for a share of the entities. A shadow is asked beside what answers, and its answers
go nowhere but into the measures. Append-only: stopping one is an entry, too. Both begin and end at
a moment that the entry carries, as in ``serving``.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any, Literal, NamedTuple

from sqlalchemy import Connection, Row, func, insert, select

from daybreak.ledger.champions import check_registered, hold_ledger
from daybreak.ledger.serving import AT_ONCE, KEPT, Change, moment_after
from daybreak.warehouse.tables import trial as entries

Kind = Literal["canary", "shadow"]


class Trial(NamedTuple):
    """``share``: of the entities that a canary answers for, 0 to 1; a shadow sees them all."""

    version: str
    share: float


def start(
    conn: Connection,
    *,
    model: str,
    kind: Kind,
    trial: Trial,
    reason: str,
    actor: str,
    now: datetime,
    lead: timedelta = AT_ONCE,
) -> bool:
    """Try a registered version from ``lead`` on, in place of another one of this kind.

    Returns whether an entry was written: what is tried so already stays. Raises ``NotFound``.
    """
    hold_ledger(conn, model)
    check_registered(conn, model, trial.version)
    said = {"reason": reason, "actor": actor, "recorded_at": now}
    return _record(conn, {"model": model, "kind": kind}, trial, lead, said)


def stop(
    conn: Connection,
    *,
    model: str,
    kind: Kind,
    reason: str,
    actor: str,
    now: datetime,
    lead: timedelta = AT_ONCE,
) -> bool:
    """Try none of this kind from ``lead`` on. Returns whether there was one to stop."""
    hold_ledger(conn, model)
    said = {"reason": reason, "actor": actor, "recorded_at": now}
    return _record(conn, {"model": model, "kind": kind}, None, lead, said)


def served_trials(conn: Connection, model: str) -> dict[Kind, list[Change[Trial | None]]]:
    """What is tried of each kind, after what was before and before what is to come, by moment."""
    found: dict[Kind, list[Change[Trial | None]]] = {"canary": [], "shadow": []}
    past = func.row_number().over(
        partition_by=(entries.c.kind, entries.c.serve_from <= func.statement_timestamp()),
        order_by=entries.c.entry_id.desc(),
    )
    ranked = select(entries, past.label("age")).where(entries.c.model == model).subquery()
    query = select(ranked).where(ranked.c.age <= KEPT).order_by(ranked.c.entry_id)
    for row in conn.execute(query):
        found[row.kind].append(Change(row.serve_from, _trial_of(row)))
    return found


def listed_trials(conn: Connection, model: str | None = None) -> list[dict[str, Any]]:
    """The entries of a model or of all, the newest first."""
    query = select(entries).order_by(entries.c.entry_id.desc())
    if model is not None:
        query = query.where(entries.c.model == model)
    return [dict(row) for row in conn.execute(query).mappings()]


def _record(
    conn: Connection,
    of: dict[str, str],
    trial: Trial | None,
    lead: timedelta,
    said: dict[str, Any],
) -> bool:
    last = conn.execute(
        select(entries).filter_by(**of).order_by(entries.c.entry_id.desc()).limit(1)
    ).one_or_none()
    if trial == (last and _trial_of(last)):
        return False
    tried = trial._asdict() if trial else {}
    moment = func.greatest(moment_after(lead), last and last.serve_from)
    conn.execute(insert(entries).values(**of, **tried, **said, serve_from=moment))
    return True


def _trial_of(row: Row[Any]) -> Trial | None:
    return None if row.version is None else Trial(row.version, row.share)
